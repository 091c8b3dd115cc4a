"""Furniture of the command line: options, output, errors, exit codes, secrets, progress.

A room's `commands.py` looks like this, and `bootstrap` mounts its `commands`:

    commands = group("client", "Customer companies.")

    @commands.command("create")
    @command
    async def create(terminal: Terminal, name: Annotated[str, typer.Argument(help="...")]) -> None:
        scope = await terminal.scope()
        async with terminal.database.write() as session:
            client = await ClientService(session, scope).create(name)
        terminal.output.thing(view(client))

`command` gives every command `--json` and `--tenant`, opens the application and turns errors into one line
on standard error and an exit code: 0 done, 1 failed, 2 wrong usage or input.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import getpass
import inspect
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, Protocol

import typer

from muster import settings as muster_settings
from muster.db import Database
from muster.egress import Egress
from muster.encryption import SecretBox
from muster.errors import InvalidInput, MusterError
from muster.output import Output
from muster.providers.contract import ProviderError
from muster.settings import COMMAND_SECRETS, Settings
from muster.tenancy import TenantScope

P = ParamSpec("P")

SECRET_LIMIT = 10_000
DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and errors as JSON on standard error.")]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", metavar="NAME|ID", help="Tenant; may be left out while there is only one."),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most rows to show.")]


class Application(Protocol):
    """What a command finds open. `bootstrap.Application` is it."""

    @property
    def settings(self) -> Settings:
        """The settings it was opened with."""

    @property
    def database(self) -> Database:
        """The open database, on the schema of this version."""

    @property
    def secrets(self) -> SecretBox:
        """Seals and opens secrets."""

    @property
    def egress(self) -> Egress:
        """The one door out."""

    async def scope(self, reference: str | None) -> TenantScope:
        """The tenant by name or id; without a reference the only one there is."""


@dataclass(frozen=True, slots=True)
class Root:
    """What the root command hands down to all others; `open` and `prepare` come from bootstrap."""

    open: Callable[[Settings], AbstractAsyncContextManager[Application]]
    prepare: Callable[[Settings], None]
    as_json: bool = False
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Bare:
    """What a command gets that works without an open application."""

    output: Output
    settings: Settings
    open: Callable[[Settings], AbstractAsyncContextManager[Application]]


@dataclass(frozen=True, slots=True)
class Terminal(Bare):
    """What a command gets: where to print, and the open application."""

    application: Application
    tenant: str | None

    @property
    def database(self) -> Database:
        """The open database."""
        return self.application.database

    @property
    def secrets(self) -> SecretBox:
        """Seals and opens secrets."""
        return self.application.secrets

    @property
    def egress(self) -> Egress:
        """The one door out."""
        return self.application.egress

    async def scope(self) -> TenantScope:
        """The tenant this command is for: `--tenant`, else MUSTER_TENANT, else the only one."""
        return await self.application.scope(self.tenant or self.settings.tenant)


def group(name: str, help_text: str) -> typer.Typer:
    """A group of commands that shows its help when nothing follows it."""
    commands = typer.Typer(name=name, help=help_text, **TYPER)

    @commands.callback(invoke_without_command=True, help=help_text)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())
            raise typer.Exit(WRONG_INPUT)

    return commands


TYPER: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def command(function: Callable[Concatenate[Terminal, P], Awaitable[None]]) -> Callable[..., None]:
    """A command on the open application; adds `--tenant` and `--json`."""
    call: _Command = function

    async def work(root: Root, output: Output, settings: Settings, options: dict[str, Any]) -> None:
        tenant = options.pop("tenant") or root.tenant
        async with root.open(settings) as application:
            await call(Terminal(output, settings, root.open, application, tenant), **options)

    return _command(function, work, {"tenant": TenantOption, "as_json": JsonOption})


def bare_command(function: Callable[Concatenate[Bare, P], Awaitable[None]]) -> Callable[..., None]:
    """A command that opens nothing by itself; adds `--json`."""
    call: _Command = function

    async def work(root: Root, output: Output, settings: Settings, options: dict[str, Any]) -> None:
        await call(Bare(output, settings, root.open), **options)

    return _command(function, work, {"as_json": JsonOption})


_Command = Callable[..., Awaitable[None]]
_Work = Callable[[Root, Output, Settings, dict[str, Any]], Awaitable[None]]


def _command(function: Callable[..., Any], work: _Work, added: dict[str, Any]) -> Callable[..., None]:
    def run(context: typer.Context, **options: Any) -> None:
        root: Root = context.obj
        output = Output(as_json=options.pop("as_json") or root.as_json)
        with errors_shown(output):
            settings = muster_settings.load(os.environ)
            root.prepare(settings)
            asyncio.run(_finished(work(root, output, settings, options)))
            sys.stdout.flush()

    functools.update_wrapper(run, function)
    # Typer would look behind the wrapper for types.
    vars(run).pop("__wrapped__")
    # Typer reads the options from here: the command's own, and those that all commands share.
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotation,
            default=False if name == "as_json" else None,
        )
        for name, annotation in added.items()
    ]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters = [first, *keywords, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


async def _finished(work: Awaitable[None]) -> None:
    await work


@contextlib.contextmanager
def errors_shown(output: Output) -> Iterator[None]:
    """The edge of the process: an error becomes one line on standard error and an exit code."""
    try:
        yield
    except (MusterError, ProviderError) as error:
        output.error(error.code, error.message, error.remedy)
        raise typer.Exit(WRONG_INPUT if isinstance(error, InvalidInput) else FAILED) from None
    except BrokenPipeError:
        # The reader is gone (`| head`): say nothing, also when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the edge of the process
        if os.environ.get("MUSTER_LOG_LEVEL", "").strip().lower() == "debug":
            traceback.print_exc()
        first_line = (str(error).strip().splitlines() or ["no message"])[0][:300]
        output.error(
            "unexpected",
            f"Something unexpected went wrong: {type(error).__name__}: {first_line}",
            "Run it again with MUSTER_LOG_LEVEL=debug to see where, and report it.",
        )
        raise typer.Exit(FAILED) from None


# --- secrets ------------------------------------------------------------------------------------------------


def given_secret(file: str | None, variable: str, *, what: str) -> str | None:
    """A secret from a file ("-": standard input), else from the environment; None when neither was given.

    One line break at its end is not part of it. InvalidInput when it is empty, too long or not text.
    """
    if variable not in COMMAND_SECRETS:
        raise ValueError(f"{variable} is missing from COMMAND_SECRETS")
    if file is not None:
        return _checked(_read(file, what), what)
    if text := os.environ.get(variable):
        return _checked(text.encode("utf-8", "surrogateescape"), what)
    return None


def secret_from(file: str | None, variable: str, *, what: str, option: str, twice: bool = False) -> str:
    """A secret from a file, the environment, or a hidden prompt when a person is there to answer it.

    `what` names it in sentences ("the API key"), `option` is the file's option; `twice` asks again.
    """
    secret = given_secret(file, variable, what=what)
    if secret is not None:
        return secret
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{what[0].upper()}{what[1:]} is missing.",
            remedy=f"Give it with {option} FILE ('-' for standard input), in {variable}, or run this on a "
            "terminal to be asked for it.",
            code="secret_missing",
        )
    answer = getpass.getpass(f"Enter {what}: ", stream=sys.stderr)
    if twice and getpass.getpass("Once more: ", stream=sys.stderr) != answer:
        raise InvalidInput("The two entries differ.", remedy="Try again.")
    return _checked(answer.encode("utf-8", "surrogateescape"), what)


def _read(file: str, what: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(SECRET_LIMIT + 1)
    try:
        with Path(file).expanduser().open("rb") as handle:
            return handle.read(SECRET_LIMIT + 1)
    except OSError as problem:
        raise InvalidInput(
            f"The file with {what} cannot be read: {problem.strerror or problem}.", remedy=f"Check {file}."
        ) from None


def _checked(content: bytes, what: str) -> str:
    if len(content) > SECRET_LIMIT:
        raise InvalidInput(f"What was given as {what} is too long (most: {SECRET_LIMIT} bytes).")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"What was given as {what} is not text in UTF-8.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise InvalidInput(f"What was given as {what} is empty.")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise InvalidInput(f"What was given as {what} has line breaks or control characters in it.")
    return text
