"""A plan as it was left, checked: text becomes data here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic import Field as Bounded

from workflow_manager.commands.batches import MOST_COMMANDS

LONGEST = 10_000  # characters of a command
_SHOWN = 3  # mistakes

_Command = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST, pattern=r"\S")]
_Commands = Annotated[tuple[_Command, ...], Bounded(max_length=MOST_COMMANDS)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=False, extra="ignore", frozen=True)
    commands: _Commands = ()
    checks: _Commands = ()
    fallbacks: Annotated[dict[_Command, _Command], Bounded(max_length=MOST_COMMANDS)] = {}
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a planning agent leaves for others to carry out."""

    commands: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    fallbacks: Mapping[str, str] = field(
        default_factory=dict
    )  # a command that may fail, and what then runs once
    summary: str = ""
    decisions: Mapping[str, str] = field(default_factory=dict)

    def part(self, name: str) -> tuple[str, ...]:
        return self.commands if name == "commands" else self.checks

    @property
    def reported(self) -> dict[str, tuple[str, ...]]:
        """As a backend reports it."""
        pairs = tuple(f"{command} => {instead}" for command, instead in self.fallbacks.items())
        parts = {"commands": self.commands, "checks": self.checks, "fallbacks": pairs}
        return {name: entries for name, entries in parts.items() if entries}


class NoPlan(ValueError):
    """What was left is no plan; the message says why, for the agent that is to do better."""


def plan_of(output: Mapping[str, Any], asked: Iterable[str], decisions: Mapping[str, str]) -> Plan:
    """The plan in an agent's output. Raises NoPlan where it breaks the rules, or lacks a part that is ``asked`` for."""
    try:
        model = _Model.model_validate(dict(output))
    except ValidationError as error:
        raise NoPlan(_told(error)) from error
    plan = Plan(model.commands, model.checks, model.fallbacks, model.summary, decisions)
    lacking = sorted(part for part in asked if not plan.part(part))
    if lacking:
        raise NoPlan(f"it planned no {' and no '.join(lacking)}")
    return plan


def _told(error: ValidationError) -> str:
    mistakes = [f"{_place(mistake['loc'])}: {mistake['msg']}" for mistake in error.errors(include_url=False)]
    more = f"; and {len(mistakes) - _SHOWN} more" if len(mistakes) > _SHOWN else ""
    return f"its plan is not valid: {'; '.join(mistakes[:_SHOWN])}{more}"


def _place(location: tuple[int | str, ...]) -> str:
    """``commands, entry 3``; of a mapping the key, shortened."""
    first, *rest = location
    return ", ".join(
        [str(first), *(f"entry {r + 1}" if isinstance(r, int) else json.dumps(r[:40]) for r in rest)]
    )
