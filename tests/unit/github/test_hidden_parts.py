"""Half an answer is not taken for a whole one: what may not be seen has not passed."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.following.rules import decide
from orchestrator.following.words import Branch, Land, Left, Policy, Ready, Seen
from shared.errors import SpinneyError
from shared.forge.github.errors import TooMuch
from shared.forge.github.forge import GitHubForge
from shared.forge.github.notes import Notes
from shared.forge.github.transport import Raw
from shared.forge.github.watching import GitHubWatched
from shared.forge.port import PullState, Sought
from shared.forge.watching import Standing
from shared.model import Oid
from tests.support.github_script import Scripted, raw, scripted

TIP, BASE = Oid("a" * 40), Oid("b" * 40)
COMMIT = ["repository", "p1", "commits", "nodes", 0, "commit", "statusCheckRollup"]


def node(rollup: object) -> dict[str, Any]:
    return {
        "number": 1, "url": "u", "title": "t", "body": "", "state": "OPEN", "isDraft": False,
        "isCrossRepository": False, "headRefName": "spinney/a", "headRefOid": TIP, "baseRefName": "main",
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "mergeCommit": None,
        "labels": {"nodes": []}, "mergeable": "MERGEABLE", "reviewDecision": None, "isInMergeQueue": False,
        "autoMergeRequest": None, "baseRef": {"target": {"oid": BASE}}, "reviews": {"nodes": []},
        "reviewThreads": {"nodes": []}, "viewerDidAuthor": True, "authorAssociation": "OWNER",
        "author": {"__typename": "User", "login": "octocat"},
        "commits": {"nodes": [{"commit": {"oid": TIP, "statusCheckRollup": rollup}}]},
    }  # fmt: skip


def contexts(*nodes: object) -> dict[str, Any]:
    return {"contexts": {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": list(nodes)}}


def refused(*path: str | int, kind: str = "FORBIDDEN") -> dict[str, Any]:
    message = "Resource not accessible by personal access token"
    return {"type": kind, "path": list(path), "message": message}


def answered(there: dict[str, Any], *errors: dict[str, Any], times: int = 1) -> Scripted:
    return scripted([raw(200, {"data": {"repository": there}, "errors": list(errors)})] * times)


def standing(it: Scripted) -> Standing:
    return GitHubWatched(it.client, "o/r", lambda login, association: True).standing([1])[1]


def decided(standing: Standing) -> object:
    branch = Branch(TIP, (TIP,), frozenset(), True, False)
    return decide(Seen(standing, branch, bases=frozenset({"main"})), Policy(3, "now"), 2e9)


@pytest.mark.parametrize("rollup", [None, contexts(None, None)])
def test_checks_that_may_not_be_seen_have_not_passed(rollup: object) -> None:
    seen = standing(answered({"p1": node(rollup)}, refused(*COMMIT)))
    assert seen.unseen
    decision = decided(seen)
    assert isinstance(decision, Left)
    assert "may not see" in decision.why


def test_refusal_without_a_place_is_about_everything() -> None:
    assert standing(answered({"p1": node(None)}, refused())).unseen


def test_what_is_hidden_of_one_keeps_no_other() -> None:
    assert not standing(answered({"p1": node(None)}, refused("repository", "p12", "commits"))).unseen


def test_pull_request_without_checks_is_brought_in_as_ever() -> None:
    assert isinstance(decided(standing(answered({"p1": node(None)}))), Land | Ready)


def test_half_an_answer_is_asked_for_again() -> None:
    broken = raw(
        200, {"data": {"repository": {"p1": None}}, "errors": [refused(*COMMIT[:2], kind="INTERNAL")]}
    )
    whole = raw(200, {"data": {"repository": {"p1": node(None)}}})
    it = scripted([broken, whole])
    assert not standing(it).unseen
    assert len(it.script.requests) == 2


TOO_MUCH = raw(
    200,
    {"data": {"repository": None}, "errors": [refused("repository", kind="RESOURCE_LIMITS_EXCEEDED")]},
)


def test_question_that_is_too_much_is_not_asked_again() -> None:
    it = scripted([TOO_MUCH])
    with pytest.raises(TooMuch):
        GitHubForge(it.client, "o/r", None).find([Sought("spinney/a", "m")])  # type: ignore[arg-type]
    assert len(it.script.requests) == 1


def test_one_pull_request_that_is_too_much_is_left_to_people_and_hides_no_other() -> None:
    def one(number: int) -> Raw:
        return raw(200, {"data": {"repository": {f"p{number}": {**node(None), "number": number}}}})

    notes = Notes()
    # Of all, of the first, of the other two, of each of these.
    it = scripted([TOO_MUCH, TOO_MUCH, TOO_MUCH, one(2), one(3)])
    found = GitHubWatched(it.client, "o/r", lambda login, association: True, notes).standing([1, 2, 3])
    assert sorted(found) == [2, 3]
    assert notes.all() == ("#1 is left to people: what was said on it is more than GitHub tells at once",)


def test_branches_whose_pull_requests_are_too_much_are_asked_for_in_halves() -> None:
    empty = raw(200, {"data": {"repository": {"b0": {"totalCount": 0, "nodes": []}}}})
    it = scripted([TOO_MUCH, empty, empty])
    sought = [Sought("spinney/a", "a"), Sought("spinney/b", "b")]
    assert GitHubForge(it.client, "o/r", None).find(sought) == {}  # type: ignore[arg-type]
    assert len(it.script.requests) == 3


@pytest.mark.parametrize("kind", ["RESOURCE_LIMITS_EXCEEDED", "FORBIDDEN"])
def test_branch_whose_pull_request_may_not_be_seen_is_not_one_without(kind: str) -> None:
    there = {"b0": {"totalCount": 1, "nodes": [None]}}
    it = answered(there, refused("repository", "b0", "nodes", 0, kind=kind))
    with pytest.raises(SpinneyError):
        GitHubForge(it.client, "o/r", None).find([Sought("spinney/a", "m")])  # type: ignore[arg-type]


def test_list_is_of_what_may_be_seen() -> None:
    page = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": [None]}
    it = answered({"pullRequests": page}, refused("repository", "pullRequests", "nodes", 0))
    assert GitHubForge(it.client, "o/r", None).list(PullState.OPEN) == ()  # type: ignore[arg-type]
