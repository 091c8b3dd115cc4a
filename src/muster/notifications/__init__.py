"""Who is told, and by which way: mail, chat and the like, by Apprise."""
