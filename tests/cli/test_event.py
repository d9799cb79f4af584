from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git


@pytest.fixture
def event(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of the programs that ``spinney`` runs as GitHub Actions sets it."""
    environment |= {
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
    }
    return environment


def test_the_time_table_asks_for_everything_to_be_brought_up_to_date(
    event: dict[str, str], spinney: Spinney, tmp_path: Path
) -> None:
    event["GITHUB_EVENT_NAME"] = "schedule"
    (tmp_path / "event.json").write_text('{"schedule": "17 3 * * *"}')
    done = spinney("event", "--output")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == {
        "do": "run",
        "issues": [],
        "label": "spinney",
        "pulls": [],
        "until": "",
        "fresh": False,
        "reason": "it is time to look at all issues with 'spinney'",
    }
    written = (tmp_path / "output").read_text().splitlines()
    assert written[1] == "run"
    mark = written[0].removeprefix("do<<")
    assert len(mark) == 32
    assert written[2] == mark


def test_a_stranger_s_words_start_nothing_and_are_nowhere(
    event: dict[str, str], spinney: Spinney, tmp_path: Path
) -> None:
    event["GITHUB_EVENT_NAME"] = "issue_comment"
    body = "hello\n::set-output name=do::run\ndo<<EOF\nrun\nEOF\n$(touch pwned)`touch pwned`"
    user = {"login": "mallory", "id": 666, "type": "User"}
    issue = {"number": 1, "title": body, "body": "/spinney run", "state": "open"}
    comment = {"body": body, "user": user, "created_at": "2026-11-20T09:00:00Z"}
    payload = {"action": "created", "issue": issue, "comment": comment, "sender": user}
    (tmp_path / "event.json").write_text(json.dumps(payload))
    done = spinney("event", "--output")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["do"] == "nothing"
    for word in ("set-output", "pwned", "EOF", "mallory"):
        assert word not in done.stdout + (tmp_path / "output").read_text()


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"schedule": 1e999}x'])
def test_what_is_no_event_is_refused(
    event: dict[str, str], spinney: Spinney, tmp_path: Path, content: str
) -> None:
    event["GITHUB_EVENT_NAME"] = "schedule"
    (tmp_path / "event.json").write_text(content)
    done = spinney("event", "--output")
    assert done.returncode == 2, done.stderr
    assert not (tmp_path / "output").exists()


def test_outside_actions_it_says_what_it_is_for(spinney: Spinney) -> None:
    done = spinney("event")
    assert done.returncode == 2
    assert "spinney init --github" in done.stderr
