"""Secrets at rest."""

import base64
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.encryption import CannotOpen, FixedKeys, Key, KeyFile, SecretBox, load_or_create, new_key
from muster.errors import NotConfigured
from muster.settings import load

TENANT = UUID("0199f0a3-0000-7000-8000-000000000001")


def box(*keys: Key) -> SecretBox:
    return SecretBox(FixedKeys(keys or (new_key(),)))


def data(tmp_path: Path) -> dict[str, str]:
    return {"MUSTER_DATA_DIR": str(tmp_path / "data")}


@given(st.text(), st.text())
def test_what_is_sealed_opens(name: str, secret: str) -> None:
    try:
        name.encode(), secret.encode()
    except UnicodeEncodeError:
        return
    secrets = box(Key(b"k" * 32))
    assert secrets.open(TENANT, name, secrets.seal(TENANT, name, secret)) == secret


def test_the_same_secret_never_looks_the_same() -> None:
    secrets = box()
    assert secrets.seal(TENANT, "n", "s") != secrets.seal(TENANT, "n", "s")
    assert b"visible" not in secrets.seal(TENANT, "n", "visible")


def test_it_opens_only_for_its_tenant_and_name() -> None:
    secrets = box()
    sealed = secrets.seal(TENANT, "a:b", "s")
    for tenant, name in [(uuid4(), "a:b"), (TENANT, "a:c"), (TENANT, "")]:
        with pytest.raises(CannotOpen, match="belongs to something else"):
            secrets.open(tenant, name, sealed)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(position: int, flip: int) -> None:
    secrets = box(Key(b"k" * 32))
    sealed = bytearray(secrets.seal(TENANT, "n", "secret"))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(CannotOpen):
        secrets.open(TENANT, "n", bytes(sealed))


@given(st.binary(max_size=80))
def test_rubbish_does_not_open(rubbish: bytes) -> None:
    with pytest.raises(CannotOpen):
        box(Key(b"k" * 32)).open(TENANT, "n", rubbish)


def test_the_first_key_seals_and_all_open() -> None:
    old, new = new_key(), new_key()
    sealed = box(old).seal(TENANT, "n", "s")
    both = box(new, old)
    assert both.open(TENANT, "n", sealed) == "s"
    assert not both.is_current(sealed)
    assert both.is_current(both.seal(TENANT, "n", "s"))
    with pytest.raises(CannotOpen, match=old.key_id.hex()):
        box(new).open(TENANT, "n", sealed)


def test_a_key_shows_nothing_of_itself() -> None:
    key = new_key()
    assert repr(key) == "Key()"
    assert key.key_id not in key.material


# --- where keys come from ---------------------------------------------------------------------------------


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    first = load_or_create(load(data(tmp_path)))
    path = tmp_path / "data" / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    again = load_or_create(load(data(tmp_path)))
    assert again.open(TENANT, "n", first.seal(TENANT, "n", "s")) == "s"


def test_processes_that_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    program = (
        "import os; from muster.settings import load; from muster.encryption import load_or_create; "
        "print(load_or_create(load(os.environ)).source.current()[0].key_id.hex())"
    )
    environment = {"PATH": os.environ["PATH"], **data(tmp_path)}

    def start(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


@pytest.mark.parametrize("encode", [bytes.hex, lambda key: base64.b64encode(key).decode()])
def test_a_key_is_taken_in_hex_and_base64(encode: object) -> None:
    key = os.urandom(32)
    text = key.hex() if encode is bytes.hex else base64.b64encode(key).decode()
    secrets = load_or_create(load({"MUSTER_SECRET_KEY": text}))
    assert secrets.source.current() == (Key(key),)


def test_several_keys_in_the_environment(tmp_path: Path) -> None:
    old, new = os.urandom(32), os.urandom(32)
    sealed = box(Key(old)).seal(TENANT, "n", "s")
    secrets = load_or_create(load({"MUSTER_SECRET_KEY": f"{new.hex()}, {old.hex()}"}))
    assert secrets.open(TENANT, "n", sealed) == "s"
    assert secrets.source.current()[0] == Key(new)


@pytest.mark.parametrize(
    "bad", ["short", "z" * 64, "ab" * 31, base64.b64encode(b"x" * 31).decode(), ",", "ä"]
)
def test_a_bad_key_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        load_or_create(load({"MUSTER_SECRET_KEY": bad}))
    assert bad == "," or bad not in str(caught.value)
    assert "openssl rand" in str(caught.value)


def test_a_named_key_file_is_never_made(tmp_path: Path) -> None:
    path = tmp_path / "other.key"
    with pytest.raises(NotConfigured, match="cannot be read"):
        load_or_create(load({**data(tmp_path), "MUSTER_SECRET_KEY_FILE": str(path)}))
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\xff" * 50, b"A" * 70_000])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.key"
    path.write_bytes(content)
    with pytest.raises(NotConfigured):
        load_or_create(load({"MUSTER_SECRET_KEY_FILE": str(path)}))


def test_a_running_process_sees_a_new_key(tmp_path: Path) -> None:
    secrets = load_or_create(load(data(tmp_path)))
    sealed = secrets.seal(TENANT, "n", "s")
    file = KeyFile(tmp_path / "data" / "secret.key")
    with file.locked():
        file.write([new_key(), *file.current()])
    assert not secrets.is_current(sealed)
    assert secrets.open(TENANT, "n", sealed) == "s"


def test_a_lost_key_file_is_said(tmp_path: Path) -> None:
    secrets = load_or_create(load(data(tmp_path)))
    (tmp_path / "data" / "secret.key").unlink()
    with pytest.raises(NotConfigured, match="cannot be read"):
        secrets.seal(TENANT, "n", "s")
