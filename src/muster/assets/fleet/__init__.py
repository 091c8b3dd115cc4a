"""The fleet as a whole: how many devices answer, now and over time."""
