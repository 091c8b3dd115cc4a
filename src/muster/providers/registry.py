"""Which kinds of provider there are. One line in `BUILT_IN` adds one."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from muster.errors import NotFound
from muster.providers.contract import Capability, Provider

# key -> "module:attribute" of the Provider; imported when first asked for.
BUILT_IN: dict[str, str] = {
    "tacticalrmm": "muster.providers.tacticalrmm.provider:PROVIDER",
}

_registered: dict[str, Provider] = {}


def register(provider: Provider) -> None:
    """Add a provider under its manifest's key; the same object again changes nothing.

    ValueError when the key belongs to another provider: two of them would mix up their rows.
    """
    key = provider.manifest.key
    if key in BUILT_IN or _registered.get(key, provider) is not provider:
        raise ValueError(f"the provider key {key!r} is taken")
    _registered[key] = provider


def unregister(key: str) -> None:
    """Take a registered provider out again; built-in ones stay."""
    _registered.pop(key, None)


def get(key: str) -> Provider:
    """The provider with this key; NotFound when there is none."""
    if key in _registered:
        return _registered[key]
    if key in BUILT_IN:
        module, _, attribute = BUILT_IN[key].partition(":")
        return cast(Provider, getattr(import_module(module), attribute))
    known = ", ".join(sorted({*BUILT_IN, *_registered}))
    raise NotFound(f"There is no provider {key!r}.", remedy=f"Known providers: {known}.")


def all() -> tuple[Provider, ...]:  # noqa: A001 - read as registry.all()
    """Every provider, by key."""
    return tuple(get(key) for key in sorted({*BUILT_IN, *_registered}))


def display_names() -> dict[str, str]:
    """What each kind of provider is called, by key."""
    return {provider.manifest.key: provider.manifest.display_name for provider in all()}


def capabilities(key: str) -> frozenset[Capability]:
    """What the provider with this key can do; nothing when there is none (any more)."""
    try:
        return get(key).manifest.capabilities
    except NotFound:
        return frozenset()


def device_url(key: str, instance_url: str, external_id: str) -> str | None:
    """Where a person finds a device on a server; None when the address does not tell, or the provider is
    no longer installed.
    """
    try:
        return get(key).device_url(instance_url, external_id)
    except NotFound:
        return None
