"""What GitHub said before, by address: asked with its ETag, an answer that nothing has changed counts against no limit.

It lasts as long as the process: what a run asks at its beginning is a handful of questions, and following, which asks
again and again, is one process.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

_MOST = 500  # answers
_LARGEST = 256 * 1024  # bytes of one as JSON; what is larger is asked for anew
_ALL = 8 * 1024 * 1024  # bytes of all together


@dataclass(frozen=True, slots=True)
class Kept:
    etag: str
    text: str  # the value as JSON, so that nobody changes what is kept
    next: str | None

    @property
    def value(self) -> Any:
        return json.loads(self.text)


class Cache:
    """Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()  # those that were used last at the end
        self._size = 0

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

    def _keep(self, url: str, kept: Kept) -> None:
        self._kept[url] = kept
        self._size += len(kept.text)
        while len(self._kept) > _MOST or self._size > _ALL:
            self._drop(next(iter(self._kept)))

    def _drop(self, url: str) -> None:
        if (old := self._kept.pop(url, None)) is not None:
            self._size -= len(old.text)
