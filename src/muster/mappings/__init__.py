"""What of theirs stands for what of ours: organizations and clients, devices and assets."""
