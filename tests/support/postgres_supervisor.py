"""Runs one PostgreSQL server for as long as a test session lives.

Usage: postgres_supervisor.py PROGRAMS FOLDER

A process of its own, so that the server goes away however the session ends: asked to by SIGTERM, or when
the process named in FOLDER/controller.json is gone (kill -9 included). FOLDER/postgres.json appears when
the server is ready: {"port", "password", "supervisor"}, or {"error"}.
"""

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import psutil

# Durability is of no use to a database that lives for seconds.
SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "jit": "off",
    "timezone": "UTC",
}


class Stop(Exception):
    """The session is over."""


def server_user() -> pwd.struct_passwd | None:
    """The user to run as: PostgreSQL refuses root; None is the present user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("root cannot run PostgreSQL, and there is neither a user postgres nor nobody")


def as_user(user: pwd.struct_passwd | None) -> dict[str, object]:
    """Arguments for subprocess that change to that user."""
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_cluster(programs: Path, home: Path, password: str, user: pwd.struct_passwd | None) -> None:
    home.mkdir(mode=0o700)
    secret = home / "password"
    secret.write_text(password)
    if user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
        os.chown(secret, user.pw_uid, user.pw_gid)
    # Plain passwords on the loopback: SCRAM would cost every test connection several milliseconds.
    command = [programs / "initdb", "--pgdata", home / "data", "--username", "muster", "--no-sync"]
    command += ["--pwfile", secret, "--auth", "password", "--encoding", "UTF8", "--no-locale"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=home, **as_user(user))  # type: ignore[call-overload]


def launch(
    programs: Path, home: Path, port: int, user: pwd.struct_passwd | None
) -> "subprocess.Popen[bytes]":
    command = [str(programs / "postgres"), "-D", str(home / "data"), "-k", str(home), "-p", str(port)]
    for name, value in SERVER_OPTIONS.items():
        command += ["-c", f"{name}={value}"]
    server: subprocess.Popen[bytes] = subprocess.Popen(command, cwd=home, **as_user(user))  # type: ignore[call-overload]
    return server


def is_ready(server: "subprocess.Popen[bytes]", home: Path) -> bool:
    """Wait until the server accepts connections; False when it ended instead (its port was taken)."""
    pid_file = home / "data" / "postmaster.pid"
    while server.poll() is None:
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        # The eighth line is the postmaster's own word on its state.
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return True
        time.sleep(0.03)
    return False


def start(
    programs: Path, home: Path, user: pwd.struct_passwd | None
) -> "tuple[subprocess.Popen[bytes], int]":
    for _ in range(5):
        port = free_port()
        server = launch(programs, home, port, user)
        if is_ready(server, home):
            return server, port
    raise RuntimeError("the server ended at once, five times; its words are above")


def write_state(folder: Path, state: dict[str, object]) -> None:
    """Whole or not at all: others wait for the file to appear."""
    draft = folder / "postgres.json.draft"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state))
    draft.rename(folder / "postgres.json")


def wait_for_end(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    controller = json.loads((folder / "controller.json").read_text())
    while server.poll() is None:
        try:
            if psutil.Process(controller["pid"]).create_time() != controller["started"]:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.2)


def end(server: "subprocess.Popen[bytes]") -> None:
    # SIGQUIT is an immediate shutdown: nothing here is worth a checkpoint.
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main(programs: Path, folder: Path) -> None:
    home = folder / "postgres"
    user = server_user()
    password = secrets.token_urlsafe(16)
    server = None
    try:
        make_cluster(programs, home, password, user)
        server, port = start(programs, home, user)
        write_state(folder, {"port": port, "password": password, "supervisor": os.getpid()})
        wait_for_end(folder, server)
    except Stop:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server is not None:
            end(server)
        shutil.rmtree(home, ignore_errors=True)
        # After a kill of the session nobody else is left to do this.
        if not psutil.pid_exists(json.loads((folder / "controller.json").read_text())["pid"]):
            shutil.rmtree(folder, ignore_errors=True)


def on_signal(_number: int, _frame: FrameType | None) -> None:
    raise Stop


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, on_signal)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
