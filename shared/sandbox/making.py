"""A sandbox for one worktree of a repository, made of what there is on this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from shared.errors import SpinneyError
from shared.files import replace_file
from shared.git.shown import link_of, settings_without_secrets, shown
from shared.model import Limits, RepositoryFacts, Sandbox, Settings
from shared.sandbox import groups
from shared.sandbox.calls import call_filter
from shared.sandbox.places import (
    SETTINGS,
    SETTINGS_FOLDERS,
    SYSTEM,
    expanded,
    toolchains,
    why_not_shown,
    within,
)

_PRIVATE = "/tmp"  # noqa: S108 - the sandbox's own
_MOST_LINKS = 500  # entries of a folder of programs that are looked at


def make(
    name: str,
    *,
    facts: RepositoryFacts,
    settings: Settings,
    environment: Mapping[str, str],
    worktree: str,
    admin_dir: str,
) -> Sandbox:
    """The sandbox for whoever works in ``worktree``; ``name`` tells it from this process's other ones.

    Raises SpinneyError where somebody has put a repository into the worktree.
    """
    limits = _affordable(Limits())
    user = environment.get("HOME", "")
    home = _home(user)
    return Sandbox(
        worktree=worktree,
        home=home,
        read=_to_read(facts, settings, environment.get("PATH", ""), user or home),
        hide=(facts.git_dir,),
        show=tuple(_to_show(facts, worktree, admin_dir)),
        environment=settings.pass_environment,
        limits=limits,
        groups=groups.make(name.replace("/", "+"), limits),
        calls=_calls(facts),
        etc=_etc(Path(facts.run_dir, "sandbox", "etc")),
    )


def _home(home: str) -> str:
    """Where the private home appears: where the user's own is, which toolchains were told."""
    plain = os.path.normpath(home) if home.startswith("/") else "/"
    # At the root, or where the system is, it would hide what has to be there.
    return _PRIVATE if any(within(root, plain) or within(plain, root) for root in SYSTEM) else plain


def _affordable(limits: Limits) -> Limits:
    """A sandbox may use most of this machine's memory, never all of it."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return replace(
        limits, memory=min(limits.memory, there * 3 // 4), temporary=min(limits.temporary, there // 8)
    )


def _to_read(facts: RepositoryFacts, settings: Settings, path: str, home: str) -> tuple[str, ...]:
    apart = tuple(filter(None, (facts.checkout, facts.git_dir, facts.worktrees, facts.run_dir)))
    asked = (expanded(place, home) for place in settings.sandbox_read)
    more = [place for place in asked if not why_not_shown(place, home, apart)]
    tools = toolchains(path, home, apart, installed=looks_installed, links=led_to)
    return tuple(place for place in (*tools, *more) if os.path.exists(place))


def looks_installed(folder: str) -> bool:
    """Whether ``folder`` is a toolchain's: a Python environment, Node's modules, or libraries beside programs."""
    return (
        os.path.isfile(f"{folder}/pyvenv.cfg")
        or os.path.isdir(f"{folder}/lib")
        or os.path.basename(folder) == "node_modules"
    )


def led_to(folder: str) -> Iterator[str]:
    """The real paths of what the first links in ``folder`` lead to."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, _MOST_LINKS):
            if entry.is_symlink():
                yield os.path.realpath(entry.path)


def _to_show(facts: RepositoryFacts, worktree: str, admin_dir: str) -> Iterator[tuple[str, str]]:
    """Git's directory as far as it is there, and the worktree's own link to it, which cannot be replaced."""
    for place in shown(facts.git_dir, admin_dir):
        yield place, place
    settings = settings_without_secrets(facts.git_dir).encode()
    yield _kept(facts, "config", settings), f"{facts.git_dir}/config"
    link = link_of(admin_dir)
    _put_right(Path(worktree, ".git"), link)
    yield _kept(facts, f"{Path(worktree).name}.link", link.encode()), f"{worktree}/.git"


def _put_right(link: Path, text: str) -> None:
    """An agent outside of a sandbox may have left something else there, which a mount would follow."""
    try:
        if stat.S_ISREG(link.lstat().st_mode) and link.read_text(errors="replace") == text:
            return
        if link.is_dir() and not link.is_symlink():
            raise SpinneyError(f"{link} is a folder: an agent has put a repository there")
    except FileNotFoundError:
        pass
    replace_file(link, text)


def _etc(place: Path) -> str:
    """The machine's harmless settings, copied once a run: one mount instead of twenty, a millisecond each."""
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=".etc-", dir=place.parent))
        half.chmod(0o755)
        for folder in SETTINGS_FOLDERS:
            if Path(folder).is_dir():  # to be mounted on
                Path(half, Path(folder).relative_to("/etc")).mkdir(parents=True)
        for file in map(Path, SETTINGS):
            with contextlib.suppress(OSError):  # not there, or not for this user to read
                copy = half / file.relative_to("/etc")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)  # through a link: what it leads to may not be there
        try:
            half.rename(place)
        except OSError:  # another manager was faster
            shutil.rmtree(half)
    return str(place)


def _calls(facts: RepositoryFacts) -> str:
    """The filter of system calls, where one is known for this machine."""
    program = call_filter(platform.machine())
    return _kept(facts, "calls", program) if program else ""


def _kept(facts: RepositoryFacts, name: str, data: bytes) -> str:
    """A file of the run that agents see and cannot write; returns its path."""
    path = Path(facts.run_dir, "sandbox", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        replace_file(path, data)
    return str(path)
