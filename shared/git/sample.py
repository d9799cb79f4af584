"""Making a small repository from nothing, with history: for the demo, benchmarks and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pygit2

from shared.git.commits import write_commit
from shared.git.program import Git
from shared.git.repository import open_repository
from shared.git.trees import edit_tree
from shared.model import Identity, Oid

_FILE = 0o100644


def make_repository(
    folder: Path, history: Sequence[tuple[str, Mapping[str, str]]], identity: Identity, branch: str = "main"
) -> Oid:
    """A repository at ``folder`` with a commit for each message and its files; returns the last commit."""
    pygit2.init_repository(str(folder), initial_head=branch)
    git_dir = folder / ".git"
    repo = open_repository(git_dir)
    repo.config["user.name"], repo.config["user.email"] = identity.name, identity.email
    tip: Oid | None = None
    for message, files in history:
        base = repo[tip].peel(pygit2.Tree) if tip else None
        blobs = {path: (Oid(str(repo.create_blob(text.encode()))), _FILE) for path, text in files.items()}
        tree = edit_tree(repo, base, blobs)
        tip = write_commit(repo, tree, [tip] if tip else [], message, identity)
    assert tip is not None
    repo.references.create(f"refs/heads/{branch}", pygit2.Oid(hex=tip))
    Git(str(git_dir), str(folder)).run("read-tree", "--reset", "-u", tip)
    return tip
