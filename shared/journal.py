"""The run's append-only record of events.

One record a line: length of the JSON text in bytes, its CRC-32 in hexadecimal, the JSON text. A torn last
record, which a crash leaves, is cut; anything else that is wrong is an error that names file and offset.
Appending with a sync now and then costs a fifth of a sync each time, and rewriting a snapshot 21 times.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.errors import StateError

FORMAT = 1
Record = dict[str, Any]  # the edge: events are built and read by orchestrator.events


def encode(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return b"%d %08x %s\n" % (len(text), zlib.crc32(text), text)


def decode(data: bytes, name: str) -> tuple[list[Record], int]:
    """The records in ``data`` and the length of its sound part, which is shorter where the tail is torn."""
    records: list[Record] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        last = end < 0 or end + 1 == len(data)
        record = _decode_line(data[at : end if end >= 0 else len(data)], len(records) + 1)
        if record is None:
            if last and (end < 0 or _torn(data[at:end])):
                return records, at
            raise StateError(
                f"{name}: damaged record at offset {at}",
                "the refs and commit trailers still hold the work; remove this run's folder to go on from them",
            )
        if end < 0:  # whole but for its newline: the crash came right before it
            return records, at
        records.append(record)
        at = end + 1
    return records, at


def _torn(line: bytes) -> bool:
    """Whether a line looks like a record of which only the beginning was written."""
    length, _, rest = line.partition(b" ")
    return not _is_length(length) or len(rest) < 9 + int(length)


def _is_length(digits: bytes) -> bool:
    return digits.isdigit() and len(digits) < 12  # Python refuses to read thousands of digits


def _decode_line(line: bytes, sequence: int) -> Record | None:
    length, _, rest = line.partition(b" ")
    checksum, _, text = rest.partition(b" ")
    if not _is_length(length) or int(length) != len(text) or len(checksum) != 8:
        return None
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        record = json.loads(text.decode())  # of bytes it would first guess the encoding
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("n") == sequence else None


class Journal:
    """The writer. There is one, the orchestrator's engine, and it holds the repository's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        new = not path.exists()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._count = 0
        self._dirty = False
        if not new:
            records, sound = decode(path.read_bytes(), str(path))
            self._count = len(records)
            os.ftruncate(self._fd, sound)

    def append(self, event: str, at: float, fields: Mapping[str, Any]) -> Record:
        """Write one event at time ``at`` (seconds since the epoch); durable after the next ``sync``."""
        self._count += 1
        record: Record = {"n": self._count, "event": event, "time": round(at, 3), **fields}
        data = encode(record)
        while data:  # a full disk can take a part of it
            data = data[os.write(self._fd, data) :]
        self._dirty = True
        return record

    def sync(self) -> None:
        if self._dirty:
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._fd)
            self._dirty = False

    def close(self) -> None:
        self.sync()
        os.close(self._fd)


def read(path: Path) -> list[Record]:
    """All records of a journal. Raises StateError for a damaged or newer one."""
    try:
        records, _ = decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        return []
    if records and records[0].get("format") != FORMAT:
        raise StateError(
            f"{path} was written by another version of Spinney (format {records[0].get('format')})",
            "use that version, or `spinney clean` after it has finished",
        )
    return records


def begun(path: Path) -> bool:
    """Whether the first record is whole: a run killed before that has done nothing."""
    return first(path) is not None


def first(path: Path) -> Record | None:
    try:
        with path.open("rb") as file:
            line = file.readline(16 * 1024 * 1024)
    except OSError:
        return None
    return _decode_line(line[:-1], 1) if line.endswith(b"\n") else None


def follow(path: Path, offset: int) -> tuple[list[Record], int]:
    """Whole records from ``offset`` on, and the offset after them, for a reader that watches a live run."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return list(_texts(whole)), offset + len(whole)


def _texts(data: bytes) -> Iterator[Record]:
    for line in data.splitlines():
        yield json.loads(line.split(b" ", 2)[2])
