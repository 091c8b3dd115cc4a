"""The review of missing devices: what a person decides about assets whose agent is listed no longer."""
