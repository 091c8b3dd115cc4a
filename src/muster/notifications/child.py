"""The process that Apprise works in: reads one order from standard input, writes a line for each answer.

    python -P -m muster.notifications.child

Apprise makes its own connections, with a hundred different clients inside. Here they can reach no address
that the operator's policy refuses, no file and no other program (egress/guard.py); and a process can be ended
when it takes too long, which a thread cannot. Addresses hold secrets and come by standard input: arguments
and environment can be read by others.
"""

from __future__ import annotations

import logging
import mimetypes
import sys
from ipaddress import ip_network

import apprise
import msgspec
from apprise.plugins.base import NotifyBase

from muster.egress.guard import Watch, guard
from muster.egress.policy import EgressPolicy
from muster.notifications.types import Answer, Look, Order, Outcome, Post

# Seconds.
_CONNECT, _READ, _MESSAGE = 10.0, 20.0, 45.0
_ERROR_LENGTH = 300


def main() -> None:
    """Carry out the order on standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    # What Apprise says comes back in its results; its own log could hold parts of addresses.
    logging.getLogger("apprise").propagate = False
    asset = _asset()
    # What is read at first use is read before the doors close.
    mimetypes.init()
    apprise.Apprise.instantiate("json://localhost", asset=asset)
    networks = tuple(ip_network(each) for each in order.allowed_networks)
    watch = guard(EgressPolicy(allowed_networks=networks, allow_private=False))
    if order.look is not None:
        _write(Answer(look=_look(order.look, asset)))
    for post in order.posts:
        _write(Answer(key=post.key, outcome=_send(post, asset, watch)))


def _asset() -> apprise.AppriseAsset:
    asset = apprise.AppriseAsset(
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        language="en",
        service_timeout=_MESSAGE,
        allow_templates=False,
        image_path_mask=False,
        result_log_disk_size=0,
    )
    asset.app_id = asset.app_desc = "Muster"
    asset.app_url = ""
    asset.async_mode = False
    asset.http_redirects = False
    asset.pgp_autogen = asset.pem_autogen = False
    return asset


def _service(url: str, asset: apprise.AppriseAsset) -> NotifyBase | None:
    """The service of an address, with what the address must not choose itself set right."""
    found = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(found, NotifyBase):
        return None
    found.verify_certificate = True
    found.redirects = False
    found.socket_connect_timeout, found.socket_read_timeout = _CONNECT, _READ
    return found


def _look(url: str, asset: apprise.AppriseAsset) -> Look:
    service = _service(url, asset)
    if service is None:
        return Look(error="Apprise does not know this address, or it lacks something.")
    name = str(service.service_name)
    # Where the host is a server's name; with other services the same place holds a token.
    has_host = "host" in service.template_tokens and not service.template_tokens["host"].get("private")
    port = f":{service.port}" if service.port else ""
    return Look(service=name, shown=f"{name} at {service.host}{port}" if has_host and service.host else name)


def _send(post: Post, asset: apprise.AppriseAsset, watch: Watch) -> Outcome:
    service = _service(post.url, asset)
    if service is None:
        return Outcome(ok=False, error="Apprise does not know the channel's address any more.")
    watch.refusals.clear()
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    result = sender.notify(body=post.body, title=post.title, body_format=apprise.NotifyFormat.TEXT)
    if result:
        return Outcome(ok=True)
    if watch.refusals:
        return Outcome(ok=False, error=watch.refusals[0], refused=True)
    said = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR", "CRITICAL")]
    return Outcome(ok=False, error=said[-1][:_ERROR_LENGTH] if said else "The service did not take it.")


def _write(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
