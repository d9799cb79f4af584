"""Running agents and the task's own commands: a thread each, all of which report to the manager's inbox."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared import shell
from shared.clock import Clock
from shared.containment import environment_in
from shared.git.repository import STATE_FOLDER
from shared.logs import BoundedLog
from shared.messages import AgentEnded, AgentSaid, Channel, ChannelClosed
from shared.model import Agent, AgentName, Assignment, Containment, SubAgent
from shared.process import Cancel
from shared.profiling import timed
from shared.secrets import withheld
from shared.text import last_line
from workflow_manager import environment, paying
from workflow_manager.backends import registry
from workflow_manager.backends.port import READING, WRITING, AgentCall, AgentReport
from workflow_manager.evidence import missing
from workflow_manager.growth import Growth
from workflow_manager.holding import explained, explained_for, hold, hold_command, hold_set_up
from workflow_manager.plans.planning import planned
from workflow_manager.remembering import as_it_was
from workflow_manager.schedule import StartAgent

_SAY_SECONDS = 0.2  # at most one line an agent in this time goes to the board
_STOOD_STILL = (
    10.0  # seconds between two looks for hung agents, which are a second apart, that mean a frozen machine
)


@dataclass(frozen=True, slots=True)
class AgentDone:
    """An agent's thread has ended."""

    start: StartAgent
    report: AgentReport
    seconds: float
    started: float  # seconds since the epoch

    def told(self, report: AgentReport, said: str) -> AgentEnded:
        """For the orchestrator; ``report`` is what the manager makes of the end."""
        return AgentEnded(
            self.start.phase.name,
            self.start.agent.name,
            self.start.number,
            report.ok,
            self.seconds,
            said,
            self.started,
            self.report.tokens,
            self.report.cost_usd,
            tuple(self.report.tool_calls.items()),
            self.report.warnings,
        )


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The set-up or the evidence command has ended; ``problem`` is empty where it passed."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class SpawnAsked:
    """An agent asks for others at once, and waits at ``reply`` for what becomes of them."""

    parent: AgentName
    agents: tuple[SubAgent, ...]
    reply: queue.SimpleQueue[tuple[AgentReport, ...]]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where and how an agent works, which its sub-agents share."""

    directory: str  # its own scratch worktree, or the task's
    containment: Containment
    folder: Path  # .tasks/<AGENT>
    conflicts: tuple[str, ...] = ()  # files it is to resolve
    # Of a fresh worktree: puts included files there, and takes what set-up left for no work of the agent's.
    include: Callable[[], int] | None = None
    settle: Callable[[], None] | None = None

    def shared(self) -> Seat:
        """The same seat for a sub-agent: it has been made ready, and what lies there now is work."""
        return replace(self, include=None, settle=None)


@dataclass(slots=True)
class _Running:
    thread: threading.Thread
    cancel: Cancel
    heard: float  # when it last gave a sign of life, on the monotonic clock
    waiting: bool = False  # for its sub-agents, which give signs of their own
    hung: str = ""


class Agents:
    """What runs for one task now. ``post`` may be called from any thread."""

    def __init__(
        self,
        assignment: Assignment,
        channel: Channel,
        clock: Clock,
        post: Callable[[AgentDone | CommandDone | SpawnAsked], None],
    ) -> None:
        self._a, self._channel, self._clock, self._post = assignment, channel, clock, post
        self._timeouts = dict(assignment.timeouts)
        self._running: dict[str, _Running] = {}
        self._looked = clock.monotonic()
        self._transcripts = Path(assignment.facts.run_dir, "transcripts", assignment.task.id)  # and homes
        self._growth = Growth([assignment.worktree, str(self._transcripts)])
        self._memory = Path(assignment.facts.git_dir, STATE_FOLDER, "memory")
        self._known = {(name, number): why for name, number, why in assignment.failed_tries}
        self.failures: dict[AgentName, str] = {}  # why the latest try of each failed; empty where it did not

    def start(self, start: StartAgent, seat: Seat, prompt: str) -> None:
        """Run an agent; ``prompt`` is what it is given."""
        agent, cancel, log = start.agent, Cancel(), self._log(start.agent.name)
        self._growth.watch(seat.directory)
        if start.attempt > 1:
            log.write(f"--- try {start.attempt} ---\n".encode())
        call = self._call(start, seat, self._prompt_file(agent, prompt), log, cancel)

        def work() -> None:
            started, report = self._clock.now(), AgentReport(False)
            with timed(agent.name) as timing:
                try:
                    problem = self._set_up(call, seat)
                    backend = registry.make(agent.executed_by(self._a.settings.backend))
                    report = AgentReport(False, reason=problem) if problem else planned(call, backend.run)
                    if report.ok:
                        report = _checked(call, report)
                    report = _billed(self._a, call, report)
                    log.close()
                except Exception as error:  # noqa: BLE001 - a worker's entry: without an end the task would hang
                    report = AgentReport(False, reason=f"it could not be executed: {error!r}")
            report = _withheld(self._a, self._judged(agent, _explained(self._a, call, report)))
            self._post(AgentDone(start, report, timing.seconds, started))

        self._run(agent.name, cancel, work)

    def _set_up(self, call: AgentCall, seat: Seat) -> str:
        """Make a fresh worktree ready as the task's own was; returns what went wrong."""
        command = self._a.settings.setup
        included = seat.include() if seat.include is not None else 0
        if seat.settle is None or not (command or included):
            return ""
        if command:
            held = hold_set_up(self._a, call.agent, seat.directory, call.containment)
            there = replace(call, containment=held, environment=environment_in(held, call.environment))
            ran = _beside(there, command, self._a.settings.timeout)
            if not ran.ok:
                problem = ran.problem if held is call.containment else explained(ran.problem, held)
                return f"set-up command: {problem}"
        seat.settle()
        return ""

    def _call(
        self, start: StartAgent, seat: Seat, prompt_file: Path, log: BoundedLog, cancel: Cancel
    ) -> AgentCall:
        agent, a = start.agent, self._a
        own = environment.for_agent(a, start.phase.name, agent, str(prompt_file), seat.directory)
        if seat.conflicts:
            own["SPINNEY_CONFLICTS"] = "\n".join(seat.conflicts)
        held = hold(a, agent, seat.directory, seat.containment, prompt_file)
        return AgentCall(
            agent=agent,
            task=a.task,
            settings=a.settings,
            attempt=start.attempt,
            worktree=Path(seat.directory),
            environment=environment_in(held, own),
            containment=held,
            prompt_file=prompt_file,
            output_folder=seat.folder,
            timeout=self._timeouts.get(agent.name) or agent.timeout or a.task.timeout or a.settings.timeout,
            cancel=cancel,
            write=_Speaker(self._channel, agent, log, self._clock, lambda: self._heard(agent.name)),
            beat=lambda: self._heard(agent.name),
            spawn=lambda agents: self._spawn(agent, agents),
            tools=READING if agent.writes == () else WRITING,
            transcript=self._transcript(agent.name, start.number),
            resumed=a.resumed,
            failure=self.failures.get(agent.name, ""),
            known=self._known.get((agent.name, start.number), ""),
            gateway=a.gateway,
            token=paying.token_for(a, start.phase.name, agent, start.number),
            memory=self._memory,
            recall=as_it_was(self._memory, Path(a.facts.run_dir)) if a.gateway else None,
        )

    def _transcript(self, name: AgentName, number: int) -> Path:
        """Of one execution alone: a manager that goes on must find what that one said, and no other's words."""
        return self._transcripts / (f"{name}.jsonl" if number == 1 else f"{name}.{number}.jsonl")

    def _prompt_file(self, agent: Agent, prompt: str) -> Path:
        path = Path(self._a.facts.run_dir, "prompts", self._a.task.id, f"{agent.name}.md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(prompt)
        return path

    def _judged(self, agent: Agent, report: AgentReport) -> AgentReport:
        running = self._running.get(agent.name)
        if report.ok or running is None or not running.hung:
            return report
        return replace(report, reason=running.hung, cancelled=False)

    def _spawn(self, parent: Agent, agents: Sequence[SubAgent]) -> tuple[AgentReport, ...]:
        """Called in the parent's thread, which blocks until all have ended."""
        if "/" in parent.name:
            refused = AgentReport(False, reason="a sub-agent cannot ask for agents of its own")
            return tuple(refused for _ in agents)
        reply: queue.SimpleQueue[tuple[AgentReport, ...]] = queue.SimpleQueue()
        self._post(SpawnAsked(parent.name, tuple(agents), reply))
        return reply.get()

    def command(self, name: str, command: str, *, worked: bool = True) -> None:
        """Run a command of the task's, such as its set-up, in the task's worktree, where agents have ``worked``."""
        cancel, log = Cancel(), self._log(name)

        def work() -> None:
            try:
                held = hold_command(self._a, name, worked=worked)
                problem = shell.run(
                    command,
                    containment=held,
                    cwd=self._a.worktree,
                    env=environment_in(held, environment.for_task(self._a)),
                    write=log.write,
                    timeout=self._a.settings.timeout,
                    cancel=cancel,
                ).problem
                log.close()
            except Exception as error:  # noqa: BLE001 - a worker's entry: without an end the task would hang
                problem = f"it could not be executed: {error!r}"
            else:
                problem = explained(problem, held)
            self._post(CommandDone(name, problem))

        self._run(name, cancel, work)

    def _log(self, name: str) -> BoundedLog:
        return BoundedLog(Path(self._a.facts.run_dir, "logs", self._a.task.id, f"{name}.log"))

    def _run(self, name: str, cancel: Cancel, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._running[name] = _Running(thread, cancel, self._clock.monotonic())
        thread.start()

    def _heard(self, name: str) -> None:
        running = self._running.get(name)
        if running is not None:
            running.heard = self._clock.monotonic()

    def waits(self, name: str, waiting: bool) -> None:
        """``name`` waits for its sub-agents, or goes on."""
        running = self._running.get(name)
        if running is not None:
            running.waiting = waiting
            self._heard(name)

    def end_hung(self, silence: float) -> None:
        """Stop agents that have given no sign of life for ``silence`` seconds; their ends arrive as usual.

        So do those of all, where what they write grows without end.
        While this process itself stood still (suspended, stopped), nobody could be heard: that is no silence.
        """
        now = self._clock.monotonic()
        stood_still, self._looked = now - self._looked, now
        if stood_still > _STOOD_STILL:
            for running in self._running.values():
                running.heard += stood_still
        for name, running in list(self._running.items()):
            silent = now - running.heard
            if (
                silent > silence
                and not running.waiting
                and not running.hung
                and name not in ("set-up", "evidence")
            ):
                running.hung = f"hung: no output and no work for {silent:.0f} s"
                running.cancel.set()
        if problem := self._growth.problem():
            for running in self._running.values():
                running.hung = running.hung or problem
                running.cancel.set()

    def ended(self, name: str) -> None:
        """The manager has taken the end of ``name`` from its inbox."""
        self._running.pop(name).cancel.close()

    def cancel(self) -> None:
        """Ask everything that runs to end; each end arrives as usual."""
        for running in self._running.values():
            running.cancel.set()

    def abandon(self, seconds: float) -> None:
        """End everything and wait for it, at most ``seconds`` each."""
        self.cancel()
        for running in self._running.values():
            if not running.waiting:
                running.thread.join(seconds)


class _Speaker:
    """Takes an agent's output: all of it to the log, the last line now and then to the board."""

    def __init__(
        self, channel: Channel, agent: Agent, log: BoundedLog, clock: Clock, heard: Callable[[], None]
    ) -> None:
        self._channel, self._agent, self._log, self._clock, self._heard = channel, agent, log, clock, heard
        self._said = 0.0

    def __call__(self, data: bytes) -> None:
        self._log.write(data)
        self._heard()
        now = self._clock.monotonic()
        if now - self._said >= _SAY_SECONDS:
            line = last_line(data[-2000:].decode(errors="replace"))
            if line:
                self._said = now
                with contextlib.suppress(ChannelClosed):
                    self._channel.send(AgentSaid(self._agent.name, line))


def _billed(assignment: Assignment, call: AgentCall, report: AgentReport) -> AgentReport:
    """``report`` with what the gateway says the call cost."""
    usage = paying.of_call(assignment, call.token)
    return replace(report, tokens=usage.tokens, cost_usd=usage.cost_usd or 0.0) if usage.calls else report


def _explained(assignment: Assignment, call: AgentCall, report: AgentReport) -> AgentReport:
    """``report`` of a command of the user's that failed in a sandbox, with what lets it out."""
    if report.ok or report.cancelled:
        return report
    reason = explained_for(assignment, call.agent, report.reason, call.containment)
    return replace(report, reason=reason)


def _withheld(assignment: Assignment, report: AgentReport) -> AgentReport:
    """``report`` without this run's secrets: what it says goes into the journal, commits and pull requests."""
    secrets = assignment.secrets
    if not secrets:
        return report
    return replace(
        report,
        summary=withheld(report.summary, secrets),
        reason=withheld(report.reason, secrets),
        warnings=tuple(withheld(warning, secrets) for warning in report.warnings),
        next_steps=tuple(withheld(step, secrets) for step in report.next_steps),
    )


def _beside(call: AgentCall, command: str, timeout: float) -> shell.Ran:
    """A command that belongs to an agent's call and is not its work, held and watched as that is."""
    return shell.run(
        command,
        containment=call.containment,
        cwd=call.worktree,
        env=call.environment,
        write=call.write,
        timeout=timeout,
        cancel=call.cancel,
        on_work=call.beat,
    )


def _checked(call: AgentCall, report: AgentReport) -> AgentReport:
    """``report``, or a failed one where the agent did not leave what it must, or its evidence does not hold."""
    if lacking := missing(call.agent, call.worktree, call.output_folder, report):
        return replace(report, ok=False, reason=lacking)
    if not call.agent.evidence.command:
        return report
    ran = _beside(call, call.agent.evidence.command, call.timeout)
    return (
        report if ran.ok else replace(report, ok=False, reason=f"its evidence does not hold, {ran.problem}")
    )
