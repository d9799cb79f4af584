"""What was spent, by call, agent, phase, task and run, and whether one more request fits the budgets. Pure.

The worst case of a request is set aside before it is sent, so that no budget is ever passed, however many
requests are on their way. What it really cost replaces that when it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.gateway.rules.prices import Prices
from shared.callers import Caller
from shared.model import AgentName, Spending, TaskId, Tokens, Usage

RUN = TaskId("")  # whose budget is the whole run's
_NONE = Spending()  # no limit
_LITTLE = 0.5  # of a budget: where less is spent, it is rather too small than used up
_Call = tuple[TaskId, str, AgentName, int]  # one execution of an agent: its task, phase, name, and which try


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that a request can use; ``cost`` is None where its model has no price."""

    tokens: int
    cost: float | None

    def beyond(self, budget: Spending, spent: float, tokens: int) -> bool:
        """Whether it does not fit beside what is ``spent`` of ``budget``."""
        dear = bool(budget.usd) and spent + (self.cost or 0.0) > budget.usd
        return dear or (bool(budget.tokens) and tokens + self.tokens > budget.tokens)


NOTHING = Worst(0, 0.0)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one exchange was billed; ``cost`` is None where its model has no price.

    ``untold`` is what it may have cost besides without saying so: it counts against budgets, and nowhere else.
    """

    task: TaskId
    phase: str
    agent: AgentName
    attempt: int
    model: str
    tokens: Tokens
    cost: float | None  # US dollars
    untold: Worst = NOTHING

    @classmethod
    def of_event(cls, fields: Mapping[str, Any]) -> Charge:
        """From the journal's ``model.called``."""
        kinds = ("input", "output", "cache_write", "cache_write_1h", "cache_read")
        tokens = Tokens(*(int(fields[f"{kind}_tokens"]) for kind in kinds))
        untold = Worst(int(fields.get("reserved_tokens", 0)), fields.get("reserved_usd", 0.0))
        return cls(
            TaskId(fields["task"]),
            fields["phase"],
            AgentName(fields["agent"]),
            fields["attempt"],
            fields["model"],
            tokens,
            fields["cost_usd"],
            untold,
        )


@dataclass(frozen=True, slots=True)
class Fits:
    pass


@dataclass(frozen=True, slots=True)
class MustWait:
    """It does not fit beside what is on its way, but may when some of that has turned out cheaper."""


@dataclass(frozen=True, slots=True)
class TooMuch:
    """It does not fit a budget, whatever becomes of the others.

    ``task`` is whose requests end by that: all of the run's only where none of a modest size fits either.
    """

    task: TaskId
    reason: str


@dataclass(slots=True)
class _Account:
    """One budget, what was spent of it, and what is set aside."""

    budget: Spending
    spent: float = 0.0
    tokens: int = 0
    held: float = 0.0
    held_tokens: int = 0

    def room(self, worst: Worst) -> Fits | MustWait | Literal["never"]:
        if (self.budget.usd and worst.cost is None) or worst.beyond(self.budget, self.spent, self.tokens):
            return "never"
        crowded = worst.beyond(self.budget, self.spent + self.held, self.tokens + self.held_tokens)
        return MustWait() if crowded else Fits()

    def reason(self, worst: Worst, whose: str) -> str:
        """Why there will never be room for it."""
        budget, cost = self.budget, worst.cost
        if budget.usd and cost is None:
            return f"the budget of {whose} is in dollars, and this model has no price (set one under models.prices)"
        if budget.usd and self.spent + (cost or 0.0) > budget.usd:
            if self.spent < _LITTLE * budget.usd:
                return (
                    f"the budget of {budget.usd:.2f} USD for {whose} is too small for the next request, "
                    f"which may cost {cost:.2f} USD ({self.spent:.2f} USD are spent)"
                )
            spent = (
                f"${self.spent:.2f} of ${budget.usd:g} are spent, and the next request may need ${cost:.2f}"
            )
            return f"the budget of {whose} is used up: {spent}"
        if self.tokens < _LITTLE * budget.tokens:
            return (
                f"the budget of {budget.tokens} tokens for {whose} is too small for the next request, "
                f"which may use {worst.tokens} ({self.tokens} are used)"
            )
        used = (
            f"{self.tokens} of {budget.tokens} tokens are used, and the next request may need {worst.tokens}"
        )
        return f"the budget of {whose} is used up: {used}"

    def hold(self, worst: Worst, sign: int) -> None:
        self.held += sign * (worst.cost or 0.0)
        self.held_tokens += sign * worst.tokens

    def pay(self, tokens: int, cost: float | None) -> None:
        self.spent += cost or 0.0
        self.tokens += tokens


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is set aside for one request."""

    caller: Caller
    worst: Worst


class Ledger:
    """``spent`` are the charges of earlier sessions of the run."""

    def __init__(
        self,
        prices: Prices,
        budget: Spending = _NONE,
        task_budgets: Mapping[TaskId, Spending] | None = None,
        spent: Iterable[Charge] = (),
    ) -> None:
        self._prices = prices
        self._budgets = dict(task_budgets or {})
        self._accounts = {RUN: _Account(budget)}
        self._of: dict[_Call, Usage] = {}
        for charge in spent:
            self._enter(charge)

    def look(self, caller: Caller, worst: Worst, modest: Worst | None = None) -> Fits | MustWait | TooMuch:
        """Whether a request of ``caller`` fits the budget of its task and that of the run.

        ``modest`` is what it would need if it asked for less: one agent's greed does not end the run for the others.
        """
        found = {task: self._account(task).room(worst) for task in (RUN, caller.task)}
        for task, room in found.items():
            if room == "never":
                whose = f"task {task}" if task else "this run"
                return TooMuch(
                    self._ended(task, caller, worst, modest), self._account(task).reason(worst, whose)
                )
        waits = any(isinstance(room, MustWait) for room in found.values())
        return MustWait() if waits else Fits()

    def _ended(self, task: TaskId, caller: Caller, worst: Worst, modest: Worst | None) -> TaskId:
        """Whose requests end where one does not fit the budget of ``task``."""
        large = modest is not None and self._account(task).room(modest) != "never"
        return caller.task if large or worst.cost is None else task

    def reserve(self, caller: Caller, worst: Worst) -> Reservation:
        """Set aside what may be needed; ``look`` said that it fits."""
        for task in (RUN, caller.task):
            self._account(task).hold(worst, 1)
        return Reservation(caller, worst)

    def release(self, reservation: Reservation) -> None:
        """The request has ended; ``charge`` says separately what it cost."""
        for task in (RUN, reservation.caller.task):
            self._account(task).hold(reservation.worst, -1)

    def charge(self, caller: Caller, model: str, tokens: Tokens) -> Charge:
        """Enter what an exchange was billed."""
        cost = self._prices.cost(model, tokens)
        charge = Charge(caller.task, caller.phase, caller.agent, caller.attempt, model, tokens, cost)
        self._enter(charge)
        return charge

    def suspect(self, caller: Caller, untold: Worst) -> None:
        """Count against the budgets, and nowhere else, what may have been billed without being told."""
        for task in (RUN, caller.task):
            self._account(task).pay(untold.tokens, untold.cost)

    def unsaid(self, model: str, output: int) -> Worst:
        """So many tokens that a cut answer sent without saying what they cost."""
        return Worst(output, self._prices.cost(model, Tokens(output=output))) if output > 0 else NOTHING

    def of_call(self, caller: Caller) -> Usage:
        """What one execution of an agent used."""
        return self._of.get((caller.task, caller.phase, caller.agent, caller.attempt), Usage())

    def of_phase(self, task: TaskId, phase: str) -> Usage:
        return _sum(usage for call, usage in self._of.items() if call[:2] == (task, phase))

    def of_task(self, task: TaskId) -> Usage:
        return _sum(usage for call, usage in self._of.items() if call[0] == task)

    def of_run(self) -> Usage:
        return _sum(tuple(self._of.values()))  # others than the gateway's thread ask as well

    def _enter(self, charge: Charge) -> None:
        call = (charge.task, charge.phase, charge.agent, charge.attempt)
        self._of[call] = self._of.get(call, Usage()) + Usage(charge.tokens, charge.cost, 1)
        for task in (RUN, charge.task):
            account = self._account(task)
            account.pay(charge.tokens.total, charge.cost)
            account.pay(charge.untold.tokens, charge.untold.cost)

    def _account(self, task: TaskId) -> _Account:
        if task not in self._accounts:
            self._accounts[task] = _Account(self._budgets.get(task, _NONE))
        return self._accounts[task]


def _sum(usages: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages:
        total += usage
    return total
