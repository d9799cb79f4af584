"""Carries an agent out with a coding program: where it is, its first words, and going on after a broken answer."""

from __future__ import annotations

import contextlib
import select
from dataclasses import dataclass

from shared.model import GatewayAccess
from shared.retry import TryAgain, trying
from workflow_manager.backends.gateway_link import GatewayLink
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.backends.programs import catalogue, places, telling
from workflow_manager.backends.programs.checking import unreachable
from workflow_manager.backends.programs.definition import Definition
from workflow_manager.backends.programs.execution import Executed, Execution
from workflow_manager.backends.programs.home import Home
from workflow_manager.backends.programs.timing import Timing
from workflow_manager.beneath import Unreachable


class ProgramBackend:
    """The backend called ``name``, as the call's settings define it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def run(self, call: AgentCall) -> AgentReport:
        if call.known:  # what it left is gone; its session, which the next try goes on with, is not
            return AgentReport(False, reason=call.known)
        definition = catalogue.definition(self._name, call.settings)
        if problem := unreachable(definition):
            return AgentReport(False, reason=problem, final=True)
        if call.gateway is None:
            return AgentReport(False, reason="there is no gateway to reach models through", final=True)
        try:
            return self._carry_out(call, definition, call.gateway)
        except (OSError, Unreachable) as error:
            return AgentReport(False, reason=f"{self._name} cannot be started: {error}")

    def _carry_out(self, call: AgentCall, definition: Definition, gateway: GatewayAccess) -> AgentReport:
        program = places.located(definition.program, call.environment.get("PATH", ""))
        if program is None:
            missing = f"there is no program {definition.program!r}; install it: {definition.install}"
            return AgentReport(False, reason=missing, final=True)
        timing = Timing(call.timeout, GatewayLink(gateway, call.token), call.beat)
        home = Home.of(call)
        home.furnish(definition)
        return _Session(call, Execution(call, definition, program, gateway, home, timing)).done()


@dataclass(frozen=True, slots=True)
class _Session:
    """An agent's conversation with its model, in as many executions as it takes."""

    call: AgentCall
    execution: Execution

    def done(self) -> AgentReport:
        """Where it got further before an answer broke off, what follows is a step of its own."""
        told = self._first_words()
        while True:
            executed = self._step(told)
            if not executed.broke_off or not executed.advanced or self.call.cancel.is_set:
                return executed.report
            told = self._next_words()

    def _step(self, told: str) -> Executed:
        """Until an answer of the model was whole, as often as one step may be tried."""
        tried: list[Executed] = []

        def once() -> None:
            tried.append(self._with_a_session(self._next_words() if tried else told))
            if tried[-1].broke_off and not tried[-1].advanced and not self.call.cancel.is_set:
                raise TryAgain(tried[-1].report.reason)

        with contextlib.suppress(TryAgain):
            trying("model-step").copy(sleep=self._wait)(once)
        return tried[-1]

    def _with_a_session(self, told: str) -> Executed:
        """A session that turns out to be none is forgotten, and begun anew."""
        executed = self.execution(told)
        home, definition = self.execution.home, self.execution.definition
        if executed.session_lost and home.sessions(definition):
            home.forget(definition)
            return self.execution(self._first_words())
        return executed

    def _first_words(self) -> str:
        prompt = self.call.prompt_file.read_text()
        if self._remembers:
            return telling.going_on(prompt, self.call.failure)
        guides = [name for name in telling.GUIDES if (self.call.worktree / name).is_file()]
        return telling.beginning(prompt, guides)

    def _next_words(self) -> str:
        return telling.GO_ON if self._remembers else self._first_words()

    @property
    def _remembers(self) -> bool:
        return bool(self.execution.home.sessions(self.execution.definition))

    def _wait(self, seconds: float) -> None:
        select.select([self.call.cancel], [], [], seconds)
