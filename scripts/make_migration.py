"""Writes the next migration from the difference between the models and the migrations there are.

    python -m scripts.make_migration "add a table of alerts"
    python -m scripts.make_migration --first      writes 0001 anew, as long as nothing was released

Read what it wrote: a rename looks like a drop and an add to it. Row-level security for the tables of tenants
that no migration before has protected is put at the end.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from muster.bootstrap import metadata
from muster.db import Database, migrate
from muster.db.types import tenant_tables

ROOT = Path(__file__).resolve().parents[1]
PROTECT = re.compile(r"row_security\.protect\(([^)]*\)[^)]*)\)")
NAME = re.compile(r'"([a-z_]+)"')
VERSIONS = ROOT / "src" / "muster" / "db" / "migrations" / "versions"


async def write(number: int, message: str) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/empty.db")
        try:
            if number > 1:
                await migrate.upgrade(database, metadata())
            async with database.writer.connect() as connection:
                return await connection.run_sync(_revision, f"{number:04}", message)
        finally:
            await database.close()


def _revision(connection: Connection, revision_id: str, message: str) -> Path:
    configuration = migrate.config()
    configuration.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    configuration.attributes.update(connection=connection, metadata=metadata())
    script = command.revision(configuration, message, autogenerate=True, rev_id=revision_id)
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


def protected(text: str, before: Iterable[str]) -> str:
    """The migration with row-level security for what has none yet."""
    done = {name for old in before for call in PROTECT.findall(old) for name in NAME.findall(call)}
    tables = sorted(table.name for table in tenant_tables() if table.name not in done)
    if not tables:
        return text
    names = ", ".join(f'"{name}"' for name in tables)
    call = f"    row_security.protect(op.get_bind(), {names})\n"
    text = text.replace("\n\n\nrevision", "\n\nfrom muster.db import row_security\n\nrevision", 1)
    return text.rstrip("\n") + "\n" + call


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the next migration.")
    parser.add_argument("message", nargs="?", default="first schema")
    parser.add_argument("--first", action="store_true", help="write 0001 anew")
    options = parser.parse_args()
    VERSIONS.mkdir(exist_ok=True)
    existing = sorted(VERSIONS.glob("[0-9]*.py"))
    if options.first:
        for old in existing:
            old.unlink()
        existing = []
    path = asyncio.run(write(len(existing) + 1, options.message))
    lines = path.read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.lstrip().startswith("# ###"))
    path.write_text(protected(text, [old.read_text() for old in existing]))
    for arguments in (["check", "--fix", "--exit-zero", "--silent"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(path)], check=True)
    print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
