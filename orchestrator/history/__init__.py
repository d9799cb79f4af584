"""What earlier runs of this repository took: `<git dir>/spinney/history.jsonl`.

A block of records a run, framed as the journal's: the run itself with the number of its executions, then each
of them, counted from 1. A run that is resumed is recorded again, and its later block counts. A block that is
damaged, or that a crash cut short, is passed over with a note and gone with the next record: figures of the
past must not stop a run.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.estimates import Key, Sample
from orchestrator.history.past_runs import Execution, PastRun, past_run, samples
from orchestrator.view import RunView
from shared import journal
from shared.errors import StateError
from shared.files import replace_file
from shared.lock import RepositoryLock
from shared.model import Plan

FORMAT = 1
FILE = "history.jsonl"
MAX_RUNS = 200
MAX_EXECUTIONS = 5_000  # 1 MB, read in a tenth of a second; the latest run is kept whole, however many it has
_FIRST = re.compile(rb'^\d+ [0-9a-f]{8} \{"n":1,', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class History:
    """Earlier runs, oldest first, each once."""

    runs: tuple[PastRun, ...] = ()
    damaged: int = 0  # places at which something was passed over
    replaced: int = 0  # blocks of runs that were recorded again
    problem: str = ""  # why the file could not be read at all

    @classmethod
    def load(cls, path: Path) -> History:
        """Everything sound in a history file; empty where there is none."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls()
        except OSError as error:
            return cls(problem=f"{path}: {error.strerror}")
        found = [_read(block) for block in _blocks(data)]
        runs: dict[str, PastRun] = {}
        for past, _ in found:
            if past is not None:
                runs.pop(past.run, None)  # its place is that of the later block
                runs[past.run] = past
        readable = sum(past is not None for past, _ in found)
        return cls(tuple(runs.values()), sum(damaged for _, damaged in found), readable - len(runs))

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to tell the user, once a run."""
        if self.problem:
            return (f"the history of earlier runs cannot be read: {self.problem}",)
        if not self.damaged:
            return ()
        many = f"{self.damaged} damaged records, which are"
        what = many if self.damaged > 1 else "one damaged record, which is"
        return (f"the history of earlier runs holds {what} passed over",)

    def samples(self) -> Iterator[Sample]:
        """For estimates."""
        return samples(self.runs)


def record(lock: RepositoryLock, view: RunView, plan: Plan, before: History | None = None) -> None:
    """Add a run that has ended; only the holder of the repository's lock writes here.

    ``before`` is what the holder has read already: a full history takes a twentieth of a second to read.

    The file is written anew, whole, where something in it is damaged, replaced or too much. A disk that cannot
    take it costs these figures: it must not make a failure of a run that is over.
    """
    with contextlib.suppress(OSError):
        _add(lock.state / FILE, past_run(view, plan), before)


def _add(path: Path, entry: PastRun, before: History | None) -> None:
    before = before or History.load(path)
    runs = [*(run for run in before.runs if run.run != entry.run), entry]
    kept = _bounded(runs)
    if before.damaged or before.replaced or len(runs) <= len(before.runs) or len(kept) < len(runs):
        write(path, kept)
    else:
        _append(path, _block(entry))


def write(path: Path, runs: Sequence[PastRun]) -> None:
    """Replace a history by one of exactly these runs."""
    replace_file(path, b"".join(_block(run) for run in runs), durable=True)


def _bounded(runs: Sequence[PastRun]) -> list[PastRun]:
    """The latest runs that are not too many and do not hold too much; the very latest in any case."""
    kept: list[PastRun] = []
    executions = 0
    for run in reversed(runs[-MAX_RUNS:]):
        executions += len(run.executions)
        if kept and executions > MAX_EXECUTIONS:
            break
        kept.append(run)
    return kept[::-1]


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


# --- records


def _block(run: PastRun) -> bytes:
    head = {
        "format": FORMAT,
        "run": run.run,
        "at": run.at,
        "status": run.status,
        "workflows": list(run.workflows),
        "tasks": run.tasks,
        "merged": run.merged,
        "seconds": run.seconds,
        "speedup": run.speedup,
        "efficiency": run.efficiency,
        "waiting": dict(run.waiting),
        "executions": len(run.executions),
    }
    records: list[dict[str, Any]] = [head, *(_fields(execution) for execution in run.executions)]
    return b"".join(journal.encode({"n": number, **fields}) for number, fields in enumerate(records, 1))


def _fields(execution: Execution) -> dict[str, Any]:
    key = execution.key
    return {
        "workflow": key.workflow,
        "agent": key.agent,
        "tier": key.tier,
        "backend": key.backend,
        "digest": key.digest,
        "task": execution.task,
        "attempt": execution.attempt,
        "ok": execution.ok,
        "seconds": execution.seconds,
        "work": execution.work,
        "slot": execution.slot,
        "tokens": execution.tokens,
        "context": execution.context,
    }


def _blocks(data: bytes) -> Iterator[bytes]:
    """One a run; what stands before the first is one of which the beginning is damaged."""
    starts = [found.start() for found in _FIRST.finditer(data)]
    if data and starts[:1] != [0]:
        starts.insert(0, 0)
    for start, end in pairwise([*starts, len(data)]):
        yield data[start:end]


def _read(block: bytes) -> tuple[PastRun | None, bool]:
    """The run of a block, and whether anything in it is damaged, torn, or of another version of Spinney."""
    lines = block.splitlines(keepends=True)
    try:
        head = journal.decode(lines[0], FILE)[0][0]
        if head["format"] != FORMAT:
            return None, True
        count = 1 + int(head["executions"])
        records, _ = journal.decode(b"".join(lines[:count]), FILE)
        if len(records) < count:
            return None, True
        return _past(head, tuple(_execution(fields) for fields in records[1:])), len(lines) > count
    except (StateError, LookupError, TypeError, ValueError, AttributeError):
        return None, True


def _past(head: dict[str, Any], executions: tuple[Execution, ...]) -> PastRun:
    return PastRun(
        run=str(head["run"]),
        at=float(head["at"]),
        status=str(head["status"]),
        workflows=tuple(head["workflows"]),
        tasks=int(head["tasks"]),
        merged=int(head["merged"]),
        seconds=float(head["seconds"]),
        speedup=float(head["speedup"]),
        efficiency=float(head["efficiency"]),
        waiting={str(cause): float(seconds) for cause, seconds in head["waiting"].items()},
        executions=executions,
    )


def _execution(r: dict[str, Any]) -> Execution:
    key = Key(r["workflow"], r["agent"], r["tier"], r["backend"], r["digest"])
    return Execution(
        key=key,
        task=str(r["task"]),
        attempt=int(r["attempt"]),
        ok=bool(r["ok"]),
        seconds=float(r["seconds"]),
        work=float(r["work"]),
        slot=float(r["slot"]),
        tokens=int(r["tokens"]),
        context=int(r["context"]),
    )
