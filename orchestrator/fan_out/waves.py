"""Which tasks of a plan are run as jobs of their own, in waves, and how that is told to who starts the jobs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.plan import make_plan
from shared.model import LeftOut, Plan, Task, TaskId
from shared.text import first_sentence

WAVES = 4  # each is a job of a workflow file, which cannot make more of them while it runs
AT_ONCE = 256  # jobs that GitHub makes of one matrix at most
_TITLE = 60  # characters, in the names of jobs


def first_waves(plan: Plan, waves: int = WAVES, at_once: int = AT_ONCE) -> Plan:
    """``plan`` without what comes later, or is more, than can be run; that is among what it says is left out."""
    wave_of = {task_id: number for number, wave in enumerate(plan.waves, 1) for task_id in wave}
    taken: Counter[int] = Counter()
    kept: set[TaskId] = set()
    left_out: dict[TaskId, str] = {}
    for task_id in plan.order:
        number = wave_of[task_id]
        reason = _reason(plan.task(task_id), number, waves, left_out)
        if not reason and taken[number] == at_once:
            reason = f"a wave has at most {at_once} tasks"
        if reason:
            left_out[task_id] = f"{reason}: it is for the next run"
        else:
            taken[number] += 1
            kept.add(task_id)
    shorter = make_plan([task for task in plan.tasks if task.id in kept], plan.settings)
    later = tuple(_left_out(task, left_out[task.id]) for task in plan.tasks if task.id in left_out)
    return replace(shorter, left_out=(*plan.left_out, *later), asked=plan.asked)


def _reason(task: Task, wave: int, waves: int, left_out: Mapping[TaskId, str]) -> str:
    if wave > waves:
        return f"it is in wave {wave}, and {waves} are run"
    missing = [need.task for need in task.needs if need.task in left_out]
    return f"its need {missing[0]} is left out" if missing else ""


def _left_out(task: Task, reason: str) -> LeftOut:
    source = f"#{task.issue.number}" if task.issue else str(task.id)
    return LeftOut(source, task.title, reason, url=task.issue.url if task.issue else "")


def matrix(plan: Plan, digest: str) -> dict[str, Any]:
    """For whoever starts the jobs: an entry a job, and ``digest``, by which each knows the plan that was meant."""
    return {
        "digest": digest,
        "tasks": len(plan.tasks),
        "waves": [[_entry(plan.task(task_id)) for task_id in wave] for wave in plan.waves],
        "left_out": [
            {"source": one.source, "title": first_sentence(one.title, _TITLE), "reason": one.reason,
             "pull": one.pull, "url": one.url}
            for one in plan.left_out
        ],
    }  # fmt: skip


def _entry(task: Task) -> dict[str, Any]:
    needs = [need.task for need in task.needs]
    return {"task": task.id, "title": first_sentence(task.title, _TITLE), "needs": needs}
