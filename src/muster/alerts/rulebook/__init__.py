"""Where the rules about alerts are kept."""
