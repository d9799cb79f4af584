"""Single questions about commits: a file as it was, and how far one is ahead."""

from __future__ import annotations

import pygit2

from shared.git.repository import Repository
from shared.model import Oid

_LARGEST = 1024 * 1024  # bytes of a file that is read as text


def text_at(repo: Repository, commit: Oid, path: str) -> str | None:
    """The file ``path`` in the tree of ``commit``; None where there is none, or it is no text of ordinary size."""
    try:
        found: object = repo[commit].peel(pygit2.Tree)[path]
    except (KeyError, ValueError):
        return None
    if not isinstance(found, pygit2.Blob) or found.size > _LARGEST:
        return None
    try:
        return found.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def commits_ahead(repo: Repository, tip: Oid, other: Oid) -> int | None:
    """How many commits ``tip`` has that ``other`` has not; None where one of them is not here."""
    if tip not in repo or other not in repo:
        return None
    return repo.ahead_behind(pygit2.Oid(hex=tip), pygit2.Oid(hex=other))[0]
