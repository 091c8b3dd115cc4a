"""`muster user`."""

from __future__ import annotations

from typing import Annotated

import typer

from muster.accounts.permissions import Role
from muster.accounts.schemas import view
from muster.accounts.service import UserService
from muster.accounts.setup import SetupService
from muster.terminal import LimitOption, Terminal, command, group, secret_from

commands = group("user", "The people of a tenant.")


@commands.command(
    "create", epilog="Example: muster user create ann@example.com --role admin --password-file ann.password"
)
@command
async def create(
    terminal: Terminal,
    email: Annotated[str, typer.Argument(help="The address the user logs in with.")],
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.VIEWER,
    password_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File with the password, '-' for standard input; else MUSTER_USER_PASSWORD or a prompt. "
            "At least 12 characters.",
        ),
    ] = None,
) -> None:
    """Make a user."""
    scope = await terminal.scope()
    password = secret_from(
        password_file,
        "MUSTER_USER_PASSWORD",
        what="the password",
        option="--password-file",
        twice=True,
    )
    async with terminal.database.write() as session:
        user = await UserService(session, scope).create(email, password=password, role=role)
    terminal.output.thing(view(user))


@commands.command("list", epilog="Example: muster user list --tenant 'Acme IT'")
@command
async def list_(terminal: Terminal, limit: LimitOption = 1000) -> None:
    """List the users."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        users = await UserService(session, scope).list(limit=limit)
    terminal.output.items(
        [view(user) for user in users],
        {"email": "E-mail", "role": "Role", "is_active": "Active", "user_id": "Id", "created_at": "Created"},
        empty="There is no user yet. Make one: muster user create EMAIL --role admin",
    )


@command
async def setup_token(terminal: Terminal) -> None:
    """Make the one-time token of the first run anew, for the page that `muster serve` shows first."""
    async with terminal.database.write(system=True) as session:
        token = await SetupService(session).new_token()
    if not terminal.output.json({"setup_token": token}):
        terminal.output.say(f"Setup token: {token}")
        terminal.output.say("It is good for one use within 24 hours; earlier ones are not any more.")
