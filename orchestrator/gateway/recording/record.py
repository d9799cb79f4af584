"""The record of a run: every exchange that an agent has seen, redacted, in the run's folder.

``exchanges/<task>/<agent>-<attempt>/<number>.json.gz``, and ``exchanges/run.json`` with the names by which another run
finds its way in them. Written by a thread of its own, each file whole; a disk that is full does not stop a run.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.gateway.answers import Question
from orchestrator.gateway.recording.exchange import ENDING, Exchange, pack, unpack
from orchestrator.gateway.recording.normal import Places
from orchestrator.gateway.recording.redaction import Redaction
from shared.clock import Clock
from shared.errors import StateError, UserError
from shared.files import replace_file, replace_json

FOLDER = "exchanges"  # in the run's folder
_ABOUT = "run.json"
_FORMAT = 1
_KEPT_HEADERS = ("content-type", "retry-after", "request-id", "x-spinney-stop")
LARGEST = 64 * 1024 * 1024  # bytes of one exchange; twice what the real server takes
MOST = 4 * 1024**3  # bytes of one session's files
WAITING = 256 * 1024 * 1024  # bytes that may wait for a slow disk


class Record:
    """Implements the gateway's ``Recorder``. ``problem`` says what is missing from it and why; empty if nothing."""

    def __init__(
        self, run_dir: Path, places: Places, redaction: Redaction, clock: Clock, *, most: int = MOST
    ) -> None:
        """Raises StateError where there is one of another format."""
        self.problem = ""
        self._folder = run_dir / FOLDER
        self._redact = redaction
        self._clock = clock
        self._left = most
        self._waiting = 0  # bytes
        self._lock = threading.Lock()  # over the sum above
        self._numbers: dict[Path, int] = {}
        self._queue: queue.SimpleQueue[tuple[Question, int, Mapping[str, str], bytes, bool] | None] = (
            queue.SimpleQueue()
        )
        self._session = _begin(self._folder, places)
        self._thread = threading.Thread(target=self._write_all, name="gateway-record", daemon=True)
        self._thread.start()

    def exchanged(
        self, question: Question, status: int, headers: Mapping[str, str], body: bytes, complete: bool
    ) -> None:
        """Never waits: what is larger than anything sensible, or more than the disk can take, is left out."""
        size = len(question.body) + len(body)
        if size > LARGEST or self._waiting + size > WAITING:
            self._missed("an exchange was too large" if size > LARGEST else "the disk was too slow")
            return
        self._count(size)
        self._queue.put((question, status, headers, body, complete))

    def close(self) -> None:
        """Waits until everything is written."""
        self._queue.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            question, _, _, body, _ = item
            try:
                self._write(*item)
            except OSError as error:
                self._missed(error.strerror or str(error))
            except (ValueError, RecursionError) as error:  # whatever a hostile agent can make of text
                self._missed(f"an exchange made no sense: {error}")
            self._count(-len(question.body) - len(body))

    def _count(self, size: int) -> None:
        with self._lock:
            self._waiting += size

    def _write(
        self, question: Question, status: int, headers: Mapping[str, str], body: bytes, complete: bool
    ) -> None:
        folder = self._folder / _place(question)
        folder.mkdir(parents=True, exist_ok=True)
        number = self._numbers.get(folder) or _last(folder)
        self._numbers[folder] = number = number + 1
        redact = self._redact
        packed = pack(
            Exchange(
                question.caller,
                number,
                self._session,
                self._clock.now(),
                question.method,
                question.path,
                redact(question.body),
                status,
                redact.headers({name: headers[name] for name in _KEPT_HEADERS if name in headers}),
                redact.answer(body),
                complete,
            )
        )
        self._left -= len(packed)
        if self._left < 0:
            self._missed("it became too large")
            return
        replace_file(folder / f"{number:05d}{ENDING}", packed)

    def _missed(self, why: str) -> None:
        self.problem = self.problem or f"the run's record is not complete and cannot be replayed: {why}"


def _begin(folder: Path, places: Places) -> int:
    """Make the folder for a further session; returns its number."""
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / _ABOUT
    session = 1 + (_about(about)["sessions"] if about.exists() else 0)
    facts = {"version": _FORMAT, "run": places.run, "folders": dict(places.folders), "sessions": session}
    replace_json(about, facts)
    return session


def _place(question: Question) -> Path:
    caller = question.caller
    return Path(_name(caller.task), f"{_name(caller.agent)}-{caller.attempt}")


def _name(text: str) -> str:
    """A folder's name: sub-agents have a slash in theirs."""
    name = quote(text, safe="")
    return name.replace(".", "%2E") if name.startswith(".") else name


def _last(folder: Path) -> int:
    names = (path.name.removesuffix(ENDING) for path in folder.glob(f"*{ENDING}"))
    return max((int(name) for name in names if name.isdigit()), default=0)


def places_of(run_dir: Path) -> Places:
    """Where a recorded run was. Raises UserError where nothing was recorded, StateError where it cannot be read."""
    about = run_dir / FOLDER / _ABOUT
    if not about.exists():
        raise UserError(
            f"{run_dir.name} has no record of what models answered",
            "only runs that used models can be replayed",
        )
    facts = _about(about)
    return Places(facts["run"], facts["folders"])


def _about(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_bytes())
        if facts["version"] != _FORMAT:
            raise ValueError(f"its format is {facts['version']}, this program reads {_FORMAT}")
        return {
            "run": str(facts["run"]),
            "folders": dict(facts["folders"]),
            "sessions": int(facts["sessions"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path}: the record cannot be read: {error}") from None


def exchanges_of(run_dir: Path) -> Iterator[tuple[Exchange, bytes]]:
    """All that was recorded, each caller's in order, also as packed. Raises StateError where a file is damaged."""
    for path in sorted((run_dir / FOLDER).glob(f"*/*/*{ENDING}")):
        try:
            packed = path.read_bytes()
            yield unpack(packed), packed
        except (OSError, ValueError) as error:
            raise StateError(
                f"{path}: {error}", "the run cannot be replayed; its commits and branches are not affected"
            ) from None
