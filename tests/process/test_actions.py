"""The shipped workflows, run by hand: who starts nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.actions.events import HOSTILE, commented, explained, prepare, runner
from tests.support.github.standin import GitHub

pytestmark = pytest.mark.process


@pytest.fixture
def prepared(github: GitHub) -> GitHub:
    return prepare(github)


@pytest.mark.parametrize(
    ("who", "body"),
    [
        ("mallory", "/spinney run"),
        ("mallory", HOSTILE + "\n/spinney run"),
        ("reader", "/spinney run"),
        ("triager", HOSTILE + "\n/spinney run"),
        ("ada", "> /spinney run"),
        ("ada", "```\n/spinney run\n```"),
        ("ada", "please /spinney run"),
        ("renovate[bot]", "/spinney run"),
    ],
)
def test_strangers_bots_and_quotes_start_nothing(
    prepared: GitHub, tmp_path: Path, who: str, body: str
) -> None:
    prepared.bot("renovate", "write")
    prepared.person("reader", "read")
    prepared.person("triager", "triage")
    issue = prepared.issue(HOSTILE, "/spinney run\n" + HOSTILE, author="mallory")
    one = runner(prepared, tmp_path / "one")
    results = one.start(*commented(prepared, issue.number, body, who))
    assert results["decide"] == ("skipped" if who == "mallory" else "success"), explained(one)
    assert results["work"] == results["stop"] == "skipped"
    assert prepared.pulls() == []
    assert [label.name for label in issue.labels] == []
    assert not list(tmp_path.rglob("pwned"))


def test_a_wish_to_stop_where_nothing_goes_on_is_no_mistake(prepared: GitHub, tmp_path: Path) -> None:
    issue = prepared.issue("Make it work", "It does not.")
    one = runner(prepared, tmp_path / "one")
    results = one.start(*commented(prepared, issue.number, "/spinney stop"))
    assert results == {"decide": "success", "work": "skipped", "stop": "success"}, explained(one)
    assert "no run goes on there" in one.log("Ask the run to stop")
