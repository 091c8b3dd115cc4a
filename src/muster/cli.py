"""The command line: `muster`. Thin: the rooms bring their commands, bootstrap binds them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from typer.exceptions import TyperException

from muster import __version__, bootstrap, doctor, encryption
from muster.bootstrap import logs
from muster.db import backup, migrate
from muster.demo import demo
from muster.errors import InvalidInput
from muster.output import Output, plain
from muster.providers.contract import CheckResult
from muster.serve import serve
from muster.settings import make_data_dir
from muster.terminal import (
    FAILED,
    TYPER,
    WRONG_INPUT,
    Bare,
    JsonOption,
    Root,
    TenantOption,
    bare_command,
    group,
)
from muster.worker import worker

app = typer.Typer(
    name="muster",
    help="Joins an MSP's clients and assets to its RMM server, and keeps both true to each other.",
    epilog="Try it: muster demo. Settings are MUSTER_* environment variables.",
    **TYPER,
)
key_commands = group("key", "The key that seals secrets.")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    as_json: JsonOption = False,
    tenant: TenantOption = None,
) -> None:
    """Start here."""
    context.obj = Root(
        open=bootstrap.open_application, prepare=logs.configure_logs, as_json=as_json, tenant=tenant
    )
    if version:
        if not Output(as_json=as_json).json({"version": __version__}):
            typer.echo(f"muster {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("migrate", epilog="Example: muster migrate")
@bare_command
async def migrate_(bare: Bare) -> None:
    """Bring the database to the schema of this version."""
    make_data_dir(bare.settings)
    database = bootstrap.open_database(bare.settings)
    try:
        done = await migrate.upgrade(database, bootstrap.metadata())
    finally:
        await database.close()
    if not bare.output.json({"before": done.before, "after": done.after}):
        changed = done.before != done.after
        bare.output.say(f"The database {'now has' if changed else 'had already'} the schema {done.after}.")


@app.command("doctor", epilog="Example: muster doctor --json")
@bare_command
async def doctor_(bare: Bare) -> None:
    """Look for what keeps this installation from working; changes nothing. Exit code 1 for an error."""
    result = await doctor.examine(bare.settings)
    if not bare.output.json(result):
        show_check(bare.output, result)
    if not result.ok:
        raise typer.Exit(FAILED)


ForceOption = Annotated[bool, typer.Option("--force", help="Also when there is one already.")]


@app.command("backup", epilog="Example: muster backup --to muster-monday.zip --with-key")
@bare_command
async def backup_(
    bare: Bare,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The backup, a zip archive.")],
    with_key: Annotated[
        bool, typer.Option("--with-key", help="With the key: then who has the file has every secret.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Back up the embedded database, while Muster works on."""
    key = None
    if with_key:
        file = encryption.key_file(bare.settings)
        if file is None:
            raise InvalidInput(
                "The key is not in a file but in MUSTER_SECRET_KEY.", remedy="Keep it apart from the backup."
            )
        file.current()
        key = file.path.read_bytes()
    database = backup.database_file(bare.settings.database_url)
    manifest = await backup.backup(database, to.absolute(), version=__version__, key=key, force=force)
    if not bare.output.json(manifest):
        bare.output.say(f"{to} holds the database ({manifest.size / 1e6:.1f} MB, schema {manifest.schema}).")
        bare.output.say(
            "It holds the key as well: keep it as safe as the key."
            if with_key
            else "The key is not in it. Keep it too: without the key no secret in the backup can be opened."
        )


@app.command("restore", epilog="Example: muster restore --from muster-monday.zip --force")
@bare_command
async def restore_(
    bare: Bare,
    *,
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="A backup by muster backup.")],
    force: ForceOption = False,
) -> None:
    """Put a backup in place of the embedded database. What was there is kept under another name."""
    file = encryption.key_file(bare.settings)
    restored = await backup.restore(
        source.absolute(),
        backup.database_file(bare.settings.database_url),
        jobs=make_data_dir(bare.settings) / "jobs.db",
        key_file=None if file is None else file.path,
        force=force,
    )
    if not bare.output.json(restored):
        bare.output.say(
            f"{restored.database} is as it was on {restored.manifest.created_at:%Y-%m-%d %H:%M} UTC."
        )
        for path in restored.kept:
            bare.output.say(f"Kept what was there: {path}")
        if restored.manifest.schema != migrate.head():
            bare.output.say("It is of an older Muster. Now run: muster migrate")
        bare.output.say("Then look with: muster doctor")


@key_commands.command("rotate", epilog="Example: muster key rotate")
@bare_command
async def rotate(bare: Bare) -> None:
    """Seal all secrets again under a new key. Safe to repeat when it was interrupted."""
    count = await bootstrap.rotate_key(bare.settings)
    if not bare.output.json({"resealed": count}):
        bare.output.say(f"{count} secrets are sealed under the new key.")
        if bare.settings.secret_key is not None:
            bare.output.say("Now leave only the first key in MUSTER_SECRET_KEY.")


def show_check(output: Output, result: CheckResult) -> None:
    """A check's findings, one a line, and what was learned."""
    styles = {"error": "bold red", "warning": "yellow", "info": "cyan"}
    for finding in result.findings:
        line = Text(f"{finding.level}: ", style=styles[finding.level])
        line.append(plain(f"{finding.message} {finding.remedy}"), style="not bold default")
        output.show(line)
    for name, value in result.facts.items():
        output.say(f"{name}: {value}")
    output.say("Everything is in order." if result.ok else "Muster cannot work like this.")


for _name, _command in bootstrap.lone_commands().items():
    app.command(_name, epilog=f"Example: muster {_name}")(_command)
app.command("worker", epilog="Example: muster worker")(bare_command(worker))
app.command("serve", epilog="Example: muster serve --host 0.0.0.0 --port 8080")(bare_command(serve))
app.command("demo", epilog="Example: muster demo --agents 1000 --once")(bare_command(demo))

for _commands in (*bootstrap.command_groups(), key_commands):
    app.add_typer(_commands)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 failed, 2 wrong usage or input."""
    if arguments is None:
        # What Muster writes is for its own user: SQLite gives its files no mode of their own.
        os.umask(0o077)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=given, prog_name="muster", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            # Typer keeps the class to itself; its message is the whole help page.
            typer.echo(error.format_message(), err=True)
            return WRONG_INPUT
        path = context.command_path if context is not None else "muster"
        message = " ".join(error.format_message().split())
        Output(as_json="--json" in given).error("usage", message, f"See: {path} --help")
        return WRONG_INPUT
    except typer.Abort:
        return FAILED
    return code if isinstance(code, int) else 0
