"""The list of installs: which of them a page of it shows, and how many there are."""
