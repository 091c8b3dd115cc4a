"""Kinds of RMM server Muster can talk to. A provider knows no database and no tenant."""
