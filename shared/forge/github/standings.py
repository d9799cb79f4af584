"""Reading how pull requests stand out of GitHub's answers: pure. Texts stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.forge.github import bodies
from shared.forge.github.pulls import of_graphql
from shared.forge.watching import CheckRun, CheckState, Remark, Standing
from shared.model import Oid

OWN = (
    "spinney"  # our own mark at commits: no check of what was done, unless it says that something went wrong
)
Takes = Callable[[str, str], bool]  # login and association of an author: may that person write?
_PASSED = frozenset({"SUCCESS", "NEUTRAL", "SKIPPED"})
_SUMMARY = 4000  # characters


def standing(
    node: Mapping[str, Any],
    contexts: Iterable[Mapping[str, Any]],
    threads: Sequence[Mapping[str, Any]],
    takes: Takes,
    *,
    unseen: bool = False,
    cut: bool = False,
) -> Standing:
    """``contexts`` are the checks of the pull request's tip, of all pages; ``threads`` likewise its conversations."""
    target = (node["baseRef"] or {}).get("target") or {}
    decision = node["reviewDecision"]
    return Standing(
        pull=of_graphql(node).pull,
        checks=tuple(one for one in map(check, contexts) if one.name != OWN or one.state == "failed"),
        remarks=(*_reviews(node, takes), *_threads(threads, takes)),
        mergeable={"MERGEABLE": True, "CONFLICTING": False}.get(node["mergeable"]),
        approved=None if decision is None else decision == "APPROVED",
        base_tip=Oid(target["oid"]) if target.get("oid") else None,
        auto=bool(node["autoMergeRequest"] or node["isInMergeQueue"]),
        unseen=unseen,
        cut=cut or _has_more(node, "latestOpinionatedReviews", "hasNextPage") or _hides(threads, takes),
    )


def rollup(node: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str | None]:
    """The checks of a pull request's last commit, and where there are more from."""
    commits = _nodes(node, "commits")
    contexts = ((commits[-1]["commit"].get("statusCheckRollup") or {}) if commits else {}).get(
        "contexts"
    ) or {}
    page = contexts.get("pageInfo") or {}
    return _nodes({"contexts": contexts}, "contexts"), page.get("endCursor") if page.get(
        "hasNextPage"
    ) else None


def threads(node: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str | None]:
    """The conversations of a pull request, and where there are older ones before."""
    page = (node.get("reviewThreads") or {}).get("pageInfo") or {}
    return _nodes(node, "reviewThreads"), page.get("startCursor") if page.get("hasPreviousPage") else None


def check(node: Mapping[str, Any]) -> CheckRun:
    required = bool(node.get("isRequired"))
    if node["__typename"] == "StatusContext":
        return CheckRun(
            id=f"status-{node['id']}", name=node["context"], state=_of_status(node["state"]),
            url=node["targetUrl"] or "", summary=(node["description"] or "")[:_SUMMARY], required=required,
        )  # fmt: skip
    said = "\n\n".join(part for part in (node["title"], node["summary"]) if part)
    actions = ((node.get("checkSuite") or {}).get("app") or {}).get("slug") == "github-actions"
    return CheckRun(
        id=f"run-{node['databaseId']}",
        name=node["name"],
        state=_of_run(node["status"], node["conclusion"]),
        url=node["detailsUrl"] or "",
        job=node["databaseId"] if actions else None,  # a job of Actions has the number of its check
        summary=said[:_SUMMARY],
        required=required,
    )


def _of_status(state: str) -> CheckState:
    if state in ("PENDING", "EXPECTED"):
        return "waiting"
    return "passed" if state == "SUCCESS" else "failed"


def _of_run(status: str, conclusion: str | None) -> CheckState:
    """One that waits for somebody to let it run has not failed."""
    if status != "COMPLETED" or conclusion in (None, "ACTION_REQUIRED"):
        return "waiting"
    return "passed" if conclusion in _PASSED else "failed"


def _reviews(node: Mapping[str, Any], takes: Takes) -> Iterator[Remark]:
    """Each person's wish for changes, as long as that person has not approved since; and what else reviews say.

    What people who may write judged last is asked for apart, so that any number of others' reviews hide nothing of it.
    """
    latest = _nodes(node, "latestOpinionatedReviews")
    judged = {one["databaseId"] for one in latest}
    reviews = [one for one in _nodes(node, "reviews") if one["databaseId"] not in judged] + latest
    last = {
        _login(one): one for one in reviews if one["state"] in ("CHANGES_REQUESTED", "APPROVED", "DISMISSED")
    }
    for one in reviews:
        wants = one["state"] == "CHANGES_REQUESTED" and last[_login(one)] is one
        if wants or (one["state"] == "COMMENTED" and (one["body"] or "").strip()):
            yield Remark(
                id=f"review-{one['databaseId']}",
                author=_login(one),
                may_write=_is_person(one) and takes(_login(one), one["authorAssociation"]),
                text=one["body"] or "",
                commit=(one["commit"] or {}).get("oid", ""),
                wants_changes=wants,
            )


def _threads(threads: Iterable[Mapping[str, Any]], takes: Takes) -> Iterator[Remark]:
    """One remark for each conversation that is open: what people who may write said in it.

    It has the number of the last of them: who answers in it says something new.
    """
    for thread in threads:
        if not thread["isResolved"] and (said := _said(thread, takes)):
            last = said[-1]
            yield Remark(
                id=f"comment-{last['databaseId']}",
                author=_login(last),
                may_write=True,
                text="\n\n".join(one["body"] or "" for one in said),
                path=thread["path"],
                line=thread["line"] or thread["originalLine"],
                commit=(last["originalCommit"] or {}).get("oid", ""),
            )


def _said(thread: Mapping[str, Any], takes: Takes) -> list[Mapping[str, Any]]:
    return [
        one
        for one in _nodes(thread, "comments")
        if not bodies.marker_of(one["body"] or "")
        and _is_person(one)
        and takes(_login(one), one["authorAssociation"])
    ]


def _hides(threads: Iterable[Mapping[str, Any]], takes: Takes) -> bool:
    """Whether one of the open conversations began with what is not shown, and nobody who may write is to be seen."""
    return any(
        not thread["isResolved"]
        and _has_more(thread, "comments", "hasPreviousPage")
        and not _said(thread, takes)
        for thread in threads
    )


def _has_more(node: Mapping[str, Any], field: str, which: str) -> bool:
    return bool(((node.get(field) or {}).get("pageInfo") or {}).get(which))


def _nodes(node: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    return [one for one in (node.get(field) or {}).get("nodes") or () if one]


def _login(node: Mapping[str, Any]) -> str:
    return (node.get("author") or {}).get("login") or "ghost"


def _is_person(node: Mapping[str, Any]) -> bool:
    return (node.get("author") or {}).get("__typename") == "User"
