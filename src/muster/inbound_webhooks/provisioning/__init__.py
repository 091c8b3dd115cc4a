"""Setting a webhook up on its server by the server's API: planned, made, watched, repaired, removed."""
