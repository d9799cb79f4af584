"""What was asked for and is no task of a run is told wherever the run is."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator import left_out
from orchestrator.events import plan_fields
from orchestrator.plan import make_plan
from orchestrator.reporting.report import to_json, to_markdown
from orchestrator.runs import Place
from orchestrator.view import RunView
from shared.model import LeftOut, Settings
from tests.support import build

CLOSED = LeftOut("#7", "Fix the\nlogin", "it is closed", None, "https://github.com/octo/repo/issues/7")
IN_WORK = LeftOut("#8", "", "pull request #21 is open\x1b[2J", 21)


def view() -> RunView:
    plan = make_plan([build.task("issue-9")], Settings(), [CLOSED, IN_WORK])
    started = {
        "event": "run.started",
        "time": 1.0,
        "run": build.RUN,
        "base": build.oid(1),
        **plan_fields(plan),
    }
    return RunView.of([started])


def test_the_journal_tells_what_was_left_out() -> None:
    assert view().left_out == (CLOSED, IN_WORK)


def test_a_journal_of_an_older_version_tells_of_nothing() -> None:
    plan = make_plan([build.task("a")], Settings())
    assert "left_out" not in plan_fields(plan)
    assert left_out.of_data([{"issue": "#7"}]) == (LeftOut("#7", "", ""),)


def test_machines_get_each_with_its_reason() -> None:
    shown = to_json(view(), 2.0)["left_out"]
    assert shown[0] == {
        "issue": "#7",
        "title": "Fix the\nlogin",
        "reason": "it is closed",
        "url": "https://github.com/octo/repo/issues/7",
        "pull_request": None,
    }
    assert shown[1]["pull_request"] == 21


def test_people_get_a_line_each_that_can_be_printed() -> None:
    expected = ["left out #7 (Fix the login): it is closed", "left out #8: pull request #21 is open"]
    assert left_out.lines(view().left_out) == expected
    assert all(f"- {line}\n" in to_markdown(view(), 2.0) for line in expected)


def test_a_plan_of_an_older_version_is_read(tmp_path: Path) -> None:
    place = Place(tmp_path / ".git", tmp_path)
    plan = make_plan([build.task("a")], Settings(), [CLOSED])
    file = place.create(build.RUN, plan) / "plan.json"
    assert place.plan(build.RUN) == plan
    written = json.loads(file.read_text())
    del (
        written["left_out"],
        written["tasks"][0]["issue"],
        written["settings"]["forge"],
        written["settings"]["github"],
    )
    file.write_text(json.dumps(written))
    assert place.plan(build.RUN) == make_plan([build.task("a")], Settings())
