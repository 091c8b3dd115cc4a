"""`muster channel`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from muster.notifications import channels
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind, Sender, UserSource
from muster.settings import Settings
from muster.terminal import FAILED, Terminal, command, group, secret_from

ReferenceArgument = Annotated[str, typer.Argument(metavar="NAME", help="The channel, by name or id.")]
SenderSource = Callable[[Settings], Sender]


def channel_commands(sender: SenderSource, users: UserSource) -> typer.Typer:
    """The group of commands. `sender` is what sends; `users` tells which rules have a channel as target."""
    commands = group("channel", "Who is told of alerts: mail, chat and the like.")
    commands.command("list", epilog="Example: muster channel list --json")(command(_list))
    _with_add(commands, sender)
    _with_test(commands, sender)

    @commands.command("remove", epilog="Example: muster channel remove 'On call'")
    @command
    async def remove(terminal: Terminal, reference: ReferenceArgument) -> None:
        """Remove a channel that no rule uses, and its address with it."""
        scope = await terminal.scope()
        async with terminal.database.write(scope) as session:
            service = ChannelService(session, scope, terminal.secrets)
            view = await service.get(reference)
            await service.remove(view.channel_id, users)
        terminal.output.thing(view)

    return commands


async def _list(terminal: Terminal) -> None:
    """List the channels."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        found = await ChannelService(session, scope, terminal.secrets).list()
    terminal.output.items(
        found,
        {"name": "Name", "kind": "Kind", "shown": "Address", "last_sent_at": "Last sent", "error": "Error"},
        empty="There is no channel yet.",
    )


def _with_add(commands: typer.Typer, sender: SenderSource) -> None:
    @commands.command("add", epilog="Example: muster channel add 'On call' --address-file address.txt")
    @command
    async def add(
        terminal: Terminal,
        name: Annotated[str, typer.Argument(help="What to call it.")],
        address_file: Annotated[
            str | None,
            typer.Option(metavar="FILE", help="File with its Apprise address ('-': standard input)."),
        ] = None,
    ) -> None:
        """Add a channel by its Apprise address. It holds secrets: it comes from a file, from
        MUSTER_CHANNEL_ADDRESS, or from a prompt.
        """
        scope = await terminal.scope()
        url = secret_from(
            address_file, "MUSTER_CHANNEL_ADDRESS", what="Apprise address", option="--address-file"
        )
        view = await channels.add_channel(
            terminal.database,
            scope,
            terminal.secrets,
            sender(terminal.settings),
            name=name,
            kind=ChannelKind.APPRISE,
            fields={"url": url},
        )
        terminal.output.thing(view)


def _with_test(commands: typer.Typer, sender: SenderSource) -> None:
    @commands.command("test", epilog="Example: muster channel test 'On call'")
    @command
    async def test(terminal: Terminal, reference: ReferenceArgument) -> None:
        """Send a test message now."""
        scope = await terminal.scope()
        async with terminal.database.read(scope) as session:
            view = await ChannelService(session, scope, terminal.secrets).get(reference)
        outcome = await channels.test_channel(
            terminal.database, scope, terminal.secrets, sender(terminal.settings), view.channel_id
        )
        terminal.output.thing({"channel": view.name, "delivered": outcome.ok, "error": outcome.error})
        if not outcome.ok:
            raise typer.Exit(FAILED)
