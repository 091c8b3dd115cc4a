"""The command line, as the tests of integrations have it."""

from tests.integrations.conftest import shell, sqlite_shell

__all__ = ["shell", "sqlite_shell"]
