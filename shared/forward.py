"""The way out of a sandbox: a port of its loopback that leads to a unix socket. Runs inside, before the command.

``python -I -S forward.py SOCKET PORT -- COMMAND…`` listens first, then becomes the command, so that the
command's process, status and signals are what they are without it. Only the standard library is there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

_CHUNK = 65536  # bytes


def main(arguments: list[str]) -> None:
    """Does not return: this process becomes the command, and its orphaned child relays."""
    path, port, _, *command = arguments
    listening = socket.create_server(("127.0.0.1", int(port)), backlog=128)
    if not os.fork():  # noqa: TID251 - an orphan is adopted by the sandbox's first process, not by the command
        if not os.fork():  # noqa: TID251
            _quietly()
            relay(listening, path)
        os._exit(0)
    os.wait()
    listening.close()
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


def _quietly() -> None:
    """Let go of the command's output, whose end would not be seen otherwise."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.setsid()


def relay(listening: socket.socket, path: str) -> None:
    """Lead every connection to the socket at ``path``, until the sandbox ends or ``listening`` is closed."""
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_connect, args=(client, path), daemon=True).start()


def _connect(client: socket.socket, path: str) -> None:
    """Both directions of one connection; it is closed when either side has gone."""
    with client, socket.socket(socket.AF_UNIX) as gateway:
        try:
            gateway.connect(path)
        except OSError:
            return
        there = threading.Thread(target=_pass_on, args=(client, gateway), daemon=True)
        there.start()
        _pass_on(gateway, client)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        there.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1:])
