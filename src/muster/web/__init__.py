"""What all pages and routes share: problem responses, health, metrics."""
