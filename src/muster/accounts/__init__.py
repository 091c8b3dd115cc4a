"""Who may come in: users and their roles."""
