"""`muster integration`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from muster.errors import InvalidInput
from muster.integrations.connections import Connector
from muster.integrations.fields import Given, fields_for_new, fields_for_update
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import CountSource, IntegrationService
from muster.providers import registry
from muster.providers.contract import CheckResult, ProviderError
from muster.tenancy import TenantScope
from muster.terminal import FAILED, LimitOption, Terminal, command, group

ReferenceArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="Address of the server's API, such as https://api.example.com.")
]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Where data comes from; for Tactical auto, beta or stable.")
]
ApiKeyOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="File with the API key ('-': standard input).")
]
UsernameOption = Annotated[str | None, typer.Option(help="User to log in as, in place of an API key.")]
PasswordOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="File with that user's password ('-': standard input).")
]
TotpOption = Annotated[
    str | None, typer.Option("--totp", metavar="CODE", help="One-time code: log in with it at once.")
]
TotpSecretOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="File with the secret behind the codes, so that later logins need nobody."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Any other field of the provider; repeatable."),
]
SetFileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set-file", metavar="FIELD=FILE", help="The same for a secret, read from a file; repeatable."
    ),
]


def integration_commands(counts: Sequence[CountSource] = ()) -> typer.Typer:
    """The group of commands. `counts` are the rooms that know a number to show about an integration."""
    commands = group("integration", "Connections to the servers of RMM providers.")
    for name, verb, epilog in _VERBS:
        commands.command(name, epilog=epilog)(command(verb))

    @commands.command("show", epilog="Example: muster integration show Main --json")
    @command
    async def show(terminal: Terminal, reference: ReferenceArgument) -> None:
        """Show one integration with masked credentials and what it holds."""
        scope = await terminal.scope()
        async with terminal.database.read() as session:
            service = IntegrationService(session, scope, terminal.secrets)
            view = await service.get(reference)
            numbers = await service.counts(view.integration_id, counts)
        terminal.output.thing({**_fields(view), "counts": numbers})

    return commands


async def add(
    terminal: Terminal,
    *,
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Kind of server: tacticalrmm.")],
    name: Annotated[str, typer.Option("--name", help="What to call it, at most 100 characters.")],
    url: UrlOption = None,
    api_key_file: ApiKeyOption = None,
    username: UsernameOption = None,
    password_file: PasswordOption = None,
    totp: TotpOption = None,
    totp_secret_file: TotpSecretOption = None,
    source: SourceOption = None,
    assignments: SetOption = None,
    file_assignments: SetFileOption = None,
) -> None:
    """Store a new integration. Nothing is sent to the server, unless there is a one-time code to log in with.

    Secrets come from files, from MUSTER_API_KEY, MUSTER_PASSWORD and MUSTER_TOTP_SECRET, or from a prompt.
    """
    given = Given(
        url=url,
        source=source,
        username=username,
        api_key_file=api_key_file,
        password_file=password_file,
        totp_secret_file=totp_secret_file,
        assignments=assignments or (),
        file_assignments=file_assignments or (),
    )
    manifest = registry.get(provider).manifest
    _refuse_idle_code(totp, username)
    scope = await terminal.scope()
    raw = fields_for_new(manifest, given)
    async with terminal.database.write() as session:
        view = await IntegrationService(session, scope, terminal.secrets).add(provider, name, raw)
    await _stored(terminal, scope, view, totp)


async def update(
    terminal: Terminal,
    *,
    reference: ReferenceArgument,
    name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    url: UrlOption = None,
    api_key_file: ApiKeyOption = None,
    username: UsernameOption = None,
    password_file: PasswordOption = None,
    totp: TotpOption = None,
    totp_secret_file: TotpSecretOption = None,
    source: SourceOption = None,
    assignments: SetOption = None,
    file_assignments: SetFileOption = None,
    new_credentials: Annotated[
        bool,
        typer.Option(
            "--new-credentials",
            help="Take the credentials from the environment, or ask for them, where no file is given.",
        ),
    ] = False,
) -> None:
    """Change what is given and keep the rest. A changed address or credential must be checked again.

    Credentials are never sent to a server they were not typed for: with a new host, give them again.
    """
    given = Given(
        url=url,
        source=source,
        username=username,
        api_key_file=api_key_file,
        password_file=password_file,
        totp_secret_file=totp_secret_file,
        assignments=assignments or (),
        file_assignments=file_assignments or (),
    )
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        before = await IntegrationService(session, scope, terminal.secrets).get(reference)
    manifest = registry.get(before.provider).manifest
    raw = fields_for_update(manifest, given, auth_mode=before.auth_mode, ask=new_credentials)
    _refuse_idle_code(totp, username or before.settings.get("username"))
    async with terminal.database.write() as session:
        service = IntegrationService(session, scope, terminal.secrets)
        view = await service.update(before.integration_id, raw, name=name)
    await _stored(terminal, scope, view, totp)


async def list_(terminal: Terminal, limit: LimitOption = 1000) -> None:
    """List the integrations."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        views = await IntegrationService(session, scope, terminal.secrets).list(limit)
    terminal.output.items(
        views,
        {
            "name": "Name",
            "provider_name": "Provider",
            "instance_url": "Address",
            "is_active": "Active",
            "connected_at": "Connected",
            "last_sync_at": "Last sync",
            "sync_status": "Status",
            "integration_id": "Id",
        },
        empty="There is no integration yet. Make one: muster integration add PROVIDER --name NAME",
    )


async def check(terminal: Terminal, reference: ReferenceArgument, totp: TotpOption = None) -> None:
    """Try the connection and say what is in its way, if anything. A passed check makes it active."""
    scope = await terminal.scope()
    view = await _find(terminal, scope, reference)
    result = await _connector(terminal).check(scope, view.integration_id, totp, by_person=True)
    if not terminal.output.json(result):
        _show(terminal, view, result)
    if not result.ok:
        raise typer.Exit(FAILED)


async def disconnect(
    terminal: Terminal,
    reference: ReferenceArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete its credentials and end its session. Mappings, assets and alerts stay."""
    scope = await terminal.scope()
    view = await _find(terminal, scope, reference)
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Delete the credentials of {view.name!r} and stop its syncs?", abort=True, err=True)
    result = await _connector(terminal).disconnect(scope, view.integration_id)
    terminal.output.thing(result.integration)
    if result.logout_problem is not None:
        terminal.output.note(f"Its session on the server may still be open: {result.logout_problem}")


_ADD_EXAMPLES = (
    "Examples: muster integration add tacticalrmm --name Main --url https://api.example.com"
    " --api-key-file key.txt\n\nmuster integration add tacticalrmm --name Main --url api.example.com"
    " --username muster --password-file password.txt --totp 123456"
)
_UPDATE_EXAMPLES = (
    "Examples: muster integration update Main --source stable\n\n"
    "muster integration update Main --url https://api.example.org --api-key-file key.txt"
)
_VERBS = (
    ("add", add, _ADD_EXAMPLES),
    ("list", list_, "Example: muster integration list --json"),
    ("update", update, _UPDATE_EXAMPLES),
    ("check", check, "Example: muster integration check Main"),
    ("disconnect", disconnect, "Example: muster integration disconnect Main --yes"),
)


def _connector(terminal: Terminal) -> Connector:
    return Connector(terminal.database, terminal.secrets, terminal.egress)


async def _find(terminal: Terminal, scope: TenantScope, reference: str) -> IntegrationView:
    async with terminal.database.read() as session:
        return await IntegrationService(session, scope, terminal.secrets).get(reference)


def _refuse_idle_code(totp: str | None, username: str | None) -> None:
    if totp is not None and username is None:
        raise InvalidInput("A one-time code goes with a username and password.", remedy="Leave --totp out.")


async def _stored(terminal: Terminal, scope: TenantScope, view: IntegrationView, totp: str | None) -> None:
    """Print what was stored and, since a code ages, log in with it at once."""
    refused: ProviderError | None = None
    if totp is not None:
        try:
            await _connector(terminal).login(scope, view.integration_id, totp)
        except ProviderError as problem:
            refused = problem
    terminal.output.thing(view)
    if refused is not None:
        terminal.output.error(
            refused.code,
            f"{view.name!r} is stored, but the login failed: {refused.message}",
            refused.remedy or f"Then: muster integration check {view.name!r} --totp CODE",
        )
        raise typer.Exit(FAILED)
    if not view.is_active:
        terminal.output.note(f"Stored. Next: muster integration check {view.name!r}")


def _show(terminal: Terminal, view: IntegrationView, result: CheckResult) -> None:
    verdict = "The connection works." if result.ok else "The connection does not work."
    terminal.output.say(f"{view.name} ({view.provider_name}, {view.instance_url}): {verdict}")
    for finding in result.findings:
        terminal.output.say(f"  {finding.level}: {finding.code}: {finding.message} {finding.remedy}".rstrip())
    for name, fact in result.facts.items():
        terminal.output.say(f"  {name.replace('_', ' ')}: {fact}")


def _fields(view: IntegrationView) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(view, builtin_types=(datetime, UUID))
    return fields
