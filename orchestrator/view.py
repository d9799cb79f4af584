"""What a run looks like: the journal's events folded into one picture. Pure.

The live board, ``status``, ``explain``, ``report`` and ``resume`` all read this, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shared.model import TaskStatus

# What is said of an agent that came to no end of its own.
INTERRUPTED = "interrupted"
LOST = "lost with its manager"


@dataclass(slots=True)
class AgentView:
    """One execution of an agent."""

    task: str
    phase: str
    name: str
    attempt: int
    started: float  # seconds since the epoch
    ended: float | None = None
    seconds: float = 0.0
    ok: bool = False
    summary: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(slots=True)
class TaskView:
    id: str
    title: str
    needs: tuple[str, ...] = ()
    status: TaskStatus = TaskStatus.WAITING
    reason: str = ""
    branch: str = ""
    worktree: str = ""
    base: str = ""
    tip: str = ""
    attempts: int = 0
    phase: str = ""
    last_line: str = ""
    commits: list[tuple[str, str]] = field(default_factory=list)  # phase, oid
    unchanged_phases: list[str] = field(default_factory=list)
    skipped_agents: list[tuple[str, str]] = field(default_factory=list)  # agent, reason
    agents: list[AgentView] = field(default_factory=list)
    paths: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    pull: tuple[int, str] | None = None  # number, url
    conflict_files: tuple[str, ...] = ()
    conflict_with: tuple[str, ...] = ()
    gate_log: str = ""
    merged: str = ""

    @property
    def running_agents(self) -> list[AgentView]:
        return [agent for agent in self.agents if agent.ended is None]

    @property
    def seconds(self) -> float:
        """Time its agents worked, measured."""
        return sum((agent.seconds for agent in self.agents), 0.0)


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
    notes: list[str] = field(default_factory=list)
    started: float = 0.0
    ended: float | None = None
    worked: float = 0.0  # seconds in which an orchestrator ran it, without the gaps between sessions
    gates: list[tuple[str, float, bool]] = field(default_factory=list)  # task, seconds, passed
    gating: str = ""
    pull: tuple[int, str] | None = None  # of the whole batch
    _session: float = 0.0
    _before: float = 0.0  # the time of the record before the latest
    _latest: float = 0.0

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]]) -> RunView:
        view = cls()
        for record in records:
            view.apply(record)
        return view

    def elapsed(self, now: float) -> float:
        """Seconds worked until ``now``, or until its end."""
        return self.worked if self.status != "running" else self.worked + max(0.0, now - self._session)

    def apply(self, record: dict[str, Any]) -> None:
        """Take one event in. Unknown ones are left alone: a newer minor version may write them."""
        self._before, self._latest = self._latest, record["time"]
        handler = getattr(self, "_on_" + record["event"].replace(".", "_"), None)
        if handler is not None:
            handler(record)

    def _task(self, record: dict[str, Any]) -> TaskView:
        return self.tasks[record["task"]]

    def _on_run_started(self, r: dict[str, Any]) -> None:
        self.id, self.base, self.into = r["run"], r["base"], r["into"]
        self.gate, self.jobs, self.started = r["gate"], r["jobs"], r["time"]
        self._session = r["time"]
        self.order = tuple(r.get("order", ()))
        for task in r["tasks"]:
            self.tasks[task["id"]] = TaskView(
                task["id"], task["title"], tuple(task["needs"]), branch=task["branch"]
            )

    def _on_run_resumed(self, r: dict[str, Any]) -> None:
        if self.status == "running":  # the earlier session was killed: it worked until its last record
            self.worked += max(0.0, self._before - self._session)
        self.status, self._session, self.ended = "running", r["time"], None
        self.jobs = r.get("jobs", self.jobs)
        self._drop_running(self._before)

    def _drop_running(self, at: float) -> None:
        for task in self.tasks.values():
            for agent in task.running_agents:
                agent.ended = at
                agent.summary = INTERRUPTED
            if task.status is TaskStatus.RUNNING:
                task.status = TaskStatus.WAITING

    def cut_off(self) -> None:
        """Its orchestrator is gone without a word: show it as interrupted at its last record."""
        if self.status == "running":
            self.status, self.ended, self.gating = "interrupted", self._latest, ""
            self.worked += max(0.0, self._latest - self._session)
            self._drop_running(self._latest)

    def _on_run_ended(self, r: dict[str, Any]) -> None:
        self.status, self.ended = r["status"], r["time"]
        self.worked += max(0.0, r["time"] - self._session)

    def _on_note(self, r: dict[str, Any]) -> None:
        self.notes.append(r["text"])

    def _on_task_started(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.status, task.reason = TaskStatus.RUNNING, ""
        task.attempts, task.base, task.worktree = r["attempt"], r["base"], r["worktree"]
        task.started = task.started or r["time"]

    def _on_task_over(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.tip, task.ended, task.phase, task.last_line = r["tip"], r["time"], "", ""
        task.commits = [(entry["phase"], entry["oid"]) for entry in r["commits"]]
        task.paths = tuple(r.get("paths", ()))
        task.status = TaskStatus.FINISHED if r["outcome"] == "done" else task.status
        if r["outcome"] == "interrupted":
            task.status = TaskStatus.WAITING

    def _on_task_settled(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.status, task.reason = TaskStatus(r["status"]), r["reason"]
        task.ended = task.ended or r["time"]
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
        task.conflict_files = task.conflict_with = ()

    def _on_manager_lost(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        task.reason = r["reason"]
        for agent in task.running_agents:
            agent.ended = r["time"]
            agent.summary = LOST

    def _on_phase_started(self, r: dict[str, Any]) -> None:
        self._task(r).phase = r["phase"]

    def _on_phase_committed(self, r: dict[str, Any]) -> None:
        task = self._task(r)
        if (r["phase"], r["oid"]) not in task.commits:
            task.commits.append((r["phase"], r["oid"]))
        task.tip = r["oid"]

    def _on_phase_unchanged(self, r: dict[str, Any]) -> None:
        self._task(r).unchanged_phases.append(r["phase"])

    def _on_agent_started(self, r: dict[str, Any]) -> None:
        self._task(r).agents.append(AgentView(r["task"], r["phase"], r["agent"], r["attempt"], r["time"]))

    def _on_agent_ended(self, r: dict[str, Any]) -> None:
        for agent in self._task(r).running_agents:
            if agent.name == r["agent"]:
                agent.started, agent.ended = r["started"], r["started"] + r["seconds"]
                agent.seconds, agent.ok, agent.summary = r["seconds"], r["ok"], r["summary"]
                agent.input_tokens, agent.output_tokens = r["input_tokens"], r["output_tokens"]
                agent.cost_usd = r["cost_usd"]

    def _on_agent_skipped(self, r: dict[str, Any]) -> None:
        self._task(r).skipped_agents.append((r["agent"], r["reason"]))

    def _on_gate_started(self, r: dict[str, Any]) -> None:
        self.gating = r["task"]

    def _on_gate_ended(self, r: dict[str, Any]) -> None:
        self.gating = ""
        self.gates.append((r["task"], r["seconds"], r["passed"]))

    def _on_pull_opened(self, r: dict[str, Any]) -> None:
        if r["task"]:
            self._task(r).pull = (r["number"], r["url"])
        else:
            self.pull = (r["number"], r["url"])

    def _on_into_moved(self, r: dict[str, Any]) -> None:
        self.landed = r["oid"]


def said(view: RunView, task: str, line: str) -> None:
    """The last line of output, which is shown but not journalled."""
    view.tasks[task].last_line = line
