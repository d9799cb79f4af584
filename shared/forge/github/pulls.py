"""Reading pull requests out of GitHub's answers: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.forge.github import bodies
from shared.forge.port import PullRequest, PullState
from shared.model import Oid


@dataclass(frozen=True, slots=True)
class Seen:
    """A pull request, its text as it stands on GitHub, and whether its branch is one of the repository itself."""

    pull: PullRequest
    text: str
    own: bool

    def with_issue(self, item: Mapping[str, Any]) -> Seen:
        """With what the answer about the issue of the same number says, which knows nothing of branches."""
        body = bodies.read(item["body"] or "")
        pull = replace(
            self.pull,
            title=item["title"],
            body=body.shown,
            marker=body.written.marker if self.own and body.written else "",
            labels=label_names(item),
            updated=seconds(item["updated_at"]),
        )
        return replace(self, pull=pull, text=item["body"] or "")


def of_graphql(node: Mapping[str, Any]) -> Seen:
    """By the fragment ``queries.PULL``."""
    commit = node.get("mergeCommit") or {}
    return _seen(
        own=not node["isCrossRepository"],
        number=node["number"],
        url=node["url"],
        head=node["headRefName"],
        base=node["baseRefName"],
        title=node["title"],
        text=node["body"] or "",
        state=PullState(str(node["state"]).lower()),
        tip=node["headRefOid"],
        labels=tuple(label["name"] for label in (node["labels"] or {}).get("nodes", ())),
        merged=commit.get("oid"),
        times=(node["createdAt"], node["updatedAt"]),
        as_draft=node["isDraft"],
    )


def of_rest(item: Mapping[str, Any]) -> Seen:
    head, base = item["head"], item["base"]
    merged = bool(item.get("merged_at") or item.get("merged"))
    return _seen(
        own=bool(head.get("repo")) and head["repo"]["id"] == base["repo"]["id"],
        number=item["number"],
        url=item["html_url"],
        head=head["ref"],
        base=base["ref"],
        title=item["title"],
        text=item["body"] or "",
        state=PullState.MERGED if merged else PullState(item["state"]),
        tip=head["sha"],
        labels=label_names(item),
        merged=None,
        times=(item["created_at"], item["updated_at"]),
        as_draft=bool(item.get("draft", False)),
    )


def _seen(
    *,
    own: bool,
    number: int,
    url: str,
    head: str,
    base: str,
    title: str,
    text: str,
    state: PullState,
    tip: str,
    labels: tuple[str, ...],
    merged: str | None,
    times: tuple[str, str],
    as_draft: bool,
) -> Seen:
    body = bodies.read(text)
    pull = PullRequest(
        number=number,
        url=url,
        head=head,
        base=base,
        title=title,
        body=body.shown,
        state=state,
        tip=Oid(tip),
        # What a stranger writes into a pull request of a fork finds nothing.
        marker=body.written.marker if own and body.written else "",
        labels=labels,
        merged=Oid(merged) if merged else None,
        created=seconds(times[0]),
        updated=seconds(times[1]),
        as_draft=as_draft,
    )
    return Seen(pull, text, own)


def label_names(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Of an issue or a pull request; older answers have plain names."""
    return tuple(label["name"] if isinstance(label, dict) else str(label) for label in item["labels"])


def seconds(moment: str) -> float:
    """A time of GitHub's, in seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()
