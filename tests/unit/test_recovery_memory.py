"""What is remembered about a repository, and what helped with which trouble."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from workflow_manager.recovery.proposals import Failure, Proposal
from workflow_manager.recovery.remembered import Recoveries
from workflow_manager.remembering import Remembered, as_it_was, hand_over

FAILURE = Failure("make x", "exit status 1", "")
INSTALL, EDIT = Proposal("no x", before="make deps"), Proposal("no y", instead="make y")


def test_what_helped_is_found_again_the_most_often_first(tmp_path: Path) -> None:
    known = Recoveries(tmp_path)
    for proposal in (EDIT, INSTALL, INSTALL):
        known.worked("trouble: x", FAILURE, proposal)
    assert Recoveries(tmp_path).known("trouble: x", FAILURE) == (INSTALL, EDIT)
    assert known.known("other trouble", FAILURE) == ()


@pytest.mark.parametrize(
    ("by_model", "kept"),
    [(True, True), (False, False), (None, True), ("no", True)],  # when in doubt, a model
)
def test_it_is_kept_that_a_model_proposed_it(tmp_path: Path, by_model: object, kept: bool) -> None:
    Recoveries(tmp_path).worked("trouble", FAILURE, INSTALL)
    [file] = tmp_path.glob("*.jsonl")
    file.write_text(file.read_text().replace('"by_model": false', f'"by_model": {json.dumps(by_model)}'))
    assert [known.by_model for known in Recoveries(tmp_path).known("trouble", FAILURE)] == [kept]


def test_what_replaced_a_command_is_for_that_command_only(tmp_path: Path) -> None:
    known = Recoveries(tmp_path)
    known.worked("trouble", FAILURE, EDIT)
    known.worked("trouble", FAILURE, INSTALL)
    assert known.known("trouble", Failure("make other", "exit status 1")) == (INSTALL,)


def test_pause_and_trouble_without_a_name_are_not_remembered(tmp_path: Path) -> None:
    known = Recoveries(tmp_path)
    known.worked("trouble", FAILURE, Proposal("slow", pause=5.0))
    known.worked("", FAILURE, INSTALL)
    assert list(tmp_path.iterdir()) == []
    Recoveries(None).worked("trouble", FAILURE, INSTALL)
    assert Recoveries(None).known("trouble", FAILURE) == ()


def test_file_is_bounded_and_keeps_the_latest(tmp_path: Path) -> None:
    file = Remembered(tmp_path / "deep" / "x.jsonl", 3)
    for number in range(5):
        file.put({"n": number}, lambda _: False)
    assert [entry["n"] for entry in file.entries()] == [2, 3, 4]
    file.put({"n": 3, "new": True}, lambda old: old["n"] == 3)
    assert file.entries() == [{"n": 2}, {"n": 4}, {"n": 3, "new": True}]


def test_what_several_write_at_once_is_all_there(tmp_path: Path) -> None:
    def write(number: int) -> None:
        Remembered(tmp_path / "x.jsonl", 100).put({"n": number}, lambda _: False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    found = sorted(entry["n"] for entry in Remembered(tmp_path / "x.jsonl", 100).entries())
    assert found == list(range(40))


def test_first_format_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "recoveries.jsonl").write_text(
        '{"format": 1}\n'
        '{"signature": "missing module: x", "why": "no x", "before": "make deps", "instead": "", "command": "", "worked": 2}\n'
    )
    assert Recoveries(tmp_path).known("missing module: x", FAILURE) == (replace(INSTALL, by_model=True),)


def test_newer_file_is_neither_read_nor_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"format": 99}\n{"n": 1}\n')
    file = Remembered(path, 3)
    assert file.entries() == []
    file.put({"n": 2}, lambda _: False)
    assert json.loads(path.read_text().splitlines()[0]) == {"format": 99}


@pytest.mark.parametrize(
    "content",
    ["", "junk", "[]\n", '{"format": 1}\n' + "[" * 100_000, '{"format": 1}\n{"signature": 1}\nnull\n7\n{'],
)
def test_broken_file_holds_nothing_and_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "recoveries.jsonl").write_text(content)
    known = Recoveries(tmp_path)
    assert known.known("trouble", FAILURE) == ()
    known.worked("trouble", FAILURE, INSTALL)
    assert known.known("trouble", FAILURE) == (INSTALL,)


def test_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Recoveries(tmp_path / "file" / "below").worked("trouble", FAILURE, INSTALL)


# --- as it was when a run began


def test_run_reads_what_was_known_when_it_began_and_writes_for_the_next(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    Recoveries(memory).worked("trouble", FAILURE, INSTALL)
    known = Recoveries(memory, as_it_was(memory, tmp_path / "run-1"))
    known.worked("other", FAILURE, EDIT)
    again = Recoveries(memory, as_it_was(memory, tmp_path / "run-1"))
    assert (again.known("trouble", FAILURE), again.known("other", FAILURE)) == ((INSTALL,), ())
    later = Recoveries(memory, as_it_was(memory, tmp_path / "run-2"))
    assert (later.known("trouble", FAILURE), later.known("other", FAILURE)) == ((INSTALL,), (EDIT,))


def test_run_that_began_without_any_memory_stays_without(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    frozen = as_it_was(memory, tmp_path / "run")
    Recoveries(memory).worked("trouble", FAILURE, INSTALL)
    assert Recoveries(memory, as_it_was(memory, tmp_path / "run")).known("trouble", FAILURE) == ()
    assert list(frozen.iterdir()) == []


def test_replay_knows_what_the_run_knew_that_it_replays(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    Recoveries(memory).worked("trouble", FAILURE, INSTALL)
    as_it_was(memory, tmp_path / "first")
    Recoveries(memory).worked("other", FAILURE, EDIT)
    hand_over(tmp_path / "first", tmp_path / "second")
    known = Recoveries(memory, as_it_was(memory, tmp_path / "second"))
    assert (known.known("trouble", FAILURE), known.known("other", FAILURE)) == ((INSTALL,), ())
    hand_over(tmp_path / "of an older version", tmp_path / "third")
    assert Recoveries(memory, as_it_was(memory, tmp_path / "third")).known("trouble", FAILURE) == ()
