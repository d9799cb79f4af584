from __future__ import annotations

import copy
from typing import Any

import pytest

from orchestrator.actions.triggers import Person, Wish, wish
from shared.errors import UserError

ADA = {"login": "ada", "id": 7, "type": "User"}
BOT = {"login": "renovate[bot]", "id": 8, "type": "Bot"}
WHO = Person(7, "ada")
THEN = "2026-11-20T09:00:00Z"
ISSUE = {
    "number": 12,
    "state": "open",
    "title": "$(id)",
    "body": "/spinney stop",
    "updated_at": THEN,
    "user": BOT,
}
REPO = {"id": 1, "full_name": "octo-org/widgets"}
FORK = {"id": 2, "full_name": "mallory/widgets"}


def labeled(name: str = "spinney", **changed: Any) -> dict[str, Any]:
    return {"action": "labeled", "issue": ISSUE | changed, "label": {"name": name}, "sender": ADA}


def comment(body: str, user: dict[str, Any] = ADA, action: str = "created", **changed: Any) -> dict[str, Any]:
    said = {"id": 99, "body": body, "user": user, "created_at": THEN, "updated_at": "2026-11-20T10:00:00Z"}
    return {"action": action, "issue": ISSUE | changed, "comment": said, "sender": user}


def pull(ref: str = "spinney/issue-12", repo: dict[str, Any] | None = REPO) -> dict[str, Any]:
    return {
        "number": 31,
        "state": "open",
        "head": {"ref": ref, "repo": repo},
        "base": {"ref": "main", "repo": REPO},
    }


def suite(*pulls: dict[str, Any], conclusion: str = "failure", kind: str = "check_suite") -> dict[str, Any]:
    return {
        "action": "completed",
        kind: {"conclusion": conclusion, "pull_requests": list(pulls)},
        "sender": BOT,
    }


def test_our_label_on_an_open_issue_runs_what_has_it() -> None:
    told = wish("issues", labeled(), "spinney")
    assert told == Wish(
        "run", "#12 got the label 'spinney'", (12,), "spinney", until=THEN, who=WHO, marked=True
    )
    assert told.marks == ()  # when that person put it on counts, not when we would
    assert wish("issues", labeled("Spinney"), "spinney").do == "run"  # GitHub's labels know no case


@pytest.mark.parametrize(
    "payload", [labeled("bug"), labeled(state="closed"), {**labeled(), "action": "unlabeled"}]
)
def test_other_labels_and_closed_issues_start_nothing(payload: dict[str, Any]) -> None:
    assert wish("issues", payload, "spinney").do == "nothing"


def test_commands_in_comments_say_what_to_do_and_run_becomes_the_label() -> None:
    run = wish("issue_comment", comment("/spinney run"), "spinney")
    assert (run.do, run.issues, run.label, run.until, run.who, run.marks) == (
        "run",
        (12,),
        "spinney",
        THEN,
        WHO,
        (12,),
    )
    retry = wish("issue_comment", comment("/spinney retry"), "spinney")
    assert (retry.do, retry.issues, retry.label, retry.marks) == (
        "retry",
        (12,),
        "",
        (),
    )  # that issue alone anew
    stop = wish("issue_comment", comment("/spinney stop"), "spinney")
    assert (stop.do, stop.issues, stop.who) == ("stop", (), WHO)


def test_a_command_on_a_pull_request_follows_it() -> None:
    told = wish("issue_comment", comment("/spinney retry", pull_request={"url": "…"}), "spinney")
    assert (told.do, told.pulls, told.who) == ("follow", (12,), WHO)


@pytest.mark.parametrize(
    "payload",
    [
        comment("/spinney run", action="edited"),
        comment("/spinney run", action="deleted"),
        comment("> /spinney run"),
        comment("/spinney run", state="closed"),
        {**comment("/spinney run"), "sender": BOT},
    ],
)
def test_edited_quoted_and_borrowed_comments_start_nothing(payload: dict[str, Any]) -> None:
    assert wish("issue_comment", payload, "spinney").do == "nothing"


def test_who_wrote_the_comment_is_asked_for_and_not_who_wrote_the_issue() -> None:
    told = wish("issue_comment", comment("/spinney run", user=BOT), "spinney")
    assert told.who == Person(8, "renovate[bot]", bot=True)


def test_a_list_by_hand_is_read_as_numbers_and_nothing_else() -> None:
    told = wish("workflow_dispatch", {"inputs": {"issues": "#12, 15\n12"}, "sender": ADA}, "spinney")
    assert (told.do, told.issues, told.label, told.marks) == ("run", (12, 15), "spinney", (12, 15))
    assert wish("workflow_dispatch", {"inputs": None, "sender": ADA}, "spinney").issues == ()
    for wrong in ("--fresh", "12;id", "$(id)", "x/y#3", "0", "١٢", "1" * 11):
        with pytest.raises(UserError):
            wish("workflow_dispatch", {"inputs": {"issues": wrong + " zz"}, "sender": ADA}, "spinney")


def test_the_schedule_asks_nobody() -> None:
    told = wish("schedule", {"schedule": "17 3 * * *"}, "spinney")
    assert (told.do, told.label, told.who, told.until) == ("run", "spinney", None, "")


@pytest.mark.parametrize("kind", ["check_suite", "workflow_run"])
def test_checks_of_our_pull_requests_are_followed(kind: str) -> None:
    told = wish(kind, suite(pull(), pull("feature"), kind=kind), "spinney")
    assert (told.do, told.pulls, told.label) == ("follow", (31,), "spinney")
    for other in (
        suite(kind=kind),
        suite(pull("feature"), kind=kind),
        suite(pull(repo=FORK), kind=kind),
        suite(pull(repo=None), kind=kind),
        suite(pull(), conclusion="cancelled", kind=kind),
    ):
        assert wish(kind, other, "spinney").do == "nothing"


def test_an_event_that_is_not_known_starts_nothing() -> None:
    for event in ("pull_request_target", "pull_request", "pull_request_review", "push", "", "__class__"):
        assert wish(event, {}, "spinney").do == "nothing"


EVENTS = {
    "issues": labeled(),
    "issue_comment": comment("/spinney run"),
    "workflow_dispatch": {"inputs": {"issues": "1"}, "sender": ADA},
    "check_suite": suite(pull()),
}


def _without(payload: Any, path: tuple[str, ...]) -> Any:
    payload = copy.deepcopy(payload)
    at = payload
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = ["odd"]
    return payload


def _paths(payload: Any, so_far: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(payload, dict):
        return []
    return [path for key in payload for path in [(*so_far, key), *_paths(payload[key], (*so_far, key))]]


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_of_another_shape_is_told_or_starts_nothing_and_never_more(event: str) -> None:
    whole = wish(event, EVENTS[event], "spinney")
    for path in _paths(EVENTS[event]):
        try:
            told = wish(event, _without(EVENTS[event], path), "spinney")
        except UserError:  # of another kind
            continue
        assert told.do == "nothing" or (told.do, told.who) == (whole.do, whole.who)


def test_no_text_of_an_event_is_in_its_answer() -> None:
    for event, payload in EVENTS.items():
        assert "$(id)" not in repr(wish(event, payload, "spinney"))
