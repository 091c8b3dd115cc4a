"""A person on a terminal is asked for secrets, and does not see them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import Muster


def _type(tmp_path: Path, answers: list[str]) -> tuple[int, str, str]:
    """Run `user create` on a terminal and type an answer at each prompt: exit code, screen, output."""
    terminal, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "muster", "user", "create", "ann@example.com", "--json"],
        env={"PATH": os.environ["PATH"], "MUSTER_DATA_DIR": str(tmp_path / "data")},
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        text=True,
        # Without a controlling terminal it is asked on standard input.
        start_new_session=True,
    ) as process:
        os.close(theirs)
        screen = ""
        for number, answer in enumerate(answers, start=1):
            while screen.count(": ") < number:
                screen += os.read(terminal, 1000).decode()
            os.write(terminal, f"{answer}\n".encode())
        out, _ = process.communicate()
        screen += _rest(terminal)
    os.close(terminal)
    return process.returncode, screen, out


def _rest(terminal: int) -> str:
    text = b""
    try:
        while part := os.read(terminal, 1000):
            text += part
    except OSError:
        # What Linux answers when the other side is closed.
        pass
    return text.decode()


@pytest.fixture
def acme(muster: Muster) -> Muster:
    muster.done("tenant", "create", "Acme")
    return muster


def test_a_password_is_asked_twice_and_not_shown(acme: Muster, tmp_path: Path) -> None:
    code, screen, out = _type(tmp_path, ["correct horse battery", "correct horse battery"])
    assert (code, "ann@example.com" in out) == (0, True)
    assert "Enter the password: " in screen
    assert "horse" not in screen + out


def test_two_different_answers_make_no_user(acme: Muster, tmp_path: Path) -> None:
    code, screen, _ = _type(tmp_path, ["correct horse battery", "correct horse batterx"])
    assert (code, "differ" in screen) == (2, True)
    assert acme.done("user", "list") == {"items": []}
