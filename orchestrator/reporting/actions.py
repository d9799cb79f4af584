"""A run as GitHub Actions shows it: a job's summary, annotations, and a step's outputs. Pure.

What agents and strangers wrote gets here as text: it can be no markup in the summary, no command in the log
(https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands) and no second output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from orchestrator import left_out
from orchestrator.publishing.markdown import code, inline
from orchestrator.reporting import bills
from orchestrator.reporting.report import cost, counts, read, to_json, took, word, written
from orchestrator.reporting.times import spelled
from orchestrator.view import AgentView, RunView, TaskView
from shared.model import TaskStatus
from shared.text import first_sentence, printable

_MARKS = {
    TaskStatus.MERGED: "✅",
    TaskStatus.NO_CHANGE: "⚪",
    TaskStatus.UNMERGED: "❌",
    TaskStatus.FAILED: "❌",
    TaskStatus.CONFLICT: "⚠️",
    TaskStatus.SKIPPED: "⏭️",
}
_BAD = (TaskStatus.FAILED, TaskStatus.UNMERGED, TaskStatus.CONFLICT)
_BARS = 150  # of the timeline; mermaid draws no more than that legibly
_ANNOTATIONS = 10  # of each level that GitHub shows of a step
_LONGEST = 400  # characters of a reason
_NAME = re.compile(r"[^A-Za-z0-9_./ -]")


# --- the summary


def summary(view: RunView | None, now: float) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``. None: there was no run."""
    if view is None:
        return "### Spinney: no run was started\n\nThere was nothing to do, or the log says what was wrong.\n"
    paid = f" · {bills.bill(view.spending.total)}" if view.spending.by_model else ""
    lines = [
        f"### Spinney: {counts(view) or 'nothing to do'}",
        "",
        f"Run {code(view.id)} {view.status} in {took(view, now, spelled)}{paid}.",
        "",
        *(_table(view) if view.tasks else ()),
        *_timeline(view, now),
        *(f"- {inline(line, _LONGEST)}" for line in left_out.lines(view.left_out)),
        *(["- The next start goes on with what is not done."] if view.status == "interrupted" else []),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(view: RunView) -> Iterator[str]:
    paid = bool(view.spending.by_model)
    yield f"| | task | pull request | commits | time |{' cost |' if paid else ''} |"
    yield f"|---|---|---|---:|---:|{'---:|' if paid else ''}---|"
    for task in view.tasks.values():
        cells = (
            _MARKS.get(task.status, "⏳"),
            f"{code(task.id)} {inline(task.title, 80)}",
            _pull(task),
            str(len(task.commits)),
            spelled(task.seconds),
            *([bills.cost(task.bill)] if paid else []),
            inline(word(view, task.status) + (f": {task.reason}" if task.reason else ""), _LONGEST),
        )
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _pull(task: TaskView) -> str:
    if task.pull is None:
        return ""
    number, url = task.pull
    return f"[#{number}](<{url}>)" if re.fullmatch(r"https?://[A-Za-z0-9./:_-]{1,300}", url) else f"#{number}"


def _timeline(view: RunView, now: float) -> Iterator[str]:
    """A chart by task and agent, in seconds since the beginning, for whom it was drawn together with others."""
    agents = [agent for agent in view.agents if not agent.parent][:_BARS]
    if not agents:
        return
    zero = min([view.started, *(agent.started for agent in agents)])  # jobs elsewhere came before
    yield "<details><summary>Timeline</summary>"
    yield ""
    yield "```mermaid"
    yield "gantt"
    yield "  dateFormat X"
    yield "  axisFormat %H:%M:%S"
    for task in view.tasks.values():
        mine = [agent for agent in agents if agent.task == task.id]
        if mine:
            yield f"  section {_NAME.sub('_', task.id)}"
        yield from (_bar(agent, zero, now) for agent in mine)
    yield "```"
    yield ""
    yield "</details>"
    yield ""


def _bar(agent: AgentView, zero: float, now: float) -> str:
    begin, end = agent.started - zero, (now if agent.ended is None else agent.ended) - zero
    mark = "done, " if agent.ok else "crit, " if agent.ended is not None else "active, "
    return (
        f"  {_NAME.sub('_', agent.name)[:60]} :{mark}{max(0, int(begin))}, {max(1, int(end), int(begin) + 1)}"
    )


# --- annotations


def notices(view: RunView | None) -> list[str]:
    """Commands for the log, at most as many as GitHub shows: what failed, what was skipped."""
    errors: list[str] = []
    warnings: list[str] = []
    for task in view.tasks.values() if view is not None else ():
        said = f"{task.status}: {first_sentence(task.reason, _LONGEST)}".rstrip(": ")
        if task.status in _BAD:
            errors.append(
                _command("error", f"{task.id}: {first_sentence(task.title)}", said, task.conflict_files)
            )
        elif task.status is TaskStatus.SKIPPED:
            warnings.append(_command("warning", f"{task.id}: {first_sentence(task.title)}", said))
    if view is not None and view.status == "interrupted":
        text = "it was interrupted: the next start goes on with what is not done"
        warnings.insert(0, _command("warning", f"run {view.id}", text))
    return [*_most(errors, "error"), *_most(warnings, "warning")]


def _most(lines: list[str], level: str) -> list[str]:
    if len(lines) <= _ANNOTATIONS:
        return lines
    rest = len(lines) - _ANNOTATIONS + 1
    return [*lines[: _ANNOTATIONS - 1], _command(level, "and more", f"{rest} more are in the summary")]


def _command(level: str, title: str, text: str, files: Iterable[str] = ()) -> str:
    """One line, in which nothing ends the property or the line before its time."""
    file = next(iter(files), "")
    properties = f"file={_property(file)},title={_property(title)}" if file else f"title={_property(title)}"
    return f"::{level} {properties}::{_data(text)}"


def _data(text: str) -> str:
    text = printable(text, limit=4 * _LONGEST)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- outputs


def outputs(view: RunView | None, now: float) -> dict[str, str]:
    """What the action gives to other steps, by name."""
    tasks = list(view.tasks.values()) if view is not None else []
    return {
        "run": view.id if view is not None else "",
        "status": view.status if view is not None else "nothing",
        "tasks": json.dumps(_short(to_json(view, now)["tasks"]) if view is not None else []),
        "pull-requests": json.dumps([task.pull[1] for task in tasks if task.pull]),
        "tokens": str(sum(read(task) + written(task) for task in tasks)),
        "cost": f"{sum(cost(task) for task in tasks):.6f}",
        "failed": str(sum(task.status in _BAD for task in tasks)),
    }


def _short(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bounded: all outputs of a job together are a megabyte at most."""
    return [
        task
        | {"title": first_sentence(task["title"], 100), "reason": first_sentence(task["reason"], _LONGEST)}
        for task in tasks
    ]


def delimited(pairs: dict[str, str], mark: Callable[[], str]) -> str:
    """Text for ``$GITHUB_OUTPUT``. ``mark`` makes words that nothing in a value can know, a new one each time."""
    lines = []
    for key, value in pairs.items():
        word = mark()
        assert word not in value
        lines.append(f"{key}<<{word}\n{value}\n{word}\n")
    return "".join(lines)
