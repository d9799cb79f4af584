"""A phase's commit before it is written."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from shared.errors import SpinneyError
from shared.git import commits
from shared.git.repository import RefMoved, open_repository, read_ref
from shared.git.trees import Changes
from shared.model import Assignment, Oid

_MOVES = 10  # of a branch by an agent, between reading where it is and moving it, that are put up with


@dataclass(frozen=True, slots=True)
class Draft:
    """A phase commit to be written, which any thread may do while the worktree goes on changing."""

    assignment: Assignment
    parent: Oid
    changes: Changes

    def write(self, message: str) -> Oid | None:
        """Write the commit, durably, and move the branch to it; None where it would change nothing.

        An agent may commit by itself at any moment, which moves the branch as well: what it committed is in
        the worktree, and becomes part of its own phase's commit.
        """
        repo = open_repository(self.assignment.admin_dir)
        ref = f"refs/heads/{self.assignment.task.branch}"
        for _ in range(_MOVES):
            tip = read_ref(repo, ref) or self.parent
            with contextlib.suppress(RefMoved):
                return commits.commit_changes(
                    repo, ref, self.changes, message, self.assignment.identity, parent=self.parent, tip=tip
                )
        raise SpinneyError(f"{ref} is moved faster than a commit can be made on it")
