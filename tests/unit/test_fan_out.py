"""Which tasks become jobs, and the plan as a file that travels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from orchestrator.fan_out import plan_file
from orchestrator.fan_out.handed import find
from orchestrator.fan_out.waves import first_waves, matrix
from shared.errors import UserError
from shared.model import Identity, Issue, LeftOut, Oid, Task, TaskId
from tests.support.build import graphs, oid, plan, task

HOSTILE = "Fix \x1b[31m${{ secrets.TOKEN }}\n::set-output name=x::\u202e y" + "z" * 100


def test_each_wave_is_a_list_of_jobs() -> None:
    made = matrix(first_waves(plan(task("a"), task("b", "a"), task("c"))), "d" * 64)
    assert made == {
        "digest": "d" * 64,
        "tasks": 3,
        "waves": [
            [{"task": "a", "title": "A", "needs": []}, {"task": "c", "title": "C", "needs": []}],
            [{"task": "b", "title": "B", "needs": ["a"]}],
        ],
        "left_out": [],
    }


def test_nothing_to_do_is_no_waves() -> None:
    left = LeftOut("#7", "Seven", "it is in work", 12, "https://github.com/o/r/issues/7")
    made = matrix(first_waves(_leaving(left)), "")
    assert (made["waves"], made["tasks"]) == ([], 0)
    assert made["left_out"] == [
        {"source": "#7", "title": "Seven", "reason": "it is in work", "pull": 12, "url": left.url}
    ]


def _leaving(left: LeftOut) -> Any:
    from dataclasses import replace

    return replace(plan(), left_out=(left,))


def test_deeper_tasks_are_for_the_next_run() -> None:
    issue = Issue("o/r", 3, "https://github.com/o/r/issues/3")
    shorter = first_waves(
        plan(task("a"), task("b", "a"), task("c", "b", issue=issue), task("d", "c")), waves=2
    )
    assert shorter.waves == (("a",), ("b",))
    assert [(one.source, one.reason, one.url) for one in shorter.left_out] == [
        ("#3", "it is in wave 3, and 2 are run: it is for the next run", issue.url),
        ("d", "it is in wave 4, and 2 are run: it is for the next run", ""),
    ]


def test_wave_has_no_more_jobs_than_github_makes() -> None:
    shorter = first_waves(plan(task("a"), task("b"), task("c"), task("d", "c")), at_once=2)
    assert shorter.order == ("a", "b")
    assert [(one.source, one.reason) for one in shorter.left_out] == [
        ("c", "a wave has at most 2 tasks: it is for the next run"),
        ("d", "its need c is left out: it is for the next run"),
    ]


@given(graphs(always=True))
def test_tasks_that_are_run_have_all_their_needs_and_nothing_is_lost(tasks: list[Task]) -> None:
    shorter = first_waves(plan(*tasks), waves=2, at_once=2)
    kept = {one.id for one in shorter.tasks}
    assert all(need.task in kept for one in shorter.tasks for need in one.needs)
    assert len(shorter.tasks) + len(shorter.left_out) == len(tasks)
    assert all(len(wave) <= 2 for wave in shorter.waves)
    assert len(shorter.waves) <= 2


def test_titles_are_one_short_printable_line() -> None:
    [[entry]] = matrix(first_waves(plan(task("a", title=HOSTILE))), "")["waves"]
    assert len(entry["title"]) == 60
    assert entry["title"].isprintable()


def written(path: Path, *tasks: Task, **settings: Any) -> plan_file.PlanFile:
    return plan_file.write(path, plan(*tasks, **settings), oid(1), 1_700_000_000.25)


def test_plan_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    made = written(path, task("a", body=HOSTILE, foreign=True), task("b", "a!"), gate="make test", jobs=3)
    assert plan_file.read(path) == made
    assert plan_file.read(path, made.digest) == made


def test_plan_says_as_whom_jobs_commit(tmp_path: Path) -> None:
    path, who = tmp_path / "plan.json", Identity("Ada Lovelace", "ada@example.com")
    made = plan_file.write(path, plan(task("a")), oid(1), 1.0, identity=who)
    assert plan_file.read(path) == made
    assert made.identity == who
    assert plan_file.write(path, plan(task("a")), oid(1), 1.0).digest != made.digest


def test_plan_of_before_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    made = written(path, task("a"))
    content = json.loads(path.read_text())
    del content["identity"], content["digest"]
    path.write_text(json.dumps({"digest": plan_file._digest(content), **content}))
    assert (plan_file.read(path).identity, plan_file.read(path).plan) == (None, made.plan)


def test_same_plan_has_the_same_digest_and_another_one_has_not(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("1", "2", "3"))
    digests = [written(one, task("a")), written(two, task("a")), written(three, task("a", body="x"))]
    assert digests[0].digest == digests[1].digest != digests[2].digest


def changed(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_changed_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    written(path, task("a"))
    changed(path, lambda content: content["plan"]["settings"].update(gate="true"))
    with pytest.raises(UserError, match="is not the plan that was made"):
        plan_file.read(path)


def test_another_plan_than_the_one_that_was_meant_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    written(path, task("a"))
    with pytest.raises(UserError, match=r"its digest is \w{12}, not eeeeeeeeeeee"):
        plan_file.read(path, "e" * 64)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read"),
        ("nonsense", "it is not JSON"),
        ("[]", "is not a plan"),
        ('{"plan": {}, "format": 2}', "has the format 2"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "plan.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=why):
        plan_file.read(path)


def test_plan_of_another_version_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    content = {"format": 1, "base": Oid("1" * 40), "made": 1.0, "plan": {"tasks": [{"id": TaskId("a")}]}}
    path.write_text(json.dumps({"digest": plan_file._digest(content), **content}))
    with pytest.raises(UserError, match="is not a plan that this version reads"):
        plan_file.read(path)


def test_plan_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path / "file" / "plan.json", "File exists|Not a directory"),
        (tmp_path / "file" / "more" / "plan.json", "Not a directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(UserError, match=f"cannot be written: ({why})") as refused:
            written(path, task("a"))
        assert refused.value.hints == ("name another file, in a folder of yours: --out FILE",)


def test_folder_of_a_plan_is_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "plan.json"
    written(path, task("a"))
    assert plan_file.read(path).plan.tasks[0].id == "a"


# --- what was handed back


def test_a_folder_that_may_not_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    assert find([tmp_path, tmp_path / "nowhere"], TaskId("a")) == []
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(UserError, match=f"{tmp_path} cannot be looked into: Permission denied"):
        find([tmp_path], TaskId("a"))
