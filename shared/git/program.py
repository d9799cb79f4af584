"""The one wrapper around the git program.

Rewriting the one-line ``.git`` file of a worktree, or its configuration, is enough to make a careless
``git status`` run code. So the program never discovers anything by itself: both directories are given, the
environment is empty, and hooks, file-system monitors, filters, submodules and every transport are off.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared import process
from shared.containment import SESSION_VARIABLE
from shared.errors import GitError, UserError
from shared.files import replace_file

PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin"
MINIMUM_VERSION = (2, 38)  # ``merge-tree --write-tree``
_SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "submodule.recurse=false",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.fsync=committed",
    "advice.detachedHead=false",
)


@cache
def program() -> str:
    """The git program's path. Raises UserError when there is none."""
    found = shutil.which("git", path=PATH)
    if found is None:
        raise UserError("git is not installed", "install it, for example: apt-get install git")
    return found


def environment() -> dict[str, str]:
    env = {
        "PATH": PATH,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    if session := os.environ.get(SESSION_VARIABLE):
        env[SESSION_VARIABLE] = session
    return env


@dataclass(frozen=True, slots=True)
class Git:
    """The git program bound to one git directory and, where a command needs it, one work tree."""

    git_dir: str
    work_tree: str = ""

    def argv(self, *arguments: str) -> list[str]:
        command = [program()]
        for setting in _SAFE:
            command += ["-c", setting]
        command.append(f"--git-dir={self.git_dir}")
        if self.work_tree:
            command.append(f"--work-tree={self.work_tree}")
        return [*command, *arguments]

    def run(self, *arguments: str, input: bytes = b"", extra: Mapping[str, str] | None = None) -> bytes:
        """Standard output. Raises GitError with git's own words when it fails."""
        done = self.attempt(*arguments, input=input, extra=extra)
        if done.status != 0:
            words = done.stderr.decode(errors="replace").strip() or f"exit status {done.status}"
            raise GitError(f"git {arguments[0]}: {words}")
        return done.stdout

    def attempt(
        self,
        *arguments: str,
        input: bytes = b"",
        extra: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> process.Completed:
        """Like ``run``, for callers that read the exit status themselves. SpinneyError after ``timeout`` seconds."""
        env = environment()
        if self.work_tree:
            env |= self._disarmed()
        if extra:
            env.update(extra)
        cwd = self.work_tree or self.git_dir
        return process.run(self.argv(*arguments), cwd=cwd, env=env, input=input, timeout=timeout)

    def _disarmed(self) -> dict[str, str]:
        """Variables that pin the common directory and switch off every filter driver.

        An agent may write its worktree's administrative folder, so its ``commondir`` and ``config.worktree``
        could bring in a driver, which git runs on files that ``.gitattributes`` names.
        """
        own = Path(self.git_dir)
        common = pin_common_directory(own)
        env = {"GIT_COMMON_DIR": str(common)} if common != own else {}
        text = b""
        for config in (common / "config", own / "config.worktree"):
            with contextlib.suppress(OSError):
                text += config.read_bytes().lower()
        if b"filter" not in text and b"include" not in text:
            return env
        listed = process.run(
            [program(), f"--git-dir={own}", "config", "-z", "--name-only", "--get-regexp", r"^filter\."],
            cwd=common,
            env=environment() | env,
        )
        names = sorted({name.rpartition(b".")[0] for name in listed.stdout.split(b"\0") if name})
        off = [
            (os.fsdecode(name) + key, value)
            for name in names
            for key, value in ((".clean", ""), (".smudge", ""), (".process", ""), (".required", "false"))
        ]
        for index, (key, value) in enumerate(off):
            env[f"GIT_CONFIG_KEY_{index}"], env[f"GIT_CONFIG_VALUE_{index}"] = key, value
        return env | {"GIT_CONFIG_COUNT": str(len(off))}


def pin_common_directory(git_dir: Path) -> Path:
    """The common directory of ``git_dir``, by where it lies; what a worktree's own file says is put right.

    Git reads its settings through the variable ``GIT_COMMON_DIR``, but its refs through this file.
    """
    if git_dir.parent.name != "worktrees":
        return git_dir
    link = git_dir / "commondir"
    with contextlib.suppress(OSError):
        if link.is_symlink() or link.read_bytes().strip() != b"../..":
            replace_file(link, "../..\n")
    return git_dir.parent.parent


def version() -> tuple[int, ...]:
    """The git program's version, such as (2, 39, 5)."""
    done = process.run([program(), "version"], cwd="/", env=environment())
    words = done.stdout.decode().split()
    numbers: Sequence[str] = words[2].split(".") if len(words) > 2 else ()
    return tuple(int(number) for number in numbers if number.isdigit())


def user_git(cwd: Path, *arguments: str) -> str | None:
    """What the user's own git answers in ``cwd``, with the user's environment; None when it fails.

    Only for questions about the user's set-up, such as the author's name, and only in the user's checkout.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = process.run([program(), *arguments], cwd=cwd, env=env)
    return done.stdout.decode(errors="replace").strip() if done.status == 0 else None
