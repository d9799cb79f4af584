"""Files replaced whole and made durable, never truncated in place."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, data: bytes | str, *, durable: bool = False) -> None:
    """Write ``data`` beside ``path`` and rename it over: a reader sees the old file or the new one."""
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(raw)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def replace_json(path: Path, value: object, *, durable: bool = False) -> None:
    replace_file(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", durable=durable)
