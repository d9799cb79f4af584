"""Merging and committing, against the git command line doing the same."""

from __future__ import annotations

from pathlib import Path

import pygit2

from shared.git import changes, commits
from shared.git.commits import write_commit
from shared.git.durability import flushed_later
from shared.git.merges import Clean, Merger
from shared.git.repository import move_ref, open_repository
from shared.git.trees import edit_from
from shared.git.worktrees import Worktrees, ensure_branch
from shared.model import Oid
from shared.profiling import timed as taking
from tests.benchmarks.measure import WHO, Figure, copy, environment, pairs, template, timed

_FILE = 0o100644


def _branches(repository: Path, count: int) -> tuple[Oid, list[Oid]]:
    """``count`` branches that each change ten files of their own."""
    repo = open_repository(repository / ".git")
    base = Oid(str(repo.head.target))
    tips = []
    for number in range(count):
        blob = Oid(str(repo.create_blob(f"changed by {number}\n".encode())))
        edits = {f"pkg{number:03d}/module{number * 50 + n:05d}.py": (blob, _FILE) for n in range(10)}
        tip = write_commit(repo, edit_from(repo, base, edits), [base], f"branch {number}", WHO)
        repo.references.create(f"refs/heads/b{number}", pygit2.Oid(hex=tip))
        tips.append(tip)
    return base, tips


def merging(scratch: Path) -> Figure:
    """50 finished branches into one, against `git merge` in a worktree."""
    source, env = template(scratch, 5000), environment(scratch)
    script = "for n in $(seq 0 49); do git merge -q --no-ff -m m$n b$n; done"

    def ours() -> float:
        repository = copy(source, scratch / "ours")
        base, tips = _branches(repository, 50)
        repo = open_repository(repository / ".git")
        head = base
        with taking("merging") as taken, Merger(str(repository / ".git")) as merger:
            for number, tip in enumerate(tips):
                merge = merger.merge(head, tip)
                assert isinstance(merge, Clean)
                commit = write_commit(repo, merge.tree, [head, tip], f"merge {number}", WHO)
                old = None if head == base else head
                move_ref(repo, "refs/heads/merged", commit, old=old, why="benchmark")
                head = commit
        return taken.seconds

    def theirs() -> float:
        repository = copy(source, scratch / "theirs")
        _branches(repository, 50)
        return timed(["sh", "-c", script], repository, env)

    ratio, a, b = pairs(ours, theirs, 3)
    return Figure(
        "merging 50 finished branches, against `git merge`",
        ratio,
        0.10,
        detail=f"{a:.2f} s against {b:.2f} s",
    )


def committing(scratch: Path) -> Figure:
    """What 40 agents wrote, three files each, as 6 durable phase commits, against 40 command-line commits."""
    source, env = template(scratch, 5000), environment(scratch)
    agents = {n: [f"pkg{n:03d}/module{n * 50 + k:05d}.py" for k in range(3)] for n in range(40)}
    write = "for k in 0 1 2; do echo {n} >> pkg$(printf %03d {n})/module$(printf %05d $(({n}*50+k))).py; done"
    script = "\n".join(f"{write.format(n=n)}\ngit add -A && git commit -q -m 'agent {n}'" for n in range(40))

    def ours() -> float:
        repository = copy(source, scratch / "ours")
        repo = open_repository(repository / ".git")
        base = Oid(str(repo.head.target))
        ensure_branch(repo, "spinney/bench", base)
        worktree = Worktrees(repository / ".git", scratch / "ours" / "trees").create(
            "bench", base, "spinney/bench"
        )
        inside = open_repository(worktree.admin_dir)
        parent, seconds = base, 0.0
        for phase in range(6):
            paths = [path for n in range(phase, 40, 6) for path in agents[n]]
            for path in paths:
                with Path(worktree.path, path).open("a") as file:
                    file.write("agent\n")
            with taking("phase") as taken:
                with flushed_later():  # as the manager does: the commit flushes all of it
                    found = changes.read_changes(inside, worktree.path, paths)
                oid = commits.commit_changes(
                    inside,
                    "refs/heads/spinney/bench",
                    found,
                    f"[phase-{phase}] x",
                    WHO,
                    parent=parent,
                    tip=parent,
                )
                assert oid is not None
                changes.update_index(inside, found)
            seconds += taken.seconds
            parent = oid
        return seconds

    def theirs() -> float:
        return timed(["sh", "-c", script], copy(source, scratch / "theirs"), env)

    ratio, a, b = pairs(ours, theirs, 3)
    what = "40 agents' work as 6 phase commits, against 40 command-line commits"
    return Figure(
        what, ratio, 0.10, detail=f"{a * 1000:.0f} ms against {b * 1000:.0f} ms; ours are flushed to disk"
    )
