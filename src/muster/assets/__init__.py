"""Assets: the things, what is known of them, and how that changed."""
