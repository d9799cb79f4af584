"""Reading pull requests out of GitHub's answers: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.forge.github import authors, bodies
from shared.forge.github.authors import Author, Trusts
from shared.forge.port import PullRequest, PullState
from shared.model import Oid


@dataclass(frozen=True, slots=True)
class Seen:
    """A pull request, its text as it stands on GitHub, and whose it is."""

    pull: PullRequest
    text: str
    own: bool  # our part is in its text, put there by somebody who is trusted, and its branch is here
    same_repository: bool  # its branch is one of the repository itself
    author: str

    def with_issue(self, item: Mapping[str, Any]) -> Seen:
        """With what the answer about the issue of the same number says, which knows nothing of branches."""
        body = bodies.read(item["body"] or "")
        pull = replace(
            self.pull,
            title=item["title"],
            body=body.shown,
            marker=body.written.marker if self.own and body.written else "",
            meant=body.written.base if self.own and body.written else "",
            labels=label_names(item),
            updated=seconds(item["updated_at"]),
        )
        return replace(self, pull=pull, text=item["body"] or "")


def of_graphql(node: Mapping[str, Any], trusts: Trusts = authors.program_or_viewer) -> Seen:
    """By the fragment ``queries.PULL``."""
    commit = node.get("mergeCommit") or {}
    return _seen(
        same_repository=not node["isCrossRepository"],
        author=authors.of_graphql(node),
        trusts=trusts,
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


def of_rest(item: Mapping[str, Any], trusts: Trusts) -> Seen:
    head, base = item["head"], item["base"]
    merged = bool(item.get("merged_at") or item.get("merged"))
    return _seen(
        same_repository=bool(head.get("repo")) and head["repo"]["id"] == base["repo"]["id"],
        author=authors.of_rest(item),
        trusts=trusts,
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
    same_repository: bool,
    author: Author,
    trusts: Trusts,
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
    written = body.written if same_repository else None
    if written is not None and not trusts(author):  # which may have to be asked, so only where it matters
        written = None
    pull = PullRequest(
        number=number,
        url=url,
        head=head,
        base=base,
        title=title,
        body=body.shown,
        state=state,
        tip=Oid(tip),
        # What a stranger writes into a pull request finds nothing.
        marker=written.marker if written else "",
        meant=written.base if written else "",
        labels=labels,
        merged=Oid(merged) if merged else None,
        created=seconds(times[0]),
        updated=seconds(times[1]),
        as_draft=as_draft,
    )
    return Seen(pull, text, written is not None, same_repository, author.login)


def label_names(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Of an issue or a pull request; older answers have plain names."""
    return tuple(label["name"] if isinstance(label, dict) else str(label) for label in item["labels"])


def seconds(moment: str) -> float:
    """A time of GitHub's, in seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()
