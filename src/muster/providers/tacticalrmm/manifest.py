"""How Tactical RMM presents itself."""

from __future__ import annotations

from muster.providers.contract import AuthMode, Capability, ProviderManifest, SettingsField

API_KEY = "api_key"
PASSWORD = "password"  # noqa: S105 - the name of an auth mode
BULK = "bulk"
ONE_BY_ONE = "one-by-one"

MANIFEST = ProviderManifest(
    key="tacticalrmm",
    display_name="Tactical RMM",
    fields=(
        SettingsField(
            name="instance_url",
            label="Instance URL",
            help="The API host of your Tactical RMM server, not the dashboard's (rmm.) or the mesh's.",
            kind="url",
            required=True,
            placeholder="https://api.example.com",
        ),
        SettingsField(
            name="source",
            label="Source",
            help="Where hardware detail comes from: auto uses the beta API where the server has it on.",
            kind="choice",
            choices=("auto", "beta", "stable"),
            default="auto",
        ),
        SettingsField(
            name="software",
            label="Software",
            help="How installed software is read: bulk in one large answer, one-by-one over a longer time.",
            kind="choice",
            choices=(BULK, ONE_BY_ONE),
            default=BULK,
        ),
        SettingsField(
            name="api_key",
            label="API key",
            help="From Settings, Global Settings, API Keys. The key acts with the role of its user.",
            kind="secret",
            secret=True,
            required=True,
            only_for_auth_mode=API_KEY,
        ),
        SettingsField(
            name="username",
            label="Username",
            help="A user of the server who may log in to the dashboard.",
            required=True,
            only_for_auth_mode=PASSWORD,
        ),
        SettingsField(
            name="password",
            label="Password",
            help="That user's password.",
            kind="secret",
            secret=True,
            required=True,
            only_for_auth_mode=PASSWORD,
        ),
        SettingsField(
            name="totp_secret",
            label="TOTP secret",
            help="The base32 secret behind the one-time codes, so that Muster can log in again unattended.",
            kind="secret",
            secret=True,
            only_for_auth_mode=PASSWORD,
        ),
    ),
    capabilities=frozenset(
        {Capability.SINGLE_DEVICE, Capability.ALERTS, Capability.SOFTWARE, Capability.WEBHOOK}
    ),
    auth_modes=(
        AuthMode(key=API_KEY, label="API key"),
        AuthMode(key=PASSWORD, label="Username and password"),
    ),
)
