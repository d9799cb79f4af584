"""What GitHub said before, by address: asked with its ETag, an answer that nothing has changed counts against no limit.

Kept in a file of the run's state, so that a resumed run asks conditionally from the beginning. A file that is damaged
or of another version is as good as none.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.files import replace_file

_VERSION = 1
_MOST = 500  # answers
_LARGEST = 256 * 1024  # bytes of one as JSON; what is larger is asked for anew
_ALL = 8 * 1024 * 1024  # bytes of all together
_FILE = 2 * _ALL  # bytes; what is larger is not ours


@dataclass(frozen=True, slots=True)
class Kept:
    etag: str
    text: str  # the value as JSON, so that nobody changes what is kept
    next: str | None

    @property
    def value(self) -> Any:
        return json.loads(self.text)


class Cache:
    """Safe for several threads. Without a ``path`` it lasts as long as the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()  # those that were used last at the end
        self._size = 0
        self._changed = False
        for url, kept in _read(path):
            self._keep(url, kept)

    def get(self, url: str) -> Kept | None:
        with self._lock:
            kept = self._kept.get(url)
            if kept is not None:
                self._kept.move_to_end(url)
            return kept

    def put(self, url: str, etag: str, value: object, further: str | None) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        with self._lock:
            self._drop(url)
            if etag and len(text) <= _LARGEST:
                self._keep(url, Kept(etag, text, further))
            self._changed = True

    def _keep(self, url: str, kept: Kept) -> None:
        self._kept[url] = kept
        self._size += len(kept.text)
        while len(self._kept) > _MOST or self._size > _ALL:
            self._drop(next(iter(self._kept)))

    def _drop(self, url: str) -> None:
        if (old := self._kept.pop(url, None)) is not None:
            self._size -= len(old.text)

    def save(self) -> None:
        """Raises OSError where there is no room; what is there stays."""
        with self._lock:
            if self._path is None or not self._changed:
                return
            answers = [[url, kept.etag, kept.text, kept.next] for url, kept in self._kept.items()]
            self._changed = False
        replace_file(self._path, json.dumps({"version": _VERSION, "answers": answers}, ensure_ascii=False))


def _read(path: Path | None) -> list[tuple[str, Kept]]:
    try:
        if path is None or path.stat().st_size > _FILE:
            return []
        held = json.loads(path.read_bytes())
        if held["version"] != _VERSION:
            return []
        found = [(url, Kept(etag, text, further)) for url, etag, text, further in held["answers"]]
        return [(url, kept) for url, kept in found if _is_whole(url, kept)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _is_whole(url: object, kept: Kept) -> bool:
    """Checked when it is read, so that nothing fails when it is used."""
    strings = all(isinstance(part, str) for part in (url, kept.etag, kept.text, kept.next or ""))
    if strings:
        _ = kept.value  # raises ValueError where it is none
    return strings
