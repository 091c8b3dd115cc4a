"""Clients: the customer companies of an MSP, on the PSA's side."""
