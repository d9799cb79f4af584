"""Branches of pull requests in git: fetched to be looked at, sent with a lease on where they were seen.

Nothing here moves what somebody else has moved, and of the user's own refs none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.following import record as records
from orchestrator.following.looking import task_of
from orchestrator.following.port import Conflicting, Looked
from orchestrator.following.words import Branch, Record, Seen
from orchestrator.preparation import archive_branch
from orchestrator.remote_lock import LockLost, RemoteLock
from shared.errors import GitError, RepositoryHeld
from shared.forge.port import Sent
from shared.forge.watching import Standing
from shared.git.merges import Merger
from shared.git.remotes import Remote
from shared.git.replay import Stuck, replay
from shared.git.repository import (
    Repository,
    create_ref,
    head_commit,
    is_ancestor,
    move_ref,
    open_repository,
    read_ref,
    refs_below,
)
from shared.git.stacks import Stack, all_of_task, is_round, relation, stack
from shared.git.texts import keep_text, kept_text
from shared.lock import RepositoryLock
from shared.model import Identity, Oid

_THERE = "refs/spinney/follow/"  # what was fetched, by its name on the forge without ``refs/``
_HEADS, _ANSWERED, _ARCHIVE = "refs/heads/", records.REFS, "refs/spinney/archive/"


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out, as of the tips of branch, base and kept text on the forge."""

    tips: tuple[Oid | None, ...]
    tip: Oid | None = None
    stack: Stack | None = None
    kept: str = ""
    trouble: str = ""


@dataclass(slots=True)
class GitBranches:
    """``lock`` makes the lock on the forge; ``unfinished`` are tasks with a round that was stopped here, and is gone on
    with."""

    git_dir: Path
    state: Path
    remote: Remote
    identity: Identity
    lock: Callable[[], RemoteLock]
    unfinished: Callable[[], Collection[str]] = tuple
    _known: dict[int, _Known] = field(default_factory=dict)
    _texts: Mapping[str, Oid] = field(default_factory=dict)  # by task, where the kept texts are on the forge
    _held: RemoteLock | None = None

    # --- looking

    def look(self, standings: Sequence[Standing]) -> Mapping[int, Looked]:
        self._texts = self._kept()
        new = [one for one in standings if self._is_new(one)]
        if new:
            self._fetch(new)
        repo = open_repository(self.git_dir)
        for one in new:
            self._known[one.pull.number] = self._find_out(repo, one)
        return {one.pull.number: self._looked(repo, one) for one in standings}

    def _kept(self) -> Mapping[str, Oid]:
        return {name.removeprefix(_ANSWERED): tip for name, tip in self.remote.tips(f"{_ANSWERED}*").items()}

    def _is_new(self, standing: Standing) -> bool:
        known = self._known.get(standing.pull.number)
        return known is None or known.tips != self._tips(standing)

    def _tips(self, standing: Standing) -> tuple[Oid | None, ...]:
        return standing.pull.tip, standing.base_tip, self._texts.get(task_of(standing.pull))

    def _fetch(self, standings: Sequence[Standing]) -> None:
        names = {_HEADS + one.pull.head for one in standings}
        names |= {_HEADS + one.pull.base for one in standings if one.base_tip is not None}
        names |= {_ANSWERED + task for one in standings if (task := task_of(one.pull)) in self._texts}
        shallow = (self.git_dir / "shallow").exists()
        deepen_to = [head_commit(open_repository(self.git_dir))] if shallow else []
        self.remote.fetch({name: _here(name) for name in names}, deepen_to=deepen_to)

    def _find_out(self, repo: Repository, standing: Standing) -> _Known:
        pull, tips = standing.pull, self._tips(standing)
        tip = pull.tip if pull.tip in repo else read_ref(repo, _here(_HEADS + pull.head))
        if tip is None:
            return _Known(tips, trouble="its branch is not on the forge any more")
        base = standing.base_tip
        if base is not None and base not in repo:  # it has moved since
            base = read_ref(repo, _here(_HEADS + pull.base))
        task = task_of(pull)
        kept = kept_text(repo, read_ref(repo, _here(_ANSWERED + task)) if task in self._texts else None)
        try:
            return _Known(tips, tip, stack(repo, tip, base, task), kept)
        except GitError as error:
            return _Known(tips, trouble=error.message)

    def _looked(self, repo: Repository, standing: Standing) -> Looked:
        known, task = self._known[standing.pull.number], task_of(standing.pull)
        if known.tip is None or known.stack is None:
            return Looked(None, trouble=known.trouble)
        found = known.stack
        branch = Branch(known.tip, found.own, found.below, found.based, found.merges)
        record = records.read(known.kept, found.answers)
        if not found.own:
            return Looked(branch, record, "none of its commits is one of Spinney's")
        trouble, unsent = self._here_and_there(repo, standing.pull.head, known.tip, task)
        return Looked(branch, record, trouble, unsent)

    def _here_and_there(self, repo: Repository, head: str, there: Oid, task: str) -> tuple[str, Oid | None]:
        """Why the branch here keeps from working on it; and a round's commit here that was not sent."""
        here = read_ref(repo, _HEADS + head)
        how = "same" if here is None else relation(repo, here, there)
        if here is None or how in ("same", "behind"):
            return "", None
        ours = all_of_task(repo, here, there, task)
        if how == "ahead" and ours and is_round(repo, here):
            return "", None if task in self.unfinished() else here
        if how == "apart" and ours:
            return "", None  # of an earlier state of it; it is archived before something is done here
        return f"{head} has commits here that are not on the forge: push them, or move the branch away", None

    # --- working on them

    @contextmanager
    def alone(self) -> Iterator[object]:
        with self.lock() as self._held:
            try:
                yield self._held
            except LockLost as error:  # others are at work: it is looked again later
                raise RepositoryHeld(error.message, *error.hints) from error
            finally:
                self._held = None

    @property
    def ending(self) -> str:
        """Why what is being done has to end: the lock was lost, or somebody asked for it on the forge."""
        if self._held is None:
            return ""
        return self._held.lost or (
            "somebody asked on the forge that it ends" if self._held.stop_wanted else ""
        )

    def bring(self, seen: Seen) -> None:
        """The branch here is where it was seen on the forge; what there is more, or otherwise, is archived."""
        assert seen.branch is not None
        head, there = seen.pull.head, seen.branch.tip
        with RepositoryLock(self.state):
            repo = open_repository(self.git_dir)
            here = read_ref(repo, _HEADS + head)
            if here is not None and relation(repo, here, there) in ("ahead", "apart"):
                archive_branch(repo, head)
                here = None
            if here != there:
                move_ref(repo, _HEADS + head, there, old=here, why="spinney: fetched")

    def forget_batch(self, run: str) -> None:
        """The merge that a round was tested as: its branch is what is sent, and nobody would ever look for this one."""
        with RepositoryLock(self.state):
            repo, name = open_repository(self.git_dir), f"{_HEADS}spinney/batch/{run}"
            if (tip := read_ref(repo, name)) is not None:
                move_ref(repo, name, None, old=tip, why="spinney: a round is over")

    def tip_of_base(self, seen: Seen) -> Oid | None:
        """As it was fetched."""
        return read_ref(open_repository(self.git_dir), _here(_HEADS + seen.pull.base))

    def send(self, seen: Seen, tip: Oid) -> None:
        self._push([Sent(_HEADS + seen.pull.head, tip, seen.pull.tip)])

    def keep(self, seen: Seen, record: Record) -> None:
        task = task_of(seen.pull)
        text = keep_text(open_repository(self.git_dir), records.write(record), self.identity)
        self._push([Sent(_ANSWERED + task, text, self._texts.get(task))])
        self._texts = {**self._texts, task: text}

    def sweep(self, tasks: Collection[str]) -> None:
        old = {task: tip for task, tip in self._kept().items() if task not in tasks}
        if old:
            self.remote.push([Sent(_ANSWERED + task, None, tip) for task, tip in sorted(old.items())])
        self.tidy()

    def tidy(self) -> None:
        """What was fetched is let go."""
        repo = open_repository(self.git_dir)
        for name, tip in list(refs_below(repo, _THERE)):
            move_ref(repo, name, None, old=tip, why="spinney: followed")

    def restack(self, seen: Seen, base: str) -> Oid:
        assert seen.branch is not None
        with RepositoryLock(self.state):
            old, onto = seen.branch.tip, self._tip_of(base)
            repo = open_repository(self.git_dir)
            new = self._replayed(repo, seen, base, onto)
            if new == old:
                return old
            self._archive(repo, seen, old)
            self.send(seen, new)
            here = read_ref(repo, _HEADS + seen.pull.head)
            if here is not None and relation(repo, here, old) in ("same", "behind"):
                move_ref(repo, _HEADS + seen.pull.head, new, old=here, why="spinney: on its new base")
            return new

    def _tip_of(self, branch: str) -> Oid:
        name = _HEADS + branch
        tip = self.remote.fetch({name: _here(name)}).get(name)
        if tip is None:
            raise GitError(f"{branch} is not on the forge")
        return tip

    def _replayed(self, repo: Repository, seen: Seen, base: str, onto: Oid) -> Oid:
        """The own commits on ``onto``; the old tip where they need not move: what they stand on is in it already."""
        assert seen.branch is not None
        own, tip = seen.branch.own, seen.branch.tip
        cut = stack(repo, tip, None, task_of(seen.pull)).cut
        if base != seen.pull.base and is_ancestor(repo, cut, onto):
            return tip
        with Merger(str(self.git_dir)) as merger:
            made = replay(repo, merger, own, onto, self.identity)
        if isinstance(made, Stuck):
            raise Conflicting(
                f"{seen.pull.head} conflicts with {base} in {', '.join(made.paths)} "
                f"({made.commit[:10]}): bring it onto {base} by hand"
            )
        return made

    def _archive(self, repo: Repository, seen: Seen, tip: Oid) -> None:
        """Here and on the forge: a clone that is thrown away keeps nothing."""
        name = f"{_ARCHIVE}{task_of(seen.pull)}/{tip[:16]}"
        create_ref(repo, name, tip)
        if name not in self.remote.tips(name):
            self._push([Sent(name, tip)])

    def _push(self, refs: Sequence[Sent]) -> None:
        if self._held is not None and self._held.lost:
            raise RepositoryHeld(self._held.lost)
        refused = self.remote.push(refs)
        if refused:
            raise GitError("; ".join(f"{_short(name)}: {why}" for name, why in sorted(refused.items())))


def _here(name: str) -> str:
    return _THERE + name.removeprefix("refs/")


def _short(name: str) -> str:
    return name.removeprefix(_HEADS)
