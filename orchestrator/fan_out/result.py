"""What a task's job hands back beside its bundle: written by us, and read as if a stranger had written it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.model import SlotKind, TaskId, Tier

E = TypeVar("E", bound=BaseModel)
Outcome = Literal["done", "no-change", "failed", "interrupted", "skipped"]

_Name = Annotated[str, StringConstraints(max_length=200, min_length=1)]
_Line = Annotated[str, StringConstraints(max_length=2000)]
_Oid = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{40}\z")]
_Count = Annotated[int, Field(ge=0, le=10**12)]
_Seconds = Annotated[float, Field(ge=0, le=10**8, allow_inf_nan=False)]
_Moment = Annotated[float, Field(ge=0, le=10**11, allow_inf_nan=False)]  # since the epoch
_Dollars = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhaseEntry(_Strict):
    phase: _Name
    oid: _Oid | None  # None: it changed nothing


class AgentEntry(_Strict):
    """One execution of an agent."""

    phase: _Name
    agent: _Name
    attempt: _Count
    kind: SlotKind = "cpu"
    tier: Tier = "balanced"
    started: _Moment
    seconds: _Seconds
    ok: bool
    summary: _Line = ""
    input_tokens: _Count = 0
    output_tokens: _Count = 0
    cost_usd: _Dollars = 0.0
    counts: Annotated[dict[_Name, _Count], Field(max_length=100)] = {}
    warnings: Annotated[tuple[_Line, ...], Field(max_length=50)] = ()


class SkippedEntry(_Strict):
    phase: _Name
    agent: _Name
    reason: _Line


class CallEntry(_Strict):
    """A request to a model, in the words of the journal's ``model.called``."""

    phase: Annotated[str, StringConstraints(max_length=200)]
    agent: _Name
    attempt: _Count
    model: _Name
    input_tokens: _Count
    output_tokens: _Count
    cache_write_tokens: _Count
    cache_write_1h_tokens: _Count
    cache_read_tokens: _Count
    cost_usd: _Dollars | None
    tries: _Count = 1
    held: _Seconds = 0.0
    source: _Name = "model"
    reserved_tokens: _Count = 0
    reserved_usd: _Dollars = 0.0


class Result(_Strict):
    format: Literal[1] = 1
    plan: Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]  # the plan's digest
    task: TaskId
    outcome: Outcome
    reason: _Line = ""
    base: _Oid  # what it started from
    tip: _Oid  # of its branch; ``base`` where there is no bundle
    started: _Moment
    ended: _Moment
    phases: Annotated[tuple[PhaseEntry, ...], Field(max_length=1000)] = ()
    agents: Annotated[tuple[AgentEntry, ...], Field(max_length=5000)] = ()
    skipped: Annotated[tuple[SkippedEntry, ...], Field(max_length=5000)] = ()
    calls: Annotated[tuple[CallEntry, ...], Field(max_length=50_000)] = ()
    notes: Annotated[tuple[_Line, ...], Field(max_length=200)] = ()


def entries(kind: type[E], records: Iterable[dict[str, Any]]) -> tuple[E, ...]:
    """The journal's ``records``, as far as ``kind`` has room for what they say."""
    fields = kind.model_fields
    return tuple(kind(**{key: value for key, value in r.items() if key in fields}) for r in records)


def to_text(result: Result) -> str:
    return json.dumps(result.model_dump(mode="json"), indent=1) + "\n"
