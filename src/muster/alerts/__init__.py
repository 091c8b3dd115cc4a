"""Alerts of the RMM."""
