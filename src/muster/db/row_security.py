"""The fourth lock of tenancy: on PostgreSQL a transaction sees the rows of its own tenant only.

Every table with a `tenant_id` has a policy that compares it with the setting `muster.tenant_id` of the
transaction. It guards against a question that forgot its tenant; whoever can run SQL of his own can change
the setting. Superusers and roles with BYPASSRLS pass every policy: Muster's role must be neither.

A session belongs to the first tenant that a repository or `db/bulk.py` names in it, or to the one it was
opened for. Another one is a mistake in Muster on either database. Only a session opened with `system=True`
works across tenants.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from muster.tenancy import TenantScope

SETTING = "muster.tenant_id"
EVERY_TENANT = "*"
_WANTED, _SET = "muster.tenant_wanted", "muster.tenant_set"
_POLICY = "tenant_rows"


class WrongTenant(RuntimeError):
    """A session that belongs to one tenant was used for another: a mistake in Muster, never in its use."""


class TenantSession(Session):
    """The session behind every AsyncSession; it tells PostgreSQL whose transaction it is."""


def bind(session: AsyncSession, tenant_id: UUID) -> None:
    """Make the session this tenant's; WrongTenant when it is another's. A system session stays one."""
    info = session.info
    wanted = info.get(_WANTED)
    if wanted is None:
        info[_WANTED] = str(tenant_id)
    elif wanted not in (EVERY_TENANT, str(tenant_id)):
        raise WrongTenant(f"a session of tenant {wanted} was used for tenant {tenant_id}")


def bind_system(session: AsyncSession) -> None:
    """Let the session work across tenants: for ticks, relays, migrations and what comes before a tenant."""
    session.info[_WANTED] = EVERY_TENANT


async def connection_of(session: AsyncSession, scope: TenantScope) -> AsyncConnection:
    """The session's connection, for statements past SQLAlchemy's own way, with the tenant set."""
    bind(session, scope.tenant_id)
    await session.run_sync(_apply)
    return await session.connection()


class TenantConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection to PostgreSQL whose BEGIN can say whose transaction it is: that costs no round trip."""

    tenant: str | None = None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        """As asyncpg's own, which its transactions begin by."""
        if self.tenant is not None and query.startswith("BEGIN"):
            query = f"{query}; SELECT set_config('{SETTING}', '{self.tenant}', true)"
            self.tenant = None
        status: str = await super().execute(query, *args, timeout=timeout)
        return status


def set_tenant(connection: Connection, value: str) -> None:
    """Say whose rows the transaction under way may see, with its BEGIN if that is still to come; nothing on
    SQLite. `value` is a tenant's id or EVERY_TENANT.
    """
    if connection.dialect.name != "postgresql":
        return
    driver = connection.connection.driver_connection
    if isinstance(driver, TenantConnection) and not driver.is_in_transaction():
        driver.tenant = value
    else:
        connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": SETTING, "value": value})


def forget_tenant(connection: Connection) -> None:
    """For the start of every transaction: what one before it wanted, but never began, is not this one's."""
    driver = connection.connection.driver_connection
    if isinstance(driver, TenantConnection):
        driver.tenant = None


def protect(connection: Connection, *tables: str) -> None:
    """Put row-level security on tables; nothing on SQLite. For migrations: what it does never changes."""
    if connection.dialect.name != "postgresql":
        return
    setting = f"current_setting('{SETTING}', true)"
    # As subqueries the setting is read once for a statement, not once for each row, and indexes can be used.
    own = f"tenant_id = (SELECT NULLIF(NULLIF({setting}, '{EVERY_TENANT}'), '')::uuid)"
    every = f"(SELECT {setting} = '{EVERY_TENANT}')"
    for table in tables:
        connection.exec_driver_sql(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        # The owner is held to it too: Muster makes its tables with the role that it works with.
        connection.exec_driver_sql(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        connection.exec_driver_sql(f'CREATE POLICY {_POLICY} ON "{table}" USING ({own} OR {every})')


def _apply(session: Session) -> None:
    wanted = session.info.get(_WANTED)
    if wanted is None or session.get_bind().dialect.name != "postgresql":
        return
    # First: this may begin the transaction, which forgets what an earlier one had set.
    connection = session.connection()
    if session.info.get(_SET) != wanted:
        session.info[_SET] = wanted
        set_tenant(connection, wanted)


@event.listens_for(TenantSession, "do_orm_execute")
def _before_statement(state: Any) -> None:
    _apply(state.session)


@event.listens_for(TenantSession, "before_flush")
def _before_flush(session: Session, _context: object, _instances: object) -> None:
    _apply(session)


@event.listens_for(TenantSession, "after_begin")
def _begun(session: Session, transaction: Any, _connection: object) -> None:
    if not transaction.nested:
        session.info.pop(_SET, None)


@event.listens_for(TenantSession, "after_soft_rollback")
def _rolled_back(session: Session, _previous: object) -> None:
    # A savepoint's rollback takes back what was set inside of it.
    session.info.pop(_SET, None)
