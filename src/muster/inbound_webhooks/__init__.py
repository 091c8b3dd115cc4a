"""Providers call us: verify, keep a receipt, answer, process."""
