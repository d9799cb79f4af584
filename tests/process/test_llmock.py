"""A second opinion: how llmock judges the gateway and the loop as a client of a server that has a bad day.

It sees every attempt with its timing, and finds fault with early retries, storms, hopeless retries, constant
intervals, and half answers that were taken for whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from shared.retry import Policy
from tests.support.messages_gateway import Through, through
from workflow_manager.backends.port import AgentReport

pytestmark = pytest.mark.process

KEY = "sk-ant-nobody-checks-it"


@pytest.fixture
def mock() -> Iterator[LLMock]:
    """A server for each test: its threads end with it."""
    with LLMockServer() as server:
        yield LLMock(server)


@pytest.fixture
def way(mock: LLMock) -> Iterator[Through]:
    # Waits that can be told from none at all.
    policy = Policy(tries=6, first=0.2, longest=2.0)
    with through(mock.base_url("anthropic"), KEY, policy=policy) as way:
        yield way


def ends_well(mock: LLMock, way: Through, root: Path, broken: int) -> AgentReport:
    """An agent that writes a file and finishes, although ``broken`` of its answers break off."""
    for _ in range(1 + broken):
        mock.call_tool("bash", {"command": "echo done >> done.txt"})
    mock.call_tool("finish", {"summary": "done"})
    report = way.work(root, "t0")
    assert report.ok, report.reason
    assert (root / "worktree" / "done.txt").read_text() == "done\n"
    return report


@pytest.mark.parametrize(
    "fault",
    [
        lambda mock: mock,
        lambda mock: mock.rate_limit(times=2, retry_after=1.0),
        lambda mock: mock.fail(529, times=3),
        lambda mock: mock.fail(500, times=2),
        lambda mock: mock.fail(503, times=5),
        lambda mock: mock.stall(after_chunks=2, seconds=0.5),
        lambda mock: mock.slow_first_token(0.5),
        lambda mock: mock.delay(0.5),
    ],
    ids=[
        "nothing",
        "two rate limits",
        "three overloads",
        "two errors",
        "five times unavailable",
        "a short stall",
        "a slow first token",
        "a slow answer",
    ],
)
def test_client_is_resilient_without_a_warning(
    mock: LLMock, way: Through, tmp_path: Path, fault: Callable[[LLMock], LLMock]
) -> None:
    fault(mock)
    ends_well(mock, way, tmp_path, broken=0)
    mock.assert_resilient(strict=True)


@pytest.mark.parametrize("chunks", [0, 1, 4])
@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
def test_broken_answer_is_asked_for_again_and_not_used(
    mock: LLMock, way: Through, tmp_path: Path, kind: str, times: int, chunks: int
) -> None:
    getattr(mock, kind)(after_chunks=chunks, times=times)
    ends_well(mock, way, tmp_path, broken=times)
    mock.assert_resilient(strict=True)


@pytest.mark.parametrize("chunks", [1, 4])
def test_answer_with_a_piece_that_is_no_json_is_asked_for_again(
    mock: LLMock, way: Through, tmp_path: Path, chunks: int
) -> None:
    mock.corrupt(after_chunks=chunks)
    ends_well(mock, way, tmp_path, broken=1)
    assert len(mock.requests) == 3
    mock.assert_resilient()  # not strict: it cannot see why an answer that arrived whole is asked for again


@pytest.mark.parametrize("kind", ["malformed_arguments", "unknown_tool"])
def test_broken_tool_call_is_told_to_the_model_and_not_carried_out(
    mock: LLMock, way: Through, tmp_path: Path, kind: str
) -> None:
    mock.break_tool_call(kind)
    mock.call_tool("bash", {"command": "echo done >> done.txt"})
    ends_well(mock, way, tmp_path, broken=0)
    mock.assert_resilient()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_cannot_go_well_is_not_tried_again(
    mock: LLMock, way: Through, tmp_path: Path, status: int
) -> None:
    mock.fail(status, times=None)
    report = way.work(tmp_path, "t0")
    assert not report.ok
    assert len(mock.requests) == 1
    mock.assert_resilient(strict=True)


def test_outage_is_given_up_in_time_and_is_no_storm(mock: LLMock, tmp_path: Path) -> None:
    mock.outage()
    with through(mock.base_url("anthropic"), KEY, outage=1.5) as way:
        report = way.work(tmp_path, "t0")
    assert not report.ok
    assert "no answer from the model API for 2 s" in report.reason
    mock.assert_resilient()
