"""Engine, sessions, column types, bulk writes and migrations."""

from muster.db.session import Database

__all__ = ["Database"]
