"""Running agents and the task's own commands: a thread each, all of which report to the manager's inbox."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shared import shell
from shared.clock import Clock
from shared.logs import BoundedLog
from shared.messages import AgentSaid, Channel, ChannelClosed
from shared.model import Agent, Assignment, Containment
from shared.process import Cancel
from shared.text import last_line
from workflow_manager import environment
from workflow_manager.backends import registry
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.schedule import StartAgent
from workflow_manager.task_files import prompt

_SAY_SECONDS = 0.2  # at most one line an agent in this time goes to the board


@dataclass(frozen=True, slots=True)
class AgentDone:
    """An agent's thread has ended."""

    start: StartAgent
    report: AgentReport
    seconds: float
    started: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The set-up or the evidence command has ended; ``problem`` is empty where it passed."""

    name: str
    problem: str


class Agents:
    """What runs for one task now. ``post`` may be called from any thread."""

    def __init__(
        self,
        assignment: Assignment,
        channel: Channel,
        clock: Clock,
        post: Callable[[AgentDone | CommandDone], None],
    ) -> None:
        self._a, self._channel, self._clock, self._post = assignment, channel, clock, post
        self._running: dict[str, tuple[threading.Thread, Cancel]] = {}

    def start(self, start: StartAgent, directory: str, containment: Containment, output_folder: Path) -> None:
        """Run an agent in ``directory``, its own scratch worktree or the task's."""
        agent, task = start.agent, self._a.task
        prompt_file = Path(self._a.facts.run_dir, "prompts", task.id, f"{agent.name}.md")
        prompt_file.parent.mkdir(parents=True, exist_ok=True)
        prompt_file.write_text(prompt(task, agent))
        log = self._log(agent.name)
        if start.attempt > 1:
            log.write(f"--- try {start.attempt} ---\n".encode())
        cancel = Cancel()
        call = AgentCall(
            agent=agent,
            task=task,
            settings=self._a.settings,
            attempt=start.attempt,
            worktree=Path(directory),
            environment=environment.for_agent(self._a, start.phase.name, agent, str(prompt_file), directory),
            containment=containment,
            prompt_file=prompt_file,
            output_folder=output_folder,
            timeout=agent.timeout or task.timeout or self._a.settings.timeout,
            cancel=cancel,
            write=_Speaker(self._channel, agent, log, self._clock),
        )

        def work() -> None:
            started, clock = self._clock.now(), time.perf_counter()
            try:
                report = registry.make(agent.backend or self._a.settings.backend).run(call)
                if report.ok and agent.evidence:
                    report = _with_evidence(call, report)
                log.close()
            except Exception as error:  # noqa: BLE001 - a worker's entry: without an end the task would hang
                report = AgentReport(False, reason=f"it could not be executed: {error!r}")
            self._post(AgentDone(start, report, time.perf_counter() - clock, started))

        self._run(agent.name, cancel, work)

    def command(self, name: str, command: str) -> None:
        """Run a command of the task's, such as its set-up, in the task's worktree."""
        cancel, log = Cancel(), self._log(name)

        def work() -> None:
            try:
                problem = shell.run(
                    command,
                    containment=self._a.containment,
                    cwd=self._a.worktree,
                    env=environment.for_task(self._a),
                    write=log.write,
                    timeout=self._a.settings.timeout,
                    cancel=cancel,
                ).problem
                log.close()
            except Exception as error:  # noqa: BLE001 - a worker's entry: without an end the task would hang
                problem = f"it could not be executed: {error!r}"
            self._post(CommandDone(name, problem))

        self._run(name, cancel, work)

    def _log(self, name: str) -> BoundedLog:
        return BoundedLog(Path(self._a.facts.run_dir, "logs", self._a.task.id, f"{name}.log"))

    def _run(self, name: str, cancel: Cancel, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._running[name] = (thread, cancel)
        thread.start()

    def ended(self, name: str) -> None:
        """The manager has taken the end of ``name`` from its inbox."""
        _, cancel = self._running.pop(name)
        cancel.close()

    def cancel(self) -> None:
        """Ask everything that runs to end; each end arrives as usual."""
        for _, cancel in self._running.values():
            cancel.set()

    def abandon(self, seconds: float) -> None:
        """End everything and wait for it, at most ``seconds`` each."""
        self.cancel()
        for thread, _ in self._running.values():
            thread.join(seconds)


class _Speaker:
    """Takes an agent's output: all of it to the log, the last line now and then to the board."""

    def __init__(self, channel: Channel, agent: Agent, log: BoundedLog, clock: Clock) -> None:
        self._channel, self._agent, self._log, self._clock = channel, agent, log, clock
        self._said = 0.0

    def __call__(self, data: bytes) -> None:
        self._log.write(data)
        now = self._clock.monotonic()
        if now - self._said >= _SAY_SECONDS:
            line = last_line(data[-2000:].decode(errors="replace"))
            if line:
                self._said = now
                with contextlib.suppress(ChannelClosed):
                    self._channel.send(AgentSaid(self._agent.name, line))


def _with_evidence(call: AgentCall, report: AgentReport) -> AgentReport:
    """``report``, or a failed one where the agent's declared evidence does not hold."""
    ran = shell.run(
        call.agent.evidence,
        containment=call.containment,
        cwd=call.worktree,
        env=call.environment,
        write=call.write,
        timeout=call.timeout,
        cancel=call.cancel,
    )
    return (
        report if ran.ok else replace(report, ok=False, reason=f"its evidence does not hold, {ran.problem}")
    )
