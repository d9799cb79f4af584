"""Worktrees: made, reused and removed without ever touching the user's own.

Git reads its siblings' half-made administrative folders, so everything administrative happens one at a time
under a file lock, and the checkout, which is the expensive part, in parallel. A branch is never tracked:
writing the configuration for it loses its lock under load (79 of 96 failed at 32 at once).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2

from shared import process
from shared.errors import GitError
from shared.files import replace_file
from shared.git.program import PATH, Git, environment
from shared.git.repository import create_ref, read_ref
from shared.model import Oid

_OWN_FILES = ("HEAD", "commondir", "gitdir", "index", "locked")  # of an administrative folder
TRASH = ".trash"


@dataclass(frozen=True, slots=True)
class Worktree:
    path: str
    admin_dir: str

    @property
    def exists(self) -> bool:
        return Path(self.path).is_dir() and Path(self.admin_dir).is_dir()


class Worktrees:
    """The worktrees of one repository that live in ``folder``."""

    def __init__(self, git_dir: Path, folder: Path) -> None:
        self._git_dir = git_dir
        self._folder = folder

    def at(self, name: str) -> Worktree:
        return Worktree(str(self._folder / name), str(self._git_dir / "worktrees" / f"spinney-{name}"))

    def names(self) -> list[str]:
        """Every name that has a folder or an administrative folder, whole or not."""
        admin = {p.name.removeprefix("spinney-") for p in (self._git_dir / "worktrees").glob("spinney-*")}
        folders = {p.name for p in self._folder.glob("*") if p.is_dir() and p.name != TRASH}
        return sorted(admin | folders)

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        path = self._git_dir / "spinney" / "worktrees.lock"
        path.parent.mkdir(exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def create(self, name: str, commit: Oid, branch: str | None) -> Worktree:
        """A fresh worktree of ``commit``; on ``branch``, which must be at it, or detached. Raises GitError.

        What an interrupted creation left under this name is removed first.
        """
        made = self.at(name)
        with self._one_at_a_time():
            self._discard_now(made)
            self._folder.mkdir(parents=True, exist_ok=True)
            # The administrative folder's name is the last part of the path git is given; so it gets its
            # own prefix there and the folder is renamed after, which keeps names of the user's free.
            temporary = self._folder / f"spinney-{name}"
            Git(str(self._git_dir)).run(
                "worktree", "add", "--no-checkout", "--detach", "--lock", "--reason", "spinney",
                "--end-of-options", str(temporary), commit,
            )  # fmt: skip
            temporary.rename(made.path)
            replace_file(Path(made.admin_dir) / "gitdir", f"{made.path}/.git\n")
            self._set_head(made, branch, commit)
        self._fill(made, commit)
        return made

    def reuse(self, old: Worktree, name: str, commit: Oid, branch: str | None) -> Worktree:
        """Turn a finished worktree into a fresh one: about a fifth of the time of making one.

        Its index is replaced by the one from right after its checkout, so every file that anybody touched
        since then differs from it and is written again, whatever they told git about it.
        """
        made = self.at(name)
        with self._one_at_a_time():
            self._discard_now(made)
            Path(old.path).rename(made.path)
            Path(old.admin_dir).rename(made.admin_dir)
            with contextlib.suppress(FileNotFoundError):
                self._pristine(old).rename(self._pristine(made))
            self._write_link(made)
            self._set_head(made, branch, commit)
        self._purge(made)
        self._fill(made, commit)
        Git(made.admin_dir, made.path).run("clean", "-ffdxq")
        return made

    def restore(self, worktree: Worktree, commit: Oid, branch: str | None) -> None:
        """Bring an existing worktree back to ``commit``; ignored files stay."""
        with self._one_at_a_time():
            self._write_link(worktree)
            self._set_head(worktree, branch, commit)
        self._purge(worktree)
        self._fill(worktree, commit)
        Git(worktree.admin_dir, worktree.path).run("clean", "-ffdq", "--exclude=/.tasks/")

    def untracked(self, worktree: Worktree, *, ignored: bool) -> tuple[str, ...]:
        """What lies there beside the commit's files, with what is ``ignored`` or without; a folder as a whole."""
        which = () if ignored else ("--exclude-standard",)
        listed = Git(worktree.admin_dir, worktree.path).run(
            "ls-files", "-z", "--others", "--directory", *which
        )
        return tuple(os.fsdecode(name) for name in listed.split(b"\0") if name)

    def move_to(
        self, worktree: Worktree, commit: Oid, keep: Iterable[str] = (), *, ignored: bool = True
    ) -> None:
        """Bring a worktree that only we use, such as the gate's, to ``commit`` and keep it warm.

        What is ``ignored`` stays where that is said, and so does what ``keep`` names of the untracked.
        """
        self._write_link(worktree)
        self._set_head(worktree, None, commit)
        self._purge(worktree)
        self._fill(worktree, commit)
        kept = [f"--exclude=/{_literal(name)}" for name in keep]
        Git(worktree.admin_dir, worktree.path).run("clean", "-ffdq" if ignored else "-ffdxq", *kept)

    def remove(self, worktree: Worktree) -> None:
        """Gone from its place at once; the files are deleted by ``empty_trash``."""
        with self._one_at_a_time():
            self._discard_now(worktree)

    def sweep(self) -> None:
        """Delete for good what has been removed so far; safe while others make and remove worktrees."""
        with contextlib.suppress(FileNotFoundError):
            if removed := [str(path) for path in (self._folder / TRASH).iterdir()]:
                process.run(["rm", "-rf", "--", *removed], cwd="/", env={**environment(), "PATH": PATH})

    def empty_trash(self) -> None:
        """Delete removed worktrees for good; takes time on large ones."""
        trash = self._folder / TRASH
        if trash.is_dir():
            process.run(["rm", "-rf", "--", str(trash)], cwd="/", env={**environment(), "PATH": PATH})
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # only where nothing else is in it

    def _fill(self, worktree: Worktree, commit: Oid) -> None:
        git = Git(worktree.admin_dir, worktree.path)
        index, pristine = Path(worktree.admin_dir) / "index", self._pristine(worktree)
        try:
            git.run("read-tree", "--reset", "-u", commit)
        except GitError:  # an index that a power cut left torn; without one every file is written
            index.unlink(missing_ok=True)
            git.run("read-tree", "--reset", "-u", commit)
        pristine.parent.mkdir(parents=True, exist_ok=True)
        half = pristine.with_name(f"{pristine.name}.new")  # never half a copy under the real name
        shutil.copy2(index, half)
        half.replace(pristine)

    def is_filled(self, worktree: Worktree) -> bool:
        """Whether its checkout came to its end."""
        return self._pristine(worktree).exists()

    def _pristine(self, worktree: Worktree) -> Path:
        """The index as it was right after the checkout, where the worktree's user cannot write."""
        return self._git_dir / "spinney" / "indexes" / Path(worktree.admin_dir).name

    def _purge(self, worktree: Worktree) -> None:
        """Take everything out of the administrative folder that somebody else may have left there.

        Locks of killed processes, settings, marks in the index that hide changed files: with the pristine
        index every file that was touched since the checkout differs and is written again.
        """
        admin = Path(worktree.admin_dir)
        for path in admin.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in _OWN_FILES or path.is_symlink():
                path.unlink()
        replace_file(admin / "commondir", "../..\n")
        replace_file(admin / "gitdir", f"{worktree.path}/.git\n")
        (admin / "index").unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):  # killed during its checkout: everything is written
            shutil.copy2(self._pristine(worktree), admin / "index")

    def _set_head(self, worktree: Worktree, branch: str | None, commit: Oid) -> None:
        head = f"ref: refs/heads/{branch}\n" if branch else f"{commit}\n"
        replace_file(Path(worktree.admin_dir) / "HEAD", head)

    def _write_link(self, worktree: Worktree) -> None:
        link = Path(worktree.path) / ".git"
        if link.is_dir() and not link.is_symlink():
            self._trash(link)
        replace_file(link, f"gitdir: {worktree.admin_dir}\n")

    def _discard_now(self, worktree: Worktree) -> None:
        admin = Path(worktree.admin_dir)
        for path in (Path(worktree.path), self._folder / f"spinney-{Path(worktree.path).name}"):
            if path.is_symlink():
                path.unlink()
            elif path.exists():
                self._trash(path)
        if admin.exists():
            shutil.rmtree(admin)
        for copy in (self._pristine(worktree), self._pristine(worktree).with_name(f"{admin.name}.new")):
            copy.unlink(missing_ok=True)

    def _trash(self, path: Path) -> None:
        trash = self._folder / TRASH
        trash.mkdir(parents=True, exist_ok=True)
        path.rename(trash / uuid.uuid4().hex)


def _literal(path: str) -> str:
    """``path`` as a pattern that matches nothing else."""
    return re.sub(r"([*?\[\]\\!#])", r"\\\1", path)


def ensure_branch(repo: pygit2.Repository, branch: str, commit: Oid) -> None:
    """Make ``branch`` at ``commit``; raises GitError where it exists elsewhere."""
    name = f"refs/heads/{branch}"
    if not create_ref(repo, name, commit) and read_ref(repo, name) != commit:
        raise GitError(f"the branch {branch} exists already, at another commit")
