"""The list of alerts: which of them a page of it shows, and how many there are."""
