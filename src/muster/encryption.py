"""Secrets at rest: AES-256-GCM, bound to their tenant and name, under a key that can be rotated."""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from muster.errors import MusterError, NotConfigured
from muster.settings import Settings, make_data_dir

KEY_BYTES = 32
KEY_FILE_LIMIT = 64 * 1024
# Sealed form: version (1 byte), key id (4), nonce (12, NIST SP 800-38D), ciphertext with its tag (16).
_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 4, 12, 16
_HEADER_BYTES = 1 + _ID_BYTES

_HOW_TO_MAKE_A_KEY = "Make one with: openssl rand -base64 32"


class CannotOpen(MusterError):
    """A sealed value cannot be opened: its key is gone, it belongs to something else, or it is damaged."""

    code = "cannot_open_secret"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `key_id` is public: it tells which key a value needs."""

    material: bytes = field(repr=False)

    @property
    def key_id(self) -> bytes:
        """Four bytes derived one way from the material."""
        return hashlib.sha256(b"muster key id\0" + self.material).digest()[:_ID_BYTES]


class KeySource(Protocol):
    """Where keys come from; asked at each use, so that a rotation reaches running processes."""

    def current(self) -> Sequence[Key]:
        """The keys, the one that seals first."""


class SecretBox:
    """Seals with the first key of its source and opens with all of them."""

    def __init__(self, source: KeySource) -> None:
        self.source = source

    def seal(self, tenant_id: UUID, name: str, plaintext: str) -> bytes:
        """The sealed form of a secret. It opens only for the same tenant and name."""
        key = self.source.current()[0]
        header = _VERSION + key.key_id
        nonce = os.urandom(_NONCE_BYTES)
        data = _associated(header, tenant_id, name)
        return header + nonce + AESGCM(key.material).encrypt(nonce, plaintext.encode(), data)

    def open(self, tenant_id: UUID, name: str, sealed: bytes) -> str:
        """The secret in clear; CannotOpen when no key fits or it belongs elsewhere."""
        if len(sealed) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise CannotOpen("A sealed secret is damaged.", remedy="Enter it again.")
        header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        key_id = header[1:]
        key = next((key for key in self.source.current() if key.key_id == key_id), None)
        if key is None:
            raise CannotOpen(
                f"A secret was sealed with a key that is not here (key id {key_id.hex()}).",
                remedy="Put that key back (MUSTER_SECRET_KEY, MUSTER_SECRET_KEY_FILE or secret.key in the "
                "data folder), or enter the secret again.",
            )
        data = _associated(header, tenant_id, name)
        try:
            return AESGCM(key.material).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], data).decode()
        except InvalidTag:
            raise CannotOpen(
                "A sealed secret is damaged or belongs to something else.", remedy="Enter it again."
            ) from None

    def derived(self, purpose: str) -> str:
        """A secret of its own for a purpose, in hex; it changes when the key does (HKDF, RFC 5869)."""
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"muster:{purpose}".encode())
        return kdf.derive(self.source.current()[0].material).hex()

    def is_current(self, sealed: bytes) -> bool:
        """Whether a value is sealed with the key that seals now."""
        return sealed[:_HEADER_BYTES] == _VERSION + self.source.current()[0].key_id

    def knows(self, sealed: bytes) -> bool:
        """Whether the key that a value names is here."""
        return sealed[1:_HEADER_BYTES] in {key.key_id for key in self.source.current()}


def _associated(header: bytes, tenant_id: UUID, name: str) -> bytes:
    # Header and tenant have fixed lengths, so no two triples give the same bytes.
    return header + tenant_id.bytes + name.encode()


# --- where the keys are -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys from the environment; they stay for the life of the process."""

    fixed: tuple[Key, ...]

    def current(self) -> Sequence[Key]:
        """The keys, the one that seals first."""
        return self.fixed


class KeyFile:
    """Keys in a file, one a line in base64 or hex, `#` begins a comment. Read again whenever it changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def current(self) -> Sequence[Key]:
        """The keys, the one that seals first; NotConfigured when the file is gone or cannot be read."""
        try:
            stat = self.path.stat()
            mark = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if mark != self._seen:
                self._keys, self._seen = _parse(_read_text(self.path), str(self.path)), mark
        except OSError as problem:
            raise NotConfigured(
                f"The key file {self.path} cannot be read: {problem.strerror or problem}.",
                remedy="Restore it or make it readable for Muster. Without it no secret can be opened.",
            ) from None
        return self._keys

    def make(self) -> None:
        """Make the file with a new key unless there is one; two processes at once end with the same key."""
        if self.path.exists():
            return
        with self.locked():
            if not self.path.exists():
                self.write([new_key()])

    def write(self, keys: Sequence[Key]) -> None:
        """Replace the file as a whole, mode 0600. Hold `locked`."""
        text = (
            "# Seals Muster's secrets. Whoever has it and the database has them all; lost, they are lost.\n"
        )
        text += "".join(base64.b64encode(key.material).decode() + "\n" for key in keys)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as problem:
            raise _cannot_write(self.path, problem) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against other processes; a killed holder lets go by itself."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise _cannot_write(self.path, problem) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def new_key() -> Key:
    """A random key."""
    return Key(os.urandom(KEY_BYTES))


def key_file(settings: Settings) -> KeyFile | None:
    """The key file in use, made or not; None when the key comes from MUSTER_SECRET_KEY."""
    if settings.secret_key is not None:
        return None
    return KeyFile(settings.secret_key_file or settings.data_dir / "secret.key")


def load_or_create(settings: Settings) -> SecretBox:
    """The box for these settings; the key file in the data folder is made on first start.

    A file named by MUSTER_SECRET_KEY_FILE is never made: a wrong path must not start a second key.
    """
    if settings.secret_key is not None:
        return SecretBox(FixedKeys(_parse(settings.secret_key.replace(",", "\n"), "MUSTER_SECRET_KEY")))
    file = KeyFile(settings.secret_key_file or make_data_dir(settings) / "secret.key")
    if settings.secret_key_file is None:
        file.make()
    file.current()
    return SecretBox(file)


def _parse(text: str, origin: str) -> tuple[Key, ...]:
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(Key(_material(line, origin)) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise NotConfigured(f"{origin} holds no key.", remedy=_HOW_TO_MAKE_A_KEY)
    return keys


def _material(text: str, origin: str) -> bytes:
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", text):
            return bytes.fromhex(text)
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        material = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        material = b""
    if len(material) != KEY_BYTES:
        raise NotConfigured(
            f"{origin} holds something that is not a key: 32 bytes in base64 or hex are needed.",
            remedy=_HOW_TO_MAKE_A_KEY,
        )
    return material


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(KEY_FILE_LIMIT + 1)
    if len(content) > KEY_FILE_LIMIT or not content.isascii():
        raise NotConfigured(f"{path} is not a key file.", remedy=_HOW_TO_MAKE_A_KEY)
    return content.decode("ascii")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, problem: OSError) -> NotConfigured:
    return NotConfigured(
        f"The key file {path} cannot be written: {problem.strerror or problem}.",
        remedy="Make its folder writable for Muster.",
        code="key_file_not_writable",
    )
