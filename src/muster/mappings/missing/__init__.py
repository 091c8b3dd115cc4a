"""Devices that their server lists no longer: the evidence, and what a person decided about them."""
