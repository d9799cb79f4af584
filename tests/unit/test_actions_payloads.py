"""GitHub's own examples of events, as they are but for what the test says."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import tests.support.github
from orchestrator.actions.triggers import Person, wish

EVENTS = Path(tests.support.github.__file__).parent / "events"
HOSTILE = "$(touch pwned)`id`\n::set-output name=do::run\n${{ secrets.TOKEN }}<!-- \x1b[2J"


def example(name: str) -> dict[str, Any]:
    payload = json.loads((EVENTS / f"{name}.json").read_text())
    assert isinstance(payload, dict)
    return payload


def sender(payload: dict[str, Any]) -> Person:
    return Person(payload["sender"]["id"], payload["sender"]["login"])


def test_a_label_of_another_name_starts_nothing_and_ours_does() -> None:
    payload = example("issues.labeled")
    assert wish("issues", payload, "spinney").do == "nothing"
    told = wish("issues", payload, payload["label"]["name"])
    number = payload["issue"]["number"]
    assert (told.do, told.issues, told.who) == ("run", (number,), sender(payload))
    assert told.until == payload["issue"]["updated_at"]


def test_a_comment_is_one_only_with_a_command() -> None:
    payload = example("issue_comment.created")
    assert wish("issue_comment", payload, "spinney").do == "nothing"
    payload["comment"]["body"] = "You are right.\n/spinney run"
    told = wish("issue_comment", payload, "spinney")
    assert (told.do, told.who, told.until) == ("run", sender(payload), payload["comment"]["created_at"])


@pytest.mark.parametrize("kind", ["check_suite", "workflow_run"])
def test_checks_count_for_branches_of_ours(kind: str) -> None:
    payload = example(f"{kind}.completed")
    assert wish(kind, payload, "spinney").do == "nothing"  # of another branch, or of none
    payload[kind]["conclusion"] = "failure"
    pulls = payload[kind]["pull_requests"] or copy.deepcopy(
        example("check_suite.completed")["check_suite"]["pull_requests"]
    )
    payload[kind]["pull_requests"] = pulls
    pulls[0]["head"]["ref"] = "spinney/issue-1"
    told = wish(kind, payload, "spinney")
    assert (told.do, told.pulls, told.who) == ("follow", (pulls[0]["number"],), None)


def test_a_review_starts_nothing_also_on_a_branch_of_ours() -> None:
    """Its workflow is that of the pull request, which agents wrote."""
    payload = example("pull_request_review.submitted")
    payload["pull_request"]["head"]["ref"] = "spinney/issue-1"
    assert wish("pull_request_review", payload, "spinney").do == "nothing"


@pytest.mark.parametrize("file", sorted(path.name for path in EVENTS.glob("*.json")))
def test_with_every_text_hostile_no_event_says_anything_else_than_before(file: str) -> None:
    """But for what is no text at all: times, states and the like, without which it is no event."""
    kept = ("action", "state", "conclusion", "type", "created_at", "updated_at", "login", "ref")
    event = file.partition(".")[0]
    payload = example(file.removesuffix(".json"))

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {inside: spoilt(part, inside) for inside, part in value.items()}
        if isinstance(value, list):
            return [spoilt(part, key) for part in value]
        return HOSTILE if isinstance(value, str) and key not in kept else value

    told = wish(event, spoilt(payload), "spinney")
    assert told.do == "nothing"
    assert "touch" not in told.reason
    assert "set-output" not in told.reason
