"""The only way out of a sandbox: a port of its own loopback that leads to the gateway's socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shared.containment import contained, find_bubblewrap
from shared.model import Containment, Sandbox
from shared.sandbox import GATEWAY_PORT
from tests.support.sandboxes import IN_SANDBOX

pytestmark = [pytest.mark.process, IN_SANDBOX]
_PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@dataclass(slots=True)
class Stand:
    """A server on a unix socket: says what it heard, in two parts with a wait between them."""

    path: str
    go_on: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)


@contextmanager
def standing(path: Path) -> Iterator[Stand]:
    stand = Stand(str(path))
    threads = []

    def answer(client: socket.socket) -> None:
        with client:
            heard = client.recv(100)
            if heard == b"cut":
                client.sendall(b"half")
                return
            if heard == b"is it gone?":
                client.sendall(b"yes" if stand.gone.wait(10) else b"no")
                return
            client.sendall(b"first " + heard)
            stand.go_on.wait(10)
            while client.recv(100):
                pass
            stand.gone.set()

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=answer, args=(client,)))
            threads[-1].start()

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(stand.path)
        server.listen()
        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield stand
        finally:
            stand.go_on.set()
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with standing(tmp_path / "gateway.sock") as it:
        yield it


def argv_in(folder: Path, socket_path: str, *command: str) -> list[str]:
    sandbox = Sandbox(str(folder), socket=socket_path, read=(sys.base_prefix,))
    return contained(Containment(find_bubblewrap(), sandbox=sandbox), command)


def run_in(folder: Path, stand: Stand, *command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv_in(folder, stand.path, *command),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=30,
    )


TALK = f"""
import socket, sys
s = socket.create_connection(("127.0.0.1", {GATEWAY_PORT}))
s.sendall(sys.argv[1].encode())
print(s.recv(100).decode(), flush=True)
"""


def test_the_first_thing_a_command_does_is_answered_while_the_rest_is_awaited(
    tmp_path: Path, stand: Stand
) -> None:
    done = run_in(tmp_path, stand, _PYTHON, "-c", TALK, "hello")
    assert done.stdout == b"first hello\n", done
    assert done.returncode == 0


def test_a_cut_connection_is_cut(tmp_path: Path, stand: Stand) -> None:
    done = run_in(tmp_path, stand, _PYTHON, "-c", TALK + "print(s.recv(100))", "cut")
    assert done.stdout == b"half\nb''\n", done


def test_a_client_that_goes_away_is_gone_for_the_gateway(tmp_path: Path, stand: Stand) -> None:
    stand.go_on.set()
    ask = f"""
s.close()
s = socket.create_connection(("127.0.0.1", {GATEWAY_PORT}))
s.sendall(b"is it gone?")
print(s.recv(100))
"""
    done = run_in(tmp_path, stand, _PYTHON, "-c", TALK + ask, "hello")
    assert done.stdout == b"first hello\nb'yes'\n", done


def test_many_connections_at_once(tmp_path: Path, stand: Stand) -> None:
    talk = f"""
import socket
many = [socket.create_connection(("127.0.0.1", {GATEWAY_PORT})) for _ in range(32)]
for number, s in enumerate(many): s.sendall(b"%d" % number)
print([s.recv(100) for s in many] == [b"first %d" % number for number in range(32)])
"""
    assert run_in(tmp_path, stand, _PYTHON, "-c", talk).stdout == b"True\n"


@pytest.mark.parametrize("status", [0, 1, 3, 125])
def test_the_commands_status_is_passed_on(tmp_path: Path, stand: Stand, status: int) -> None:
    assert run_in(tmp_path, stand, "sh", "-c", f"exit {status}").returncode == status


def test_a_command_that_cannot_be_started_is_told(tmp_path: Path, stand: Stand) -> None:
    done = run_in(tmp_path, stand, "no-such-program")
    assert done.returncode == 1
    assert done.stderr == b"cannot start no-such-program: No such file or directory\n"


def test_the_command_has_no_child_that_it_did_not_start(tmp_path: Path, stand: Stand) -> None:
    look = "import os\ntry: os.wait()\nexcept ChildProcessError: print('none')"
    assert run_in(tmp_path, stand, _PYTHON, "-c", look).stdout == b"none\n"


def test_the_network_holds_nothing_else(tmp_path: Path, stand: Stand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run_in(tmp_path, stand, "bash", "-c", f"cat </dev/tcp/127.0.0.1/{port}")
    assert b"Connection refused" in done.stderr


def test_everything_ends_with_the_sandbox(tmp_path: Path, stand: Stand) -> None:
    argv = argv_in(tmp_path, stand.path, "sh", "-c", "echo ready; exec sleep 1000")
    with subprocess.Popen(
        argv, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == b""  # nobody holds its other end any more


def test_without_a_socket_there_is_no_port(tmp_path: Path, stand: Stand) -> None:
    done = run_in(tmp_path, replace(stand, path=""), "bash", "-c", f"cat </dev/tcp/127.0.0.1/{GATEWAY_PORT}")
    assert b"Connection refused" in done.stderr
