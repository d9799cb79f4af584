"""Texts that refs keep: a commit with an empty tree, which every forge takes, and the text as its message."""

from __future__ import annotations

import pygit2

from shared.git.commits import write_with_contents
from shared.git.repository import Repository
from shared.model import Identity, Oid


def keep_text(repo: Repository, text: str, identity: Identity) -> Oid:
    """A commit that says ``text``; no ref names it yet."""
    tree = Oid(str(repo.TreeBuilder().write()))
    return write_with_contents(repo, tree, (), text, identity)


def kept_text(repo: Repository, commit: Oid | None) -> str:
    """Empty where there is no such commit."""
    found: object = repo.get(commit) if commit is not None else None
    return str(found.message) if isinstance(found, pygit2.Commit) else ""
