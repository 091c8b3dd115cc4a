"""A guarded process reaches, reads and starts nothing that it was not allowed. Each in a process of its own,
since a guard cannot be taken off.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.receiver import receiving

_GUARDED = """
import os, socket, subprocess, sys, threading
from ipaddress import ip_network
from muster.egress.guard import Refused, guard
from muster.egress.policy import EgressPolicy
networks = tuple(ip_network(each) for each in sys.argv[1].split(",") if each)
watch = guard(EgressPolicy(allowed_networks=networks, allow_private=False))
try:
    {work}
except Refused as refused:
    print("refused:", refused)
else:
    print("done")
print(len(watch.refusals))
"""


def guarded(work: str, networks: str = "", *more: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-P", "-c", _GUARDED.replace("{work}", work), networks, *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_an_allowed_network_is_reached() -> None:
    with receiving() as receiver:
        work = f"socket.create_connection(('127.0.0.1', {receiver.port}), 5).close()"
        assert guarded(work, "127.0.0.0/8") == ["done", "0"]


@pytest.mark.parametrize(
    "work",
    [
        "socket.create_connection(('127.0.0.1', {port}), 5)",
        "socket.create_connection(('localhost', {port}), 5)",
        "socket.socket().connect(('127.0.0.1', {port}))",
        "socket.socket().connect(('localhost', {port}))",
        "socket.socket().connect_ex(('127.0.0.1', {port}))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
        "socket.socket(socket.AF_UNIX).connect('/run/some.sock')",
        "socket.socket().bind(('127.0.0.1', 0))",
        "socket.create_connection(('169.254.169.254', 80), 5)",
    ],
)
def test_others_are_not(work: str) -> None:
    with receiving() as receiver:
        said, count = guarded(work.replace("{port}", str(receiver.port)))
        assert said.startswith("refused:")
        assert int(count) >= 1
        assert receiver.received == []


def test_another_thread_is_held_to_it_as_well() -> None:
    work = (
        "found = []; thread = threading.Thread(target=lambda: found.append("
        "socket.socket().connect_ex(('127.0.0.1', 9)))); "
        "threading.excepthook = lambda _: None; thread.start(); thread.join(); assert not found"
    )
    assert guarded(work) == ["done", "1"]


@pytest.mark.parametrize(
    "work",
    [
        "open(sys.argv[2])",
        "os.open(sys.argv[2], os.O_RDONLY)",
        "open(sys.argv[2], 'w')",
        "open('/etc/passwd')",
        "open(os.__file__ + '.new', 'w')",
        "os.remove(sys.argv[2])",
        "subprocess.run(['true'])",
        "os.system('true')",
    ],
)
def test_files_and_programs_are_out_of_reach(tmp_path: Path, work: str) -> None:
    file = tmp_path / "secret"
    file.write_text("x")
    assert guarded(work, "", str(file))[0].startswith("refused:")
    assert file.read_text() == "x"


def test_pythons_own_files_are_read() -> None:
    assert guarded("open(os.__file__).close(); import colorsys") == ["done", "0"]
