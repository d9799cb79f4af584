"""A run's journal, told step by step with a clock that is moved by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.view import RunView
from shared.clock import ManualClock
from shared.journal import FORMAT, Journal, Record
from tests.support.build import RUN, oid


class Story:
    """Records as the engine writes them; ``view`` is what they fold to."""

    def __init__(
        self,
        *tasks: str,
        needs: dict[str, tuple[str, ...]] | None = None,
        about: dict[str, dict[str, Any]] | None = None,
        begun: float = 1_700_000_000.0,
        **fields: Any,
    ) -> None:
        self.clock = ManualClock(begun)
        self.records: list[Record] = []
        self._needs = needs or {}
        self._about = about or {}
        self._agent_started: dict[tuple[str, str], float] = {}
        self.tell(
            "run.started",
            **{"format": FORMAT, "run": RUN, "base": oid(1), "into": "", "gate": "", "jobs": 2} | fields,
            order=list(tasks),
            tasks=[self._declared(task) for task in tasks],
        )

    def _declared(self, task: str) -> dict[str, Any]:
        title = task.replace("-", " ").capitalize()
        return {
            "id": task,
            "title": title,
            "needs": list(self._needs.get(task, ())),
            "branch": f"spinney/{task}",
            **self._about.get(task, {}),
        }

    def write(self, state: Path) -> str:
        """Make it the journal of a run below ``state``; returns the run's id."""
        run = str(self.records[0]["run"])
        folder = state / "runs" / run
        folder.mkdir(parents=True)
        journal = Journal(folder / "journal.jsonl")
        for record in self.records:
            fields = {key: value for key, value in record.items() if key not in ("n", "event", "time")}
            journal.append(record["event"], record["time"], fields)
        journal.close()
        return run

    @property
    def now(self) -> float:
        return self.clock.now()

    @property
    def view(self) -> RunView:
        return RunView.of(self.records)

    def after(self, seconds: float) -> Story:
        self.clock.advance(seconds)
        return self

    def tell(self, event: str, **fields: Any) -> Story:
        self.records.append({"n": len(self.records) + 1, "event": event, "time": self.now, **fields})
        return self

    def start(self, task: str, attempt: int = 1) -> Story:
        return self.tell(
            "task.started", task=task, attempt=attempt, base=oid(1), worktree=f"/repo.spinney/{task}"
        )

    def agent(
        self,
        task: str,
        seconds: float,
        name: str = "CODER",
        *,
        phase: str = "work",
        ok: bool = True,
        summary: str = "",
        tokens: tuple[int, int] = (0, 0),
        cost: float = 0.0,
        attempt: int = 1,
    ) -> Story:
        """An agent from its start to its end."""
        self.tell("phase.started", task=task, phase=phase)
        self.agent_begins(task, name, phase=phase, attempt=attempt)
        self.after(seconds)
        return self.agent_ends(
            task, name, phase=phase, ok=ok, summary=summary, tokens=tokens, cost=cost, attempt=attempt
        )

    def agent_begins(
        self, task: str, name: str = "CODER", *, phase: str = "work", attempt: int = 1, **fields: Any
    ) -> Story:
        self._agent_started[task, name] = self.now
        return self.tell("agent.started", task=task, phase=phase, agent=name, attempt=attempt, **fields)

    def wants(self, task: str, *names: str, kind: str = "cpu") -> Story:
        return self._slots("slot.wanted", task, names, kind)

    def gets(self, task: str, *names: str, kind: str = "cpu") -> Story:
        return self._slots("slot.granted", task, names, kind)

    def returns(self, task: str, *names: str, kind: str = "cpu") -> Story:
        return self._slots("slot.returned", task, names, kind)

    def _slots(self, event: str, task: str, names: tuple[str, ...], kind: str) -> Story:
        for name in names:
            self.tell(event, task=task, agent=name, kind=kind)
        return self

    def sized(self, total: int, reason: str = "at the start") -> Story:
        return self.tell("slots.sized", total=total, model=total, cpu=total, gate=1, reason=reason)

    def leased(
        self, task: str, seconds: float, name: str = "CODER", *, wait: float = 0.0, **fields: Any
    ) -> Story:
        """An agent from its wish for a slot, which is granted after ``wait`` seconds, until it gives it back."""
        self.wants(task, name).after(wait).gets(task, name)
        self.agent_begins(task, name, **fields).after(seconds)
        fields.pop("tier", None)
        return self.agent_ends(task, name, **fields).returns(task, name)

    def context(
        self, task: str, name: str, tokens: int, saved: int = 0, budget: int = 0, **fields: Any
    ) -> Story:
        given = {"compressed": [], "refused": False} | fields
        return self.tell(
            "context.given", task=task, agent=name, tokens=tokens, saved=saved, budget=budget, **given
        )

    def gate(self, task: str, seconds: float, *, wait: float = 0.0, passed: bool = True) -> Story:
        """The gate of a task whose turn to be merged has come."""
        self.tell("merge.started", task=task).wants(task, "@gate", kind="gate").after(wait)
        self.gets(task, "@gate", kind="gate").tell("gate.started", task=task).after(seconds)
        self.tell("gate.ended", task=task, seconds=seconds, passed=passed)
        return self.returns(task, "@gate", kind="gate")

    def agent_ends(
        self,
        task: str,
        name: str = "CODER",
        *,
        phase: str = "work",
        ok: bool = True,
        summary: str = "",
        tokens: tuple[int, int] = (0, 0),
        cost: float = 0.0,
        attempt: int = 1,
        **more: Any,
    ) -> Story:
        started = self._agent_started[task, name]
        return self.tell(
            "agent.ended",
            task=task,
            phase=phase,
            agent=name,
            attempt=attempt,
            ok=ok,
            seconds=round(self.now - started, 4),
            summary=summary,
            started=started,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=cost,
            **more,
        )

    def called(
        self,
        task: str,
        agent: str = "CODER",
        *,
        model: str = "claude-sonnet-5-5",
        read: int = 1000,
        cached: int = 0,
        written: int = 100,
        usd: float | None = 0.5,
        **fields: Any,
    ) -> Story:
        """A request to a model that was answered; ``cached`` tokens are beside the ``read`` ones."""
        told = {
            "phase": "work",
            "attempt": 1,
            "status": 200,
            "seconds": 1.0,
            "held": 0.0,
            "tries": 1,
            "complete": True,
        }
        return self.tell(
            "model.called",
            task=task,
            agent=agent,
            model=model,
            input_tokens=read,
            output_tokens=written,
            cache_write_tokens=0,
            cache_write_1h_tokens=0,
            cache_read_tokens=cached,
            cost_usd=usd,
            **(told | fields),
        )

    def commit(self, task: str, number: int, phase: str = "work") -> Story:
        return self.tell("phase.committed", task=task, phase=phase, oid=oid(number))

    def over(self, task: str, outcome: str = "done", reason: str = "", paths: tuple[str, ...] = ()) -> Story:
        entry = self.view.tasks[task]
        commits = [{"phase": phase, "oid": commit} for phase, commit in entry.commits]
        return self.tell(
            "task.over",
            task=task,
            outcome=outcome,
            tip=entry.tip or oid(1),
            commits=commits,
            paths=list(paths),
            reason=reason,
        )

    def settle(self, task: str, status: str, reason: str = "", **fields: Any) -> Story:
        return self.tell("task.settled", task=task, status=status, reason=reason, **fields)

    def merge(self, task: str, number: int) -> Story:
        return self.settle(task, "merged", merged=oid(number), ref=f"refs/heads/spinney/batch/{RUN}")

    def pull(self, task: str | None, number: int) -> Story:
        url = f"refs/spinney/pulls/{number}/head"
        return self.tell("pull.opened", task=task, number=number, url=url, state="open")

    def end(self, status: str) -> Story:
        return self.tell("run.ended", status=status)
