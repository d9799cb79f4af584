from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import history
from orchestrator.history import History, record
from orchestrator.history.past_runs import PastRun
from shared.lock import RepositoryLock
from shared.model import Plan
from shared.profiling import timed
from tests.support.build import agent, phase, plan, task, workflow
from tests.support.past import execution, past_run
from tests.support.story import Story

SAMPLE = Path(__file__).parent / "samples" / "history-format-1.jsonl"
A_PLAN: Plan = plan(task("a", workflow=workflow(phase("work", agent(prompt="x")), name="autodev")))


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[RepositoryLock]:
    with RepositoryLock(tmp_path) as held:
        yield held


def ran(run: str, seconds: float = 1.0, status: str = "succeeded") -> Story:
    story = Story("a", run=run).start("a").agent("a", seconds).over("a")
    return story.merge("a", 32).end(status)


def keep(lock: RepositoryLock, run: str, seconds: float = 1.0) -> None:
    record(lock, ran(run, seconds).view, A_PLAN)


def known(lock: RepositoryLock) -> list[tuple[str, float]]:
    runs = History.load(lock.state / history.FILE).runs
    return [(run.run, run.executions[0].seconds) for run in runs]


def write(path: Path, *runs: PastRun) -> bytes:
    history.write(path, runs)
    return path.read_bytes()


def _begins(data: bytes) -> list[int]:
    return [found.start() for found in re.finditer(rb'"n":1,', data)]


def test_repository_without_a_history_has_an_empty_one(tmp_path: Path) -> None:
    found = History.load(tmp_path / "history.jsonl")
    assert (found.runs, found.notes, list(found.samples())) == ((), (), [])


def test_runs_are_read_as_they_were_recorded(lock: RepositoryLock) -> None:
    keep(lock, "one", 2.0)
    first = (lock.state / history.FILE).read_bytes()
    keep(lock, "two", 3.0)
    assert (lock.state / history.FILE).read_bytes().startswith(first)  # appended
    found = History.load(lock.state / history.FILE)
    assert [run.run for run in found.runs] == ["one", "two"]
    assert [(sample.key.agent, sample.seconds, sample.ok) for sample in found.samples()] == [
        ("CODER", 2.0, True),
        ("CODER", 3.0, True),
    ]
    assert found.notes == ()


def test_every_figure_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    whole = past_run(
        1, execution(2.5, task="t", attempt=2, ok=False, slot=0.5, tokens=7, context=9, digest="ab")
    )
    write(path, whole, past_run(2))
    assert History.load(path).runs == (whole, past_run(2))


def test_run_that_was_resumed_counts_as_it_was_recorded_last(lock: RepositoryLock) -> None:
    for run, seconds in (("one", 2.0), ("two", 3.0), ("one", 9.0)):
        keep(lock, run, seconds)
    assert known(lock) == [("two", 3.0), ("one", 9.0)]
    assert (lock.state / history.FILE).read_bytes().count(b'"run":"one"') == 1


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_cut_anywhere_keeps_what_is_whole_and_is_mended_by_the_next_record(
    lock: RepositoryLock, data: st.DataObject
) -> None:
    path = lock.state / history.FILE
    runs = [past_run(number, execution(1.0), execution(2.0)) for number in range(3)]
    whole = write(path, *runs)
    end = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:end])
    ends = [whole.index(b"\n", whole.index(b'"n":3', place)) for place in _begins(whole)]
    found = History.load(path)
    assert found.runs == tuple(run for run, last in zip(runs, ends, strict=True) if last < end)
    keep(lock, "next")
    after = History.load(path)
    assert [run.run for run in after.runs] == [*(run.run for run in found.runs), "next"]
    assert after.damaged == 0


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_byte_that_is_damaged_costs_two_runs_at_most_and_never_an_error(
    lock: RepositoryLock, data: st.DataObject
) -> None:
    path = lock.state / history.FILE
    runs = [past_run(number, execution(1.0), execution(2.0)) for number in range(4)]
    whole = bytearray(write(path, *runs))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(whole))
    found = History.load(path)
    assert len(found.runs) >= 2
    assert all(run in runs for run in found.runs)
    assert found.notes or list(found.runs) == runs  # a digit of a checksum may be in upper case


def test_damage_is_told_and_gone_after_the_next_record(lock: RepositoryLock) -> None:
    path = lock.state / history.FILE
    whole = write(path, past_run(1, execution(1.0)), past_run(2, execution(2.0)), past_run(3, execution(3.0)))
    path.write_bytes(whole.replace(b'"seconds":2.0', b'"seconds":9.0'))
    found = History.load(path)
    assert [run.seconds for run in found.runs] == [1.0, 3.0]
    assert found.notes == ("the history of earlier runs holds one damaged record, which is passed over",)
    keep(lock, "next", 4.0)
    assert [run.seconds for run in History.load(path).runs] == [1.0, 3.0, 4.0]
    assert History.load(path).notes == ()


def test_file_of_something_else_is_no_history_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for content in (b"\n", b"nonsense", b'12 00000000 {"n":1,}\n', b"\xff\xfe" * 50):
        path.write_bytes(content)
        assert (History.load(path).runs, History.load(path).damaged) == ((), 1)


def test_history_that_cannot_be_read_or_written_is_no_failure_of_a_run(lock: RepositoryLock) -> None:
    path = lock.state / history.FILE
    path.mkdir()
    assert History.load(path).notes == (
        f"the history of earlier runs cannot be read: {path}: Is a directory",
    )
    keep(lock, "one")
    assert path.is_dir()


def test_only_the_latest_runs_are_kept(lock: RepositoryLock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_RUNS", 3)
    for number in range(5):
        keep(lock, f"run{number}")
    assert [run for run, _ in known(lock)] == ["run2", "run3", "run4"]


def test_runs_that_hold_too_much_push_out_older_ones_but_not_themselves(
    lock: RepositoryLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_EXECUTIONS", 4)
    path = lock.state / history.FILE
    write(path, *(past_run(number, *[execution(1.0)] * 2) for number in range(2)))
    keep(lock, "next")
    assert len(History.load(path).runs) == 2
    big = past_run(7, *[execution(1.0)] * 9)
    assert history._bounded([past_run(1, execution(1.0)), big]) == [big]


def test_largest_history_is_read_quickly(tmp_path: Path) -> None:
    """A tenth of a second on a slow processor; the limit is for machines that do much else."""
    path = tmp_path / "history.jsonl"
    write(path, *(past_run(number, *[execution(1.0)] * 25) for number in range(200)))
    with timed() as timing:
        assert len(History.load(path).runs) == 200
    assert timing.seconds < 5.0


def test_sample_of_format_1_is_still_read() -> None:
    found = History.load(SAMPLE)
    assert found.notes == ()
    assert [(run.run, run.status, run.workflows, run.merged) for run in found.runs] == [
        ("20231114-000001-abcd", "failed", ("autodev", "command"), 1),
        ("20231114-000002-abcd", "succeeded", ("autodev",), 2),
    ]
    assert [sample.seconds for sample in found.samples()] == [30.5, 12.0, 1.25, 31.0]
