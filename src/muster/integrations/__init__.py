"""Integrations: a tenant's connections to RMM servers, with their credentials and health."""
