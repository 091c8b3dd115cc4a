"""Sync: runs that fetch, plan and apply, and say what they did."""
