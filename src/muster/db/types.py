"""What every table shares: the metadata, the tenant key, and column types that hold on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import uuid_utils.compat as uuid_utils
from sqlalchemy import JSON, DateTime, Dialect, ForeignKeyConstraint, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

JsonType = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# Text whose index is in the order of the characters' numbers, the same on both databases (see `plans`).
ByCodePoint = String().with_variant(String(collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC. A naive one is refused, because nobody can say which moment it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments; SQLite, which keeps no zone, is given UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone is not stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware moment in UTC whatever the database kept."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        dict[str, Any]: JsonType,
        list[Any]: JsonType,
    }


# For a column's `info`: it holds a secret, even if a sealed or hashed one, and is in no export.
SECRET = {"secret": True}


class TenantOwned:
    """A table whose every key starts with the tenant, so that it can be distributed by Citus."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


def of_tenant() -> ForeignKeyConstraint:
    """For the tables that hang on the tenant directly; the others reach it through their parent's key."""
    return ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], ondelete="CASCADE")


def part_of(table: str, key: str, *, by: str | None = None) -> ForeignKeyConstraint:
    """For rows that go with the one of a table that their `key` names (in the column `by`, where it is called
    otherwise). Together with the tenant, so that the database refuses a mix.
    """
    columns = ["tenant_id", by or key]
    return ForeignKeyConstraint(columns, [f"{table}.tenant_id", f"{table}.{key}"], ondelete="CASCADE")


def tenant_tables() -> list[Table]:
    """Every table whose rows belong to a tenant, each after those that it refers to."""
    owned = {mapper.local_table for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantOwned)}
    return [table for table in Base.metadata.sorted_tables if table in owned]


def table_of(model: type[Base]) -> Table:
    """The Core table of a model."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


def new_id() -> UUID:
    """A new row id: UUID version 7 (RFC 9562), so that neighbours in time are neighbours in the index."""
    return uuid_utils.uuid7()
