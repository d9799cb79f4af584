"""Putting together what a run needs of GitHub: where it is, who we are there, and the ports over its API."""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.composition.forges import GitHub, Opened
from orchestrator.remote_lock import SECONDS, RemoteLock, Who, ask_to_stop
from orchestrator.runs import Place
from shared.clock import SystemClock, WakingClock
from shared.errors import UserError
from shared.forge.github.addresses import chosen, host_named, located, unknown_to_all_but_ssh
from shared.forge.github.api import Host
from shared.forge.github.auth import Given, find_auth
from shared.forge.github.authors import Authors
from shared.forge.github.client import Client, open_client
from shared.forge.github.errors import Refused, Unreachable
from shared.forge.github.forge import GitHubForge
from shared.forge.github.issues import GitHubTracker
from shared.forge.github.notes import Notes
from shared.forge.github.waiting import Waiting
from shared.forge.github.watching import GitHubWatched
from shared.git.leases import Leases
from shared.git.remotes import Remote, address_of, remote_names, rewritten_address
from shared.lock import Record
from shared.model import GitHubSettings, Identity

_IDENTITY = Identity("Spinney", "spinney@invalid")  # of the lock's commits, which are on no branch


def open_github(
    place: Place,
    settings: GitHubSettings,
    keys: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    issues: bool = False,
    held: Callable[[str, float], None] = lambda why, until: None,
) -> Opened:
    """See ``open_forge``. ``held`` is told why GitHub is waited for until somebody else listens."""
    host, repository, alias = _found(place, settings, environ)
    try:
        who = find_auth(keys, host, settings, environ)
    except UserError as error:
        raise UserError(error.message, *alias, *error.hints) from error
    clock, stop, ears, leave = SystemClock(), threading.Event(), _Ears(held), _Leave()
    client = open_client(host, who, repository, clock=clock, stop=stop, tell=ears.hear, check=leave.check)
    try:
        told = _looked_up(client, repository, who.source, issues=issues)
    except BaseException:
        client.close()
        raise
    name = str(told["full_name"])
    notes = Notes()
    if name.casefold() != repository.casefold():
        notes.add(f"{repository} is called {name} now: correct the remote's address")

    def remote_at(check: Callable[[], None]) -> Remote:
        url = f"{host.web}/{name}.git"
        return Remote(place.git_dir, url, lambda: _header(client.auth.token()), environ, check)

    remote = remote_at(leave.check)
    # A lock that was not renewed in time is still given back where it is ours.
    leases = Leases(remote_at(lambda: None), _IDENTITY)

    def lock(run: str) -> RemoteLock:
        patience = SECONDS + 30 if environ.get("GITHUB_ACTIONS") == "true" else 0.0
        who, record = _who(place, environ, run), Record(place.state / "remote-holder.json")
        made = RemoteLock(leases, who, WakingClock(), client.now, patience=patience, record=record)
        leave.lock = made
        return made

    tracker = GitHubTracker(client, name, settings.mark, notes)
    github = GitHub(
        tracker=tracker,
        watched=GitHubWatched(client, name, tracker.takes, notes),
        remote=remote,
        api=client,
        repository=name,
        host=host.name,
        default_branch=str(told["default_branch"]),
        secrets=(who.value if isinstance(who, Given) else who.key,),
        lock=lock,
        ask_to_stop=lambda: ask_to_stop(leases),
        noted=notes.all,
        stop=stop,
        listen=ears.listen,
    )
    authors = Authors(client, tracker.may_write, notes)
    forge = GitHubForge(client, name, remote, notes, authors.trusts)
    return Opened(forge, github, notes.all(), client.close)


def _found(
    place: Place, settings: GitHubSettings, environ: Mapping[str, str]
) -> tuple[Host, str, tuple[str, ...]]:
    """Which GitHub, and which repository there, as the settings or the remote's address have it; and what to do where
    that address is one for ssh alone, and nobody has a token for it."""
    address = _address(place, settings.remote)
    there = located(address) if address else None
    host = chosen(there.host if there else None, settings.api, environ)
    if settings.repository:
        return host or host_named("github.com"), settings.repository, ()
    if not address:
        others = ", ".join(remote_names(place.git_dir)) or "none"
        raise UserError(
            f"there is no remote {settings.remote!r}, so it is not known where this repository is on GitHub",
            f"remotes here: {others}; choose one in spinney.yaml: github: {{remote: …}}",
            "or name the repository: github: {repository: owner/name}",
            "or add the remote: git remote add origin https://github.com/OWNER/NAME.git",
        )
    if there is None or host is None:
        raise UserError(
            f"the remote {settings.remote!r} is at {_shown(address)}, which is no address of a repository on GitHub",
            "name the repository in spinney.yaml: github: {repository: owner/name}",
        )
    alias: tuple[str, ...] = ()
    if name := unknown_to_all_but_ssh(address):
        wanted = f"github: {{repository: {there.repository}, api: https://api.github.com}}"
        alias = (
            f"if {name} is a name of your ssh configuration for github.com, say in spinney.yaml: {wanted}",
        )
    return host, there.repository, alias


def _address(place: Place, remote: str) -> str:
    """Of the remote. What is plainly on GitHub stays; short forms and mirrors are read as the user's git reads them."""
    address = address_of(place.git_dir, remote)
    there = located(address) if address else None
    if not address or (there is not None and there.host.api.startswith("https://api.")):
        return address
    return rewritten_address(place.checkout, remote) or address


def _shown(address: str) -> str:
    """Without what may be a password."""
    scheme, found, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found else address


def _looked_up(client: Client, repository: str, source: str, *, issues: bool) -> Mapping[str, Any]:
    """What GitHub says of the repository; a rename is followed. Raises UserError where it cannot be worked with."""
    place = f"{repository} at {client.host.name}"
    try:
        told: Mapping[str, Any] = client.get(f"/repos/{repository}")
    except Refused as error:
        if error.status in (404, 451):
            raise UserError(
                f"there is no repository {place}, or the token ({source}) may not see it",
                "look at the name, and at which repositories the token is for",
            ) from error
        raise UserError(f"GitHub refuses {place}: {error.message}", *error.hints) from error
    except Unreachable as error:
        raise UserError(error.message, *error.hints, "nothing was started") from error
    if told.get("archived"):
        raise UserError(f"{place} is archived: it can only be read", "take it out of the archive first")
    if issues and not told.get("has_issues", True):
        raise UserError(f"issues of {place} are turned off", "turn them on in its settings")
    return told


def _header(token: str) -> str:
    """Git's name for whoever comes with a token."""
    return f"Authorization: Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"


def _who(place: Place, environ: Mapping[str, str], run: str) -> Who:
    job = [environ.get(f"GITHUB_{part}", "") for part in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    # The lock is for everybody to read who sees the repository: who we are, and where, is nobody's business there.
    told = (_user(), socket.gethostname(), str(place.git_dir), _clone(place.state))
    digest = hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]
    if environ.get("GITHUB_ACTIONS") == "true" and all(job):
        holder = f"{job[0]}/{job[1]}/actions/runs/{job[2]}"
    else:
        holder = f"a machine outside of GitHub Actions, {digest[:6]},"
    return Who(holder, digest, run)


def _clone(state: Path) -> str:
    """What no two clones have in common: machines made from one image have one name, and clone to one place."""
    file = state / "clone"
    if not file.exists():
        state.mkdir(parents=True, exist_ok=True)
        own = state / f"clone.{secrets.token_hex(8)}"
        own.write_text(secrets.token_hex(16))
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.link(own, file)
        own.unlink()
    return file.read_text()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"


class _Leave:
    """To change something on GitHub: the lock that was made last must not be lost. Commands that take none have it."""

    def __init__(self) -> None:
        self.lock: RemoteLock | None = None

    def check(self) -> None:
        if self.lock is not None:
            self.lock.check()


class _Ears:
    """Hands on what is waited for to whoever listens last."""

    def __init__(self, told: Callable[[str, float], None]) -> None:
        self._told = told

    def listen(self, told: Callable[[str, float], None]) -> None:
        self._told = told

    def hear(self, waiting: Waiting | None) -> None:
        self._told(waiting.why if waiting else "", waiting.until if waiting else 0.0)
