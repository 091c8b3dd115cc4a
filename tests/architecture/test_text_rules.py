"""No file hides characters, holds secrets, or speaks of a registry or of one machine."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import text_rules
from tests.architecture.tree import SourceFile, project_files, sample

Rule = Callable[[SourceFile], Iterator[str]]


@pytest.mark.parametrize("rule", text_rules.RULES, ids=lambda rule: rule.__name__)
def test_every_file_obeys(rule: Rule) -> None:
    assert [line for file in project_files() for line in rule(file)] == []


def home(*parts: str) -> str:
    return "/".join(["", *parts])


BAD = [
    (text_rules.bidi_controls, "a.py", f"access = 'user{chr(0x202E)}'\n"),
    (text_rules.bidi_controls, "a.md", f"x {chr(0x2066)} y\n"),
    *[(text_rules.registry_addresses, "Makefile", f"\tpip {word}\n") for word in text_rules.REGISTRY_WORDS],
    (text_rules.registry_addresses, "web/package-lock.json", '"resolved": "https://example.com/a.tgz"\n'),
    (text_rules.machine_paths, "a.py", f'DATA = "{home("work", "main")}"\n'),
    (text_rules.machine_paths, "a.md", f"see {home('root', 'notes.txt')}\n"),
    (text_rules.machine_paths, "a.md", f"see {home('home', 'anna', 'notes.txt')}\n"),
    (text_rules.machine_paths, "a.md", f"cd file://{home('Users', 'anna', 'notes.txt')}\n"),
    (text_rules.secrets, ".env", "A=1\n"),
    (text_rules.secrets, "deploy/.env.production", "A=1\n"),
    (text_rules.secrets, "tests/server.key", "x\n"),
    (text_rules.secrets, "a.txt", "-----BEGIN " + "RSA PRIVATE KEY-----\n"),
    (text_rules.secrets, "a.txt", "AKIA" + "A" * 16 + "\n"),
    (text_rules.forbidden_files, "uv.lock", "version = 1\n"),
    (text_rules.line_ends, "a.txt", "one\r\ntwo\r\n"),
    (text_rules.line_ends, "a.txt", "one"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_bad_file_is_found(rule: Rule, path: str, text: str) -> None:
    assert list(rule(sample(path, text)))


GOOD = [
    (text_rules.bidi_controls, "a.md", "Grüße, 東京, مرحبا, 🎉\n"),
    (text_rules.registry_addresses, "alerts.py", '"resolved": True\n'),
    (text_rules.machine_paths, "a.md", "https://example.com/work/orders and ~/work/x and $HOME/work/x\n"),
    (text_rules.machine_paths, "a.py", 'mount = "/home"\n'),
    (text_rules.secrets, ".env.example", "MUSTER_SECRET_KEY=\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_good_file_passes(rule: Rule, path: str, text: str) -> None:
    assert list(rule(sample(path, text))) == []
