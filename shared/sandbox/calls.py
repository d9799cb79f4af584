"""The filter of system calls: a program for the kernel that refuses what no agent needs. Pure.

The namespaces take away what a process can reach; this takes away ways around them: sockets that no network
namespace holds (a virtual machine's to its host, above all), the keyring of the user, which is shared with
what is outside, and parts of the kernel that have been broken into often. Refused calls fail, nobody is
killed, so that programs fall back to other ways. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # operations of a filter
_CALL, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where a filter finds them
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16  # families of sockets that stay
_OTHER_INTERFACE = 0x40000000  # calls of x32 on x86-64, under other numbers

# Input and output rings are one way to do all that is refused here; programs do without where they are missing.
_RINGS = (425, 426, 427)
_MOUNTING = (428, 429, 430, 431, 432, 433, 442)


@dataclass(frozen=True, slots=True)
class _Machine:
    """What the kernel calls it, and its numbers of system calls."""

    architecture: int
    socket: int
    refused: tuple[int, ...]


_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        41,
        (
            *(103, 153, 163, 165, 166, 155, 167, 168, 169, 172, 173, 175, 176, 179, 246, 248, 249, 250),
            *(298, 304, 308, 313, 320, 321, 323, *_MOUNTING),
        ),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        198,
        (
            *(39, 40, 41, 58, 60, 89, 104, 105, 106, 116, 142, 217, 218, 219, 224, 225),
            *(241, 265, 268, 273, 280, 282, 294, *_MOUNTING),
        ),
    ),
}


def call_filter(machine: str) -> bytes:
    """The program for ``machine`` (as ``platform.machine`` names it); empty for one that is not known."""
    known = _MACHINES.get(machine)
    return b"".join(_instructions(known)) if known else b""


def _instructions(machine: _Machine) -> Iterable[bytes]:
    yield _do(_LOAD, _ARCHITECTURE)
    yield _do(_EQUAL, machine.architecture, 1, 0)
    yield _do(_RETURN, _FAIL | errno.ENOSYS)
    yield _do(_LOAD, _CALL)
    yield _do(_AT_LEAST, _OTHER_INTERFACE, 0, 1)
    yield _do(_RETURN, _FAIL | errno.ENOSYS)
    for number in _RINGS:
        yield from _refuse(number, errno.ENOSYS)
    for number in machine.refused:
        yield from _refuse(number, errno.EPERM)
    yield _do(_EQUAL, machine.socket, 1, 0)
    yield _do(_RETURN, _ALLOW)
    yield _do(_LOAD, _FIRST_ARGUMENT)
    for family in (_UNIX, _INET, _INET6, _NETLINK):
        yield _do(_EQUAL, family, 0, 1)
        yield _do(_RETURN, _ALLOW)
    yield _do(_RETURN, _FAIL | errno.EAFNOSUPPORT)


def _refuse(number: int, error: int) -> Iterable[bytes]:
    yield _do(_EQUAL, number, 0, 1)
    yield _do(_RETURN, _FAIL | error)


def _do(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction; a comparison skips so many after it."""
    return struct.pack("=HBBI", operation, if_true, if_false, value)
