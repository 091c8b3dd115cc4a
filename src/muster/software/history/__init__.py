"""What changed: the list of changes, and how long they are kept."""
