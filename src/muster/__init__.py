"""Muster joins an MSP's PSA side to its remote monitoring system and keeps both true to each other."""

__version__ = "0.1.0"
