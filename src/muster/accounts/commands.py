"""`muster user`."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import UNSET

from muster.accounts.permissions import Role
from muster.accounts.schemas import view
from muster.accounts.service import UserService
from muster.accounts.setup import SetupService
from muster.errors import InvalidInput
from muster.terminal import LimitOption, Terminal, command, group, secret_from

commands = group("user", "The people of a tenant.")

UserArgument = Annotated[str, typer.Argument(metavar="EMAIL|ID", help="Whom.")]
PasswordFileOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File with the password, '-' for standard input; else MUSTER_USER_PASSWORD or a prompt. "
        "At least 12 characters.",
    ),
]


@commands.command(
    "create", epilog="Example: muster user create ann@example.com --role admin --password-file ann.password"
)
@command
async def create(
    terminal: Terminal,
    email: Annotated[str, typer.Argument(help="The address the user logs in with.")],
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.VIEWER,
    name: Annotated[str | None, typer.Option(help="What the user is called.")] = None,
    password_file: PasswordFileOption = None,
) -> None:
    """Make a user."""
    scope = await terminal.scope()
    secret = _password(password_file)
    async with terminal.database.write() as session:
        user = await UserService(session, scope).create(email, password=secret, role=role, name=name)
    terminal.output.thing(view(user))


@commands.command("password", epilog="Example: muster user password ann@example.com")
@command
async def password(
    terminal: Terminal,
    user: UserArgument,
    password_file: PasswordFileOption = None,
) -> None:
    """Give a user a new password. All their sessions end."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        found = await UserService(session, scope).find(user)
    secret = _password(password_file)
    async with terminal.database.write() as session:
        changed = await UserService(session, scope).set_password(found.user_id, secret)
    terminal.output.thing(view(changed))


@commands.command(
    "update", epilog="Example: muster user update ann@example.com --role technician --name 'Ann Example'"
)
@command
async def update(
    terminal: Terminal,
    user: UserArgument,
    role: Annotated[Role | None, typer.Option(help="What the user may do from now on.")] = None,
    name: Annotated[str | None, typer.Option(help="What the user is called; '' takes it away.")] = None,
    *,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Whether the user may log in. Inactive ends all sessions."),
    ] = None,
) -> None:
    """Change a user: role, name, active or not."""
    scope = await terminal.scope()
    if role is None and name is None and active is None:
        raise InvalidInput(
            "Nothing was given to change.", remedy="Give --role, --name, --active or --inactive."
        )
    async with terminal.database.write() as session:
        users = UserService(session, scope)
        found = await users.find(user)
        changed = await users.update(
            found.user_id,
            name=UNSET if name is None else name,
            role=UNSET if role is None else role,
            is_active=UNSET if active is None else active,
        )
    terminal.output.thing(view(changed))


@commands.command("list", epilog="Example: muster user list --tenant 'Acme IT'")
@command
async def list_(terminal: Terminal, limit: LimitOption = 1000) -> None:
    """List the users."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        users = await UserService(session, scope).list(limit=limit)
    terminal.output.items(
        [view(user) for user in users],
        {
            "email": "E-mail",
            "name": "Name",
            "role": "Role",
            "is_active": "Active",
            "last_login_at": "Last login",
            "user_id": "Id",
            "created_at": "Created",
        },
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


def _password(file: str | None) -> str:
    return secret_from(
        file, "MUSTER_USER_PASSWORD", what="the password", option="--password-file", twice=True
    )
