"""The ``anthropic`` backend behind the real gateway: waits, budgets, faults, and being stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.model import Spending
from tests.process.test_gateway import CODER, TASK, Between, between
from tests.support.messages import Asked, Fault, Reply
from tests.support.model_agent import Desk, Script, create, desk_in, finish
from workflow_manager.backends import registry
from workflow_manager.backends.port import AgentReport

pytestmark = pytest.mark.process
WORK = (Reply("On it.", [create("a.txt", "x")]), finish("made a.txt"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


def run(desk: Desk, it: Between, **fields: Any) -> AgentReport:
    call = desk.call(gateway=it.gateway.access(TASK), token=it.token(), **fields)
    return registry.make("anthropic").run(call)


def test_agent_s_figures_are_the_server_s_and_the_gateway_s(desk: Desk) -> None:
    with between(Script(*WORK)) as it:
        report = run(desk, it)
        assert (report.ok, report.summary) == (True, "made a.txt")
        assert report.tokens == it.server.billed == it.link().usage().tokens
        assert it.server.violations == []


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(529), Fault(500)],
        [Fault.refuse_connection(), Fault(429, {"retry-after": "0"})],
        [Fault.cut(4), Fault.early_end(4)],
        [Fault.error_event(), Fault.cut(2)],
    ],
    ids=["before the answer", "no answer", "in the answer", "error in the answer"],
)
def test_bad_day_changes_nothing_of_the_result(desk: Desk, faults: list[Fault]) -> None:
    with between(Script(*faults, *WORK)) as it:
        assert run(desk, it).summary == "made a.txt"
        assert desk.read("a.txt") == "x"
        assert len(it.server.asked) == len(faults) + 2


def test_spent_budget_ends_the_agent_so_that_it_can_be_gone_on_with(desk: Desk) -> None:
    with between(Script(*WORK), budget=Spending(tokens=1)) as it:
        report = run(desk, it)
        assert (report.ok, report.spent, report.final) == (False, True, True)
        assert "budget" in report.reason
        assert it.server.billed.total == 0
    with between(Script(*WORK)) as it:
        assert run(desk, it, resumed=True).ok


def test_waiting_for_a_rate_limit_takes_nothing_of_the_agent_s_time(desk: Desk) -> None:
    with between(Script(Fault(429, {"retry-after": "3"}), *WORK)) as it:
        started = time.monotonic()
        report = run(desk, it, timeout=1.5)
        assert report.ok, report.reason
        assert time.monotonic() - started > 3.0
    assert desk.beats >= 2


def test_stop_aborts_the_request_that_is_open_upstream(desk: Desk) -> None:
    arrived = threading.Event()

    def never(asked: Asked) -> Fault:
        arrived.set()
        return Fault.hang(after_events=1)

    with between(never) as it:
        stopped: list[float] = []

        def stop() -> None:
            arrived.wait(10.0)
            stopped.append(time.monotonic())
            desk.cancel.set()

        thread = threading.Thread(target=stop)
        thread.start()
        report = run(desk, it)
        thread.join()
        assert report.cancelled
        assert time.monotonic() - stopped[0] < 1.0
        standing = it.link().standing()
        assert standing is not None
        assert standing.in_flight == 0


def test_token_of_another_task_is_final(desk: Desk) -> None:
    with between(Script(*WORK)) as it:
        call = desk.call(gateway=it.gateway.access(TASK), token=f"{it.token(CODER)}x")
        report = registry.make("anthropic").run(call)
        assert (report.ok, report.final) == (False, True)
        assert it.server.asked == []
