"""Messages about alerts to the channels that rules name."""
