"""Tenants: the MSPs whose worlds are kept apart."""
