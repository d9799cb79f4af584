"""What a run looks like: the journal's events folded into one picture. Pure.

The live board, ``status``, ``explain``, ``report`` and ``resume`` all read this, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.left_out import of_data
from orchestrator.view.agents import HANDLERS
from orchestrator.view.spans import Span, union, within
from orchestrator.view.spending import Bill, Pause, Spending
from orchestrator.view.tasks import (
    INTERRUPTED,
    LOST,
    AgentView,
    ConflictView,
    ContextView,
    GateView,
    SlotView,
    TaskView,
)
from shared.model import LeftOut, TaskStatus
from shared.model import Spending as SpendingLimit

__all__ = [
    "INTERRUPTED",
    "LOST",
    "AgentView",
    "Bill",
    "ConflictView",
    "ContextView",
    "GateView",
    "Pause",
    "RunView",
    "SlotView",
    "Spending",
    "TaskView",
    "said",
]

GATE = "@gate"  # who asks for the slot of a gate


@dataclass(frozen=True, slots=True)
class PoolView:
    """How many slots there were from ``since`` on."""

    since: float
    total: int
    reason: str

    @property
    def limited(self) -> bool:
        """Whether somebody's rate limit made it small."""
        return "rate limit" in self.reason.replace("-", " ").lower()


@dataclass(slots=True)
class RunView:
    id: str = ""
    status: str = "running"  # running | succeeded | failed | interrupted
    base: str = ""
    into: str = ""
    gate: str = ""
    jobs: int = 0
    merged: str = ""
    merged_ref: str = ""
    landed: str = ""  # where ``into`` was moved to
    order: tuple[str, ...] = ()  # in which tasks are merged
    tasks: dict[str, TaskView] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()  # of the batch, each with its reason
    notes: list[str] = field(default_factory=list)
    started: float = 0.0
    ended: float | None = None
    sessions: list[Span] = field(default_factory=list)  # that are over, in which an orchestrator ran it
    hands_back: bool = False  # it is a job: whoever takes in what it made merges that
    takes_in: bool = False  # its tasks ran as jobs elsewhere, and what they handed back is taken in
    elsewhere: list[Span] = field(default_factory=list)  # of these, when its tasks ran as jobs in other runs
    gate_runs: list[GateView] = field(default_factory=list)
    gating: str = ""
    pull: tuple[int, str] | None = None  # of the whole batch
    publishing: bool = False  # that is wanted, and it is not known yet what came of it
    unpublished: str = ""  # why there is none though one was wanted
    forge_pause: Pause | None = None  # while the forge lets nobody ask
    replaces: dict[str, str] = field(
        default_factory=dict
    )  # refs of the forge that are started anew, and where they were
    archived: dict[str, str] = field(default_factory=dict)  # refs that keep on the forge what those were
    pull_base: str = ""  # the branch there that pull requests go into
    pull_base_tip: str = ""  # where that was when the run began
    pulls_before: dict[str, int] = field(default_factory=dict)  # by marker, that the run found on the forge
    pools: list[PoolView] = field(default_factory=list)
    spending: Spending = field(default_factory=Spending)
    replays: str = ""  # the run whose record answers in place of the models
    held: dict[tuple[str, str], str] = field(default_factory=dict)  # kinds of slots by task and agent
    _gate_wanted: dict[str, float] = field(default_factory=dict)
    _gate_waited: dict[str, float] = field(default_factory=dict)
    _session: float = 0.0
    _before: float = 0.0  # the time of the record before the latest
    _latest: float = 0.0

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]]) -> RunView:
        view = cls()
        for record in records:
            view.apply(record)
        return view

    @property
    def agents(self) -> list[AgentView]:
        """Every execution, by task."""
        return [agent for task in self.tasks.values() for agent in task.agents]

    @property
    def gates(self) -> list[tuple[str, float, bool]]:
        """Task, seconds and whether it passed, of every gate that is over."""
        return [(gate.task, gate.seconds, gate.passed) for gate in self.gate_runs if gate.ended is not None]

    @property
    def slots(self) -> int:
        """Agents at once, as it stands."""
        return self.pools[-1].total if self.pools else self.jobs

    @property
    def slots_used(self) -> int:
        """By agents; an agent that waits for agents of its own has none."""
        if self.pools or self.held:
            return sum(kind != "gate" for kind in self.held.values())
        return sum(len(task.running_agents) for task in self.tasks.values())

    def elapsed(self, now: float) -> float:
        """Seconds worked until ``now``, or until its end, without the gaps between sessions."""
        return sum((end - begin for begin, end in self.worked(now)), 0.0)

    def worked(self, now: float) -> list[Span]:
        """When an orchestrator ran it, until ``now``."""
        present = [(self._session, max(self._session, now))] if self.status == "running" else []
        return self.sessions + present

    def elapsed_here(self, now: float) -> float:
        """The same without the time in which only jobs elsewhere were at work."""
        return self.elapsed(now) - sum((end - begin for begin, end in self.elsewhere), 0.0)

    def worked_within(self, begin: float, end: float) -> float:
        """Seconds from ``begin`` to ``end`` in which an orchestrator ran it."""
        return within((begin, end), union(self.worked(end)))

    def apply(self, record: dict[str, Any]) -> None:
        """Take one event in. Unknown ones are left alone: a newer minor version may write them."""
        self._before, self._latest = self._latest, record["time"]
        event: str = record["event"]
        handler = getattr(self, "_on_" + event.replace(".", "_"), None)
        if handler is not None:
            handler(record)
        if event in HANDLERS and record["agent"] != GATE:
            HANDLERS[event](self._task(record), record)

    @property
    def goes_on_by(self) -> str:
        """The command that goes on with it once it was interrupted: of plans that travel, only the same as before."""
        if self.hands_back:
            return "the same spinney run-task"
        return "the same spinney integrate" if self.takes_in else "spinney resume"

    def _task(self, record: dict[str, Any]) -> TaskView:
        return self.tasks[record["task"]]

    def _session_over(self, at: float) -> None:
        self.sessions.append((self._session, max(self._session, at)))

    # --- the run

    def _on_run_started(self, r: dict[str, Any]) -> None:
        self.id, self.base, self.into = r["run"], r["base"], r["into"]
        self.gate, self.jobs, self.started = r["gate"], r["jobs"], r["time"]
        self._session = r["time"]
        self.order = tuple(r.get("order", ()))
        self.replays, self.hands_back = r.get("replays", ""), r.get("hands_back", False)
        self.takes_in = r.get("takes_in", False)
        self.replaces, self.pulls_before = r.get("replaces", {}), r.get("pulls_before", {})
        self.archived, self.pull_base = r.get("archived", {}), r.get("pull_base", "")
        self.pull_base_tip = r.get("pull_base_tip", "")
        self.left_out = of_data(r.get("left_out", ()))
        self._budget(r)
        for task in r["tasks"]:
            self.tasks[task["id"]] = TaskView(
                task["id"],
                task["title"],
                tuple(task["needs"]),
                branch=task["branch"],
                workflow=task.get("workflow", ""),
                change=task.get("change") or "",
                budget=task.get("budget", 0),
                base=r.get("bases", {}).get(task["id"], ""),
                aside=r.get("aside", {}).get(task["id"], ""),
            )

    def _on_run_resumed(self, r: dict[str, Any]) -> None:
        if self.status == "running":  # the earlier session was killed: it worked until its last record
            self._session_over(self._before)
        self.status, self._session, self.ended = "running", r["time"], None
        self.jobs = r.get("jobs", self.jobs)
        self._budget(r)
        self.spending.stopped = ""
        for task in self.tasks.values():
            task.spent = ""
        self._drop_running(self._before)

    def _budget(self, r: dict[str, Any]) -> None:
        if budget := r.get("budget"):
            self.spending.budget = (budget["usd"], budget["tokens"])
        if budget := r.get("task_budget"):
            self.spending.task_budget = SpendingLimit(budget["usd"], budget["tokens"])

    def _drop_running(self, at: float) -> None:
        for task in self.tasks.values():
            self._drop_agents(task, at, INTERRUPTED)
            if task.status is TaskStatus.RUNNING:
                task.status = TaskStatus.WAITING
        self.gate_runs = [gate for gate in self.gate_runs if gate.ended is not None]
        self.held.clear()
        self._gate_wanted.clear()
        self.gating = ""
        self.forge_pause = None
        self.spending.released(at)

    def _drop_agents(self, task: TaskView, at: float, why: str) -> None:
        for agent in task.running_agents:
            agent.ended, agent.summary = at, why
        task.queue.clear()
        for lease in [lease for lease in self.held if lease[0] == task.id]:
            del self.held[lease]

    @property
    def owing(self) -> bool:
        """Whether something that was wanted on the forge may be there or not."""
        return self.publishing or any(task.publishing for task in self.tasks.values())

    @property
    def published(self) -> bool:
        """Whether everything that was wanted on the forge is there."""
        return not self.unpublished and not any(task.unpublished for task in self.tasks.values())

    def cut_off(self) -> None:
        """Its orchestrator is gone without a word: show it as interrupted at its last record."""
        if self.status == "running":
            self.status, self.ended = "interrupted", self._latest
            self._session_over(self._latest)
            self._drop_running(self._latest)

    def _on_run_ended(self, r: dict[str, Any]) -> None:
        self.status, self.ended, self.forge_pause = r["status"], r["time"], None
        self._session_over(r["time"])
        self.spending.released(r["time"])

    def _on_note(self, r: dict[str, Any]) -> None:
        self.notes.append(r["text"])

    # --- tasks

    def _on_task_started(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.status, task.reason = TaskStatus.RUNNING, ""
        task.attempts, task.base, task.worktree = r["attempt"], r["base"], r["worktree"]
        task.started = task.started or r["time"]
        task.opened, task.begun, task.latest = r["time"], None, None

    def _on_task_elsewhere(self, r: dict[str, Any]) -> None:
        """Its agents were at work in another run, which is part of the time that this one took."""
        span = (r["started"], min(r["ended"], self._session))
        self.sessions, self.elsewhere = union([*self.sessions, span]), union([*self.elsewhere, span])

    def _on_task_over(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.tip, task.ended, task.phase, task.last_line = r["tip"], r["time"], "", ""
        task.commits = [(entry["phase"], entry["oid"]) for entry in r["commits"]]
        task.paths = tuple(r.get("paths", ()))
        self._drop_agents(task, r["time"], INTERRUPTED)
        if r["outcome"] == "done":
            task.status, task.finished = TaskStatus.FINISHED, r["time"]
        if r["outcome"] == "interrupted":
            task.status = TaskStatus.WAITING

    def _on_task_settled(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.status, task.reason = TaskStatus(r["status"]), r["reason"]
        task.ended, task.settled = task.ended or r["time"], r["time"]
        task.conflict_files = tuple(r.get("files", ()))
        task.conflict_with = tuple(r.get("with", ()))
        task.gate_log = r.get("log", "")
        task.merged = r.get("merged", "")
        if r["status"] == "merged":
            self.merged, self.merged_ref = r["merged"], r["ref"]

    def _on_task_reopened(self, r: dict[str, Any]) -> None:
        """Offered for integration once more, by ``spinney merge``."""
        task = self._task(r)
        task.status, task.reason, task.tip = TaskStatus.FINISHED, "", r["tip"]
        task.finished, task.merging, task.settled = r["time"], None, None
        task.conflict_files = task.conflict_with = ()

    def _on_merge_started(self, r: dict[str, Any]) -> None:
        if (task := self.tasks.get(r["task"])) is not None:
            task.merging = r["time"]

    def _on_manager_lost(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.reason = r["reason"]
        self._drop_agents(task, r["time"], LOST)

    def _on_phase_started(self, r: dict[str, Any]) -> None:
        self._task(r).phase = r["phase"]

    def _on_phase_committed(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        if (r["phase"], r["oid"]) not in task.commits:
            task.commits.append((r["phase"], r["oid"]))
        task.tip = r["oid"]

    def _on_phase_unchanged(self, r: dict[str, Any]) -> None:
        self._task(r).unchanged_phases.append(r["phase"])

    # --- models

    def _on_model_called(self, r: dict[str, Any]) -> None:
        self.spending.called(r)

    def _on_model_held(self, r: dict[str, Any]) -> None:
        self.spending.held(r)

    def _on_model_released(self, r: dict[str, Any]) -> None:
        self.spending.released(r["time"])

    def _on_model_refused(self, r: dict[str, Any]) -> None:
        self.spending.stopped, self.spending.differs = r["reason"], r["kind"] == "replay"

    def _on_budget_spent(self, r: dict[str, Any]) -> None:
        if r["task"]:
            self._task(r).spent = r["reason"]
        else:
            self.spending.stopped = r["reason"]

    # --- slots

    def _on_slots_sized(self, r: dict[str, Any]) -> None:
        self.pools.append(PoolView(r["time"], r["total"], r.get("reason", "")))

    def _on_slot_wanted(self, r: dict[str, Any]) -> None:
        if r["agent"] == GATE:
            self._gate_wanted[r["task"]] = r["time"]

    def _on_slot_granted(self, r: dict[str, Any]) -> None:
        self.held[r["task"], r["agent"]] = r["kind"]
        if r["agent"] == GATE:
            self._gate_waited[r["task"]] = r["time"] - self._gate_wanted.pop(r["task"], r["time"])

    def _on_slot_returned(self, r: dict[str, Any]) -> None:
        self.held.pop((r["task"], r["agent"]), None)

    # --- gate, pull requests, the target

    def _on_gate_started(self, r: dict[str, Any]) -> None:
        self.gating = r["task"]
        self.gate_runs.append(GateView(r["task"], r["time"], self._gate_waited.pop(r["task"], 0.0)))

    def _on_gate_ended(self, r: dict[str, Any]) -> None:
        gate = next((g for g in reversed(self.gate_runs) if g.ended is None and g.task == r["task"]), None)
        if gate is None:
            gate = GateView(r["task"], r["time"] - r["seconds"])
            self.gate_runs.append(gate)
        gate.ended, gate.seconds, gate.passed = r["time"], r["seconds"], r["passed"]
        self.gating = next((g.task for g in self.gate_runs if g.ended is None), "")

    def _on_pull_intent(self, r: dict[str, Any]) -> None:
        self._published(r).publishing = True

    def _on_pull_opened(self, r: dict[str, Any]) -> None:
        published = self._published(r)
        published.pull, published.publishing, published.unpublished = (r["number"], r["url"]), False, ""

    def _on_pull_failed(self, r: dict[str, Any]) -> None:
        published = self._published(r)
        published.publishing, published.unpublished = False, r["reason"]

    def _published(self, r: dict[str, Any]) -> RunView | TaskView:
        """Whose pull request an event is about: a task's, or the batch's."""
        return self._task(r) if r["task"] else self

    def _on_branch_sent(self, r: dict[str, Any]) -> None:
        if r["task"]:
            self._task(r).sent = r["oid"]

    def _on_issue_told(self, r: dict[str, Any]) -> None:
        self._task(r).stage = r["stage"]

    def _on_commit_marked(self, r: dict[str, Any]) -> None:
        self._task(r).marked = r["oid"]

    def _on_forge_held(self, r: dict[str, Any]) -> None:
        since = self.forge_pause.since if self.forge_pause else r["time"]
        self.forge_pause = Pause(since, r["until"], r["reason"])

    def _on_forge_released(self, _r: dict[str, Any]) -> None:
        self.forge_pause = None

    def _on_into_moved(self, r: dict[str, Any]) -> None:
        self.landed = r["oid"]


def said(view: RunView, task: str, line: str) -> None:
    """The last line of output, which is shown but not journalled."""
    view.tasks[task].last_line = line
