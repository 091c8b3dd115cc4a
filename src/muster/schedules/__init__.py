"""When integrations are synced by themselves, and what failures do to that."""
