"""The gate: the command that must pass on exactly the tree that would land, in a warm worktree of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared import shell
from shared.containment import environment_in
from shared.errors import Interrupted
from shared.git.fingerprint import Mark, marks_of
from shared.git.worktrees import Worktree, Worktrees
from shared.logs import BoundedLog
from shared.model import Containment, Oid, RepositoryFacts, RunId, Settings
from shared.process import Cancel
from shared.sandbox import LET_OUT
from shared.sandbox.making import make
from shared.shell import Ran

WORKTREE = "@gate"  # no task can be called this

Record = Callable[[str, dict[str, Any]], None]  # an event for the journal


@dataclass(frozen=True, slots=True)
class Answer:
    passed: bool
    reason: str = ""
    log: str = ""  # the file with its output


@dataclass(slots=True)
class Gate:
    """Used by one thread at a time; ``cancel`` may be set from any."""

    facts: RepositoryFacts
    run: RunId
    settings: Settings
    containment: Containment
    environment: dict[str, str]
    record: Record
    base: Oid  # the run's, which no agent has touched
    shut_in: bool = False  # it executes what agents wrote who may do no harm: neither may it
    cancel: Cancel = field(default_factory=Cancel)
    _worktree: Worktree | None = None
    _set_up: tuple[str, ...] = ()  # what set-up left there
    _untouched: dict[str, Mark] = field(default_factory=dict)  # how it left that, where it must stay so
    _passed: set[str] = field(default_factory=set)  # trees

    def check(self, commit: Oid, tree: Oid, name: str) -> Answer:
        """Run the gate on ``commit``; a tree that passed once in this session passes again unseen.

        Raises Interrupted where the run is stopped meanwhile.
        """
        if not self.settings.gate or tree in self._passed:
            return Answer(True)
        worktree = self._warm(commit)
        self.record("gate.started", {"task": name, "commit": commit})
        log = Path(self.facts.run_dir, "logs", WORKTREE, f"{name}.log")
        held = self._alone(worktree)
        ran = self._run(worktree, self.settings.gate, log, self.settings.gate_timeout, held)
        self._distrust(worktree)
        if self.cancel.is_set and not ran.ok:
            raise Interrupted("the run was stopped during the gate")
        seconds = round(ran.end.seconds, 3)
        self.record("gate.ended", {"task": name, "commit": commit, "passed": ran.ok, "seconds": seconds})
        if ran.ok:
            self._passed.add(tree)
            return Answer(True, log=str(log))
        hint = LET_OUT if held.sandbox is not None else ""
        return Answer(False, f"the gate failed, {ran.problem}{hint}", str(log))

    def _warm(self, commit: Oid) -> Worktree:
        worktrees = Worktrees(Path(self.facts.git_dir), Path(self.facts.worktrees))
        if self._worktree is not None and self._worktree.exists:
            worktrees.move_to(self._worktree, commit, self._set_up, ignored=not self.shut_in)
            return self._worktree
        # Set-up may need the network, so it is not shut in: it runs on the run's base, which no agent has touched.
        setup = self.settings.setup
        self._worktree = worktrees.create(WORKTREE, self.base if setup else commit, None)
        if setup:
            log = Path(self.facts.run_dir, "logs", WORKTREE, "@set-up.log")
            ran = self._run(self._worktree, setup, log, self.settings.timeout, self._held(self._worktree))
            if not ran.ok and not self.cancel.is_set:
                self.record(
                    "note", {"text": f"the set-up command failed in the gate's worktree, {ran.problem}"}
                )
            self._set_up = worktrees.untracked(self._worktree, ignored=self.shut_in)
            self._untouched = marks_of(self._worktree.path, self._set_up) if self.shut_in else {}
            worktrees.move_to(self._worktree, commit, self._set_up)
        return self._worktree

    def _distrust(self, worktree: Worktree) -> None:
        """Give the worktree up where what set-up left is no longer as it was.

        One task's tests could otherwise leave something there that lets those of all later ones pass.
        """
        if self.shut_in and marks_of(worktree.path, self._set_up) != self._untouched:
            Worktrees(Path(self.facts.git_dir), Path(self.facts.worktrees)).remove(worktree)
            self._worktree = None

    def _held(self, worktree: Worktree) -> Containment:
        own = (worktree.path, worktree.admin_dir)
        return replace(self.containment, writable=(*self.containment.writable, *own))

    def _alone(self, worktree: Worktree) -> Containment:
        """The sandbox in which the gate runs, where it is shut in."""
        held = self._held(worktree)
        if not self.shut_in:
            return held
        sandbox = make(
            WORKTREE.strip("@"),
            facts=self.facts,
            settings=self.settings,
            environment=self.environment,
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
        )
        return replace(held, sandbox=sandbox)

    def _run(
        self, worktree: Worktree, command: str, log: Path, timeout: float, containment: Containment
    ) -> Ran:
        """Run a command in the gate's worktree; its output replaces what ``log`` held."""
        log.unlink(missing_ok=True)
        place = {"SPINNEY_RUN": self.run, "SPINNEY_WORKTREE": worktree.path, "PWD": worktree.path}
        output = BoundedLog(log)
        try:
            return shell.run(
                command,
                containment=containment,
                cwd=worktree.path,
                env=environment_in(containment, {**self.environment, **place}),
                write=output.write,
                timeout=timeout,
                cancel=self.cancel,
            )
        finally:
            output.close()

    def close(self) -> None:
        if self._worktree is not None:
            Worktrees(Path(self.facts.git_dir), Path(self.facts.worktrees)).remove(self._worktree)
            self._worktree = None
