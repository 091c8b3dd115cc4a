"""Tactical RMM: the only place that knows its words and its ways."""
