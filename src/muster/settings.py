"""Muster's settings, read once from `MUSTER_*` in the environment. One table is code, check and page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from muster.errors import NotConfigured

PREFIX = "MUSTER_"
TEST_PREFIX = "MUSTER_TEST_"

Network = IPv4Network | IPv6Network


def _text(value: str) -> str:
    return value


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value) or not low <= float(value) <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(value)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value.lower()

    return parse


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("an address such as https://muster.example.com")
    return value.rstrip("/")


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("networks such as 10.20.0.0/16, separated by commas") from None


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its variable (without prefix), how its text is read, what its page says."""

    short_name: str
    parse: Callable[[str], Any]
    help: str
    default_text: str | None = None

    @property
    def name(self) -> str:
        """The environment variable."""
        return PREFIX + self.short_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, validated. Its repr shows no secret (the database URL can hold one)."""

    data_dir: Annotated[
        Path,
        Variable(
            "DATA_DIR",
            _path,
            "Folder of what Muster keeps on disk: the SQLite database and the key that seals secrets. "
            "Made with mode 0700.",
            "`$XDG_DATA_HOME/muster`, else `~/.local/share/muster`",
        ),
    ]
    database_url: Annotated[
        str,
        Variable(
            "DATABASE_URL",
            _text,
            "The database: `sqlite:///path/to/muster.db` or `postgresql://user:password@host/name` "
            "(PostgreSQL 15 or newer).",
            "`muster.db` in the data folder",
        ),
    ] = field(repr=False)
    database_pool_size: Annotated[
        int,
        Variable(
            "DATABASE_POOL_SIZE",
            _whole(1, 200),
            "Most connections one process holds to PostgreSQL. SQLite has one writer whatever it says.",
        ),
    ] = 10
    database_statement_timeout: Annotated[
        float,
        Variable(
            "DATABASE_STATEMENT_TIMEOUT",
            _number(0, 86_400),
            "Seconds after which PostgreSQL ends a statement, a wait for a lock or a pause in a transaction; "
            "0: never. Upgrades of the schema are not bound by it.",
        ),
    ] = 60.0
    secret_key: Annotated[
        str | None,
        Variable(
            "SECRET_KEY",
            _text,
            "The key that seals secrets: 32 bytes in base64 or hex. Several, separated by commas, during a "
            "rotation: the first seals, all open.",
            "not set: the key file is used",
        ),
    ] = field(default=None, repr=False)
    secret_key_file: Annotated[
        Path | None,
        Variable(
            "SECRET_KEY_FILE",
            _path,
            "File of the key, one a line, the first seals. Not together with `MUSTER_SECRET_KEY`.",
            "`secret.key` in the data folder, made on first start",
        ),
    ] = None
    tenant: Annotated[
        str | None,
        Variable(
            "TENANT",
            _text,
            "Tenant of a command, by name or id. May be left out while there is only one.",
        ),
    ] = None
    egress_allow: Annotated[
        tuple[Network, ...],
        Variable(
            "EGRESS_ALLOW",
            _networks,
            "Networks that an RMM server may be in, separated by commas, such as `10.20.0.0/16,fd00::/8`. "
            "When set, other private and loopback addresses are refused; public ones stay allowed. Cloud "
            "metadata addresses are always refused.",
            "not set: any but cloud metadata and reserved addresses",
        ),
    ] = ()
    egress_ca_file: Annotated[
        Path | None,
        Variable(
            "EGRESS_CA_FILE",
            _path,
            "PEM file of more certificate authorities to trust, for servers with a private one.",
        ),
    ] = None
    outbound_allow: Annotated[
        tuple[Network, ...],
        Variable(
            "OUTBOUND_ALLOW",
            _networks,
            "Networks of your own that webhooks and notifications may go to, separated by commas, such as "
            "`10.20.0.0/16`. Other private and loopback addresses are refused, public ones allowed. Webhooks "
            "by http, without TLS, go to these networks only.",
            "not set: public addresses only",
        ),
    ] = ()
    connect_timeout: Annotated[
        float,
        Variable("CONNECT_TIMEOUT", _number(0.1, 300), "Seconds to wait for a connection to a server."),
    ] = 10.0
    read_timeout: Annotated[
        float,
        Variable(
            "READ_TIMEOUT",
            _number(0.1, 3600),
            "Seconds a server may be silent in the middle of an answer.",
        ),
    ] = 30.0
    sync_timeout: Annotated[
        int,
        Variable(
            "SYNC_TIMEOUT",
            _whole(1, 86_400),
            "Seconds a whole sync may take; then its run stops and says how far it came.",
        ),
    ] = 3600
    server_concurrency: Annotated[
        int,
        Variable("SERVER_CONCURRENCY", _whole(1, 16), "Most requests under way to one server."),
    ] = 2
    worker_jobs: Annotated[
        int,
        Variable("WORKER_JOBS", _whole(1, 100), "Most background jobs at a time in one worker process."),
    ] = 4
    server_jobs: Annotated[
        int,
        Variable(
            "SERVER_JOBS",
            _whole(1, 16),
            "Most background jobs at a time that talk to one server, over all workers.",
        ),
    ] = 1
    missing_share: Annotated[
        float,
        Variable(
            "MISSING_SHARE",
            _number(0, 1),
            "Share of the known devices (0 to 1) that may be missing from a complete answer. Above it the "
            "run stops for a person, since a mistake on the server is likelier than a vanished fleet.",
        ),
    ] = 0.2
    detail_reads: Annotated[
        int,
        Variable(
            "DETAIL_READS",
            _whole(0, 10_000),
            "Most single-agent reads of hardware in one run, on a server without the beta API.",
        ),
    ] = 100
    event_retention_days: Annotated[
        int,
        Variable(
            "EVENT_RETENTION_DAYS",
            _whole(1, 3650),
            "Days that events are kept. Those that a subscriber has not seen yet are kept longer.",
        ),
    ] = 30
    receipt_retention_days: Annotated[
        int,
        Variable(
            "RECEIPT_RETENTION_DAYS",
            _whole(1, 3650),
            "Days that receipts of webhooks are kept once they are processed. Those that failed or were not "
            "understood are kept for 90 at least, waiting ones until they are processed.",
        ),
    ] = 30
    public_url: Annotated[
        str | None,
        Variable(
            "PUBLIC_URL",
            _address,
            "Address under which people and RMM servers reach Muster, such as `https://muster.example.com`. "
            "Webhooks are set up with it.",
            "not set: pages use the address they were asked by",
        ),
    ] = None
    delivery_retention_days: Annotated[
        int,
        Variable(
            "DELIVERY_RETENTION_DAYS",
            _whole(1, 3650),
            "Days that the log of outgoing webhooks is kept.",
        ),
    ] = 30
    run_retention_days: Annotated[
        int,
        Variable(
            "RUN_RETENTION_DAYS",
            _whole(1, 3650),
            "Days that runs of syncs and their entries are kept. The latest of each kind is kept longer.",
        ),
    ] = 90
    alert_retention_days: Annotated[
        int,
        Variable(
            "ALERT_RETENTION_DAYS",
            _whole(1, 3650),
            "Days that alerts are kept after their end. Those that are open are kept longer.",
        ),
    ] = 365
    software_retention_days: Annotated[
        int,
        Variable(
            "SOFTWARE_RETENTION_DAYS",
            _whole(1, 3650),
            "Days that changes of software are kept, and what was installed once and is gone.",
        ),
    ] = 365
    log_level: Annotated[
        str,
        Variable(
            "LOG_LEVEL",
            _one_of("debug", "info", "warning", "error"),
            "Least weight of what is logged: `debug`, `info`, `warning` or `error`. `debug` adds tracebacks.",
        ),
    ] = "warning"
    log_format: Annotated[
        str,
        Variable(
            "LOG_FORMAT",
            _one_of("console", "json"),
            "`console` for people, `json` for machines (one object a line). Logs go to standard error.",
        ),
    ] = "console"


def _variables() -> dict[str, Variable]:
    hints = get_type_hints(Settings, include_extras=True)
    return {item.name: hints[item.name].__metadata__[0] for item in fields(Settings)}


VARIABLES: dict[str, Variable] = _variables()

# Secrets that a command takes from the environment in place of a prompt; read by the command alone.
COMMAND_SECRETS: dict[str, str] = {
    "MUSTER_USER_PASSWORD": "Password for `muster user create` and `muster user password`.",
    "MUSTER_CHANNEL_ADDRESS": "Apprise address for `muster channel add`.",
    "MUSTER_API_KEY": "API key for `muster integration add` and `update`.",
    "MUSTER_PASSWORD": "Password of the RMM user for `muster integration add` and `update`.",
    "MUSTER_TOTP_SECRET": "TOTP secret of the RMM user for `muster integration add` and `update`.",
}


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings. An empty variable counts as not set; NotConfigured names a wrong or unknown one."""
    _refuse_unknown(environ)
    values: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        text = environ.get(variable.name, "").strip()
        if not text:
            continue
        try:
            values[name] = variable.parse(text)
        except ValueError as problem:
            raise NotConfigured(
                f"{variable.name} cannot be used.", remedy=f"It must be {problem}.", code="bad_setting"
            ) from None
    if "secret_key" in values and "secret_key_file" in values:
        raise NotConfigured(
            "MUSTER_SECRET_KEY and MUSTER_SECRET_KEY_FILE are both set.",
            remedy="Keep one.",
            code="bad_setting",
        )
    values.setdefault("data_dir", _default_data_dir(environ))
    if "database_url" not in values and "?" in str(values["data_dir"]):
        # In a database URL it would begin the options.
        raise NotConfigured(
            "MUSTER_DATA_DIR: the path of the data folder has a '?' in it.",
            remedy="Choose another one.",
            code="bad_setting",
        )
    values.setdefault("database_url", f"sqlite:///{values['data_dir'] / 'muster.db'}")
    return Settings(**values)


def make_data_dir(settings: Settings) -> Path:
    """The data folder, made with mode 0700 where it is not there; NotConfigured when that fails."""
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise NotConfigured(
            f"The data folder {folder} cannot be made: {problem.strerror or problem}.",
            remedy="Choose another one with MUSTER_DATA_DIR.",
        ) from None
    return folder


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    # XDG base directory specification: a relative path there is to be ignored.
    base = Path(environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "muster"


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [variable.name for variable in VARIABLES.values()] + list(COMMAND_SECRETS)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX) or name in known:
            continue
        nearest = get_close_matches(name, known, n=1)
        hint = (
            f"Did you mean {nearest[0]}?" if nearest else "The settings are in docs/operations/settings.md."
        )
        raise NotConfigured(f"{name} is not a setting of Muster.", remedy=hint, code="unknown_setting")
