"""The stand-in as a test holds it: its state, and what people do there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from shared.clock import Clock, SystemClock
from tests.support.github.answering import VERSIONS
from tests.support.github.apps import AppKey
from tests.support.github.asking import Problem
from tests.support.github.bare import Bare
from tests.support.github.by_hand import ByHand
from tests.support.github.calls import Calls
from tests.support.github.deeds_pulls import signature
from tests.support.github.faults import Fault, Faults
from tests.support.github.limits import Limits
from tests.support.github.server import Server
from tests.support.github.state import (
    Grant,
    Issue,
    Permission,
    Repository,
    Token,
    User,
    World,
)
from tests.support.github.tls import Tls

ACTIONS = "github-actions[bot]"
ALL_PERMISSIONS: dict[str, Grant] = dict.fromkeys(
    ("contents", "issues", "pull_requests", "statuses", "checks", "actions"), "write"
)
Number = Issue | int


class GitHub(ByHand):
    """A context manager. It begins with one repository, ``acme/widgets``, made from ``source``; ``ada`` administers it,
    and ``token`` is hers. ``url`` is its web address, ``api`` and ``graphql`` those of its API."""

    def __init__(
        self, source: Path, folder: Path, *, clock: Clock | None = None, tls: Tls | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self.lock = threading.RLock()
        self.world = World()
        self.calls, self.faults, self.limits = Calls(), Faults(), Limits(self.clock)
        self.violations: list[str] = []
        # Of the API: an older server of a company knows only the first.
        self.versions: tuple[str, ...] = VERSIONS
        self.stored: dict[str, bytes] = {}  # on the other host, by path
        self.lazy_mergeable = False  # GitHub's way: the first question is answered with "not known yet"
        self.seen_after = 0.0  # seconds after its push in which no pull request can be opened of a branch
        self.actions_open_pulls = True  # whether GITHUB_TOKEN may open pull requests
        self.hidden_fields: set[str] = (
            set()
        )  # of GraphQL, such as ``Issue.blockedBy``, that an older server has not
        self.installation, self.app_id = 71, 4711
        self.app_permissions: dict[str, Grant] = dict(ALL_PERMISSIONS)
        self._folder, self._key = folder, AppKey()
        self._server = Server(self, tls.context if tls else None)
        self._scheme = "https" if tls else "http"
        self.tls = tls
        self.owner = self.person("acme", None, kind="Organization")
        self.admin = self.person("ada", None)
        self.repo = self.repository("widgets", source)
        self.token = self.new_token("ada").value

    # --- its life

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self._server.address}"

    @property
    def host(self) -> str:
        return self._server.address

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    @property
    def graphql(self) -> str:
        return f"{self.url}/api/graphql"

    @property
    def git_url(self) -> str:
        return f"{self.url}/{self.repo.full_name}.git"

    @property
    def bare(self) -> Bare:
        return self.repo.bare

    def environment(self, token: str | None = None) -> dict[str, str]:
        """As a job of Actions has it."""
        return {
            "GITHUB_TOKEN": self.token if token is None else token, "GITHUB_SERVER_URL": self.url,
            "GITHUB_API_URL": self.api, "GITHUB_GRAPHQL_URL": self.graphql, "GITHUB_REPOSITORY": self.repo.full_name,
        }  # fmt: skip

    def use_clock(self, clock: Clock) -> None:
        """From now on this is the time, for limits too."""
        self.clock = clock
        self.limits.use_clock(clock)

    def violated(self, problem: str) -> None:
        self.violations.append(problem)

    # --- people and tokens

    def bot(self, login: str, permission: Permission | None = None) -> User:
        return self.person(login if login.endswith("[bot]") else f"{login}[bot]", permission, "Bot")

    def new_token(
        self, user: User | str, permissions: Mapping[str, Grant] | None = None, *, installation: bool = False,
        expires: float | None = None, hourly: int = 5000,
    ) -> Token:  # fmt: skip
        """``permissions`` None: a classic token, with all that its user may; otherwise a fine-grained one."""
        with self.lock:
            person = user if isinstance(user, User) else self.person(user, None)
            number = len(self.world.tokens) + 1
            prefix = "ghs_" if installation else "ghp_" if permissions is None else "github_pat_"
            value = prefix + f"{number:04d}".rjust(36, "K")
            held = None if permissions is None else dict(permissions)
            token = Token(value, person, held, installation, expires, hourly)
            self.world.tokens[value] = token
            return token

    def actions_token(self, permissions: Mapping[str, Grant] | None = None) -> Token:
        """A job's GITHUB_TOKEN."""
        bot = self.bot(ACTIONS, "write")
        return self.new_token(
            bot, ALL_PERMISSIONS if permissions is None else permissions, installation=True, hourly=1000
        )

    def new_installation_token(self, permissions: Mapping[str, Grant]) -> Token:
        bot = self.bot("spinney-test", "write")
        return self.new_token(bot, permissions, installation=True, expires=self.clock.now() + 3600)

    def app_key(self) -> str:
        """The private key of the App ``app_id``, in PEM."""
        return self._key.private()

    def app_token(self, value: str) -> Token:
        """Who an App's JSON web token speaks for. Raises Problem (401) where it is no good."""
        if not self._key.proves(value, self.app_id, self.clock.now()):
            raise Problem(401, "A JSON web token could not be decoded")
        return Token(value, self.bot("spinney-test"), {}, installation=True)

    def scopes(self, authorization: str) -> dict[str, str]:
        """What a classic token's answers say it may."""
        token = self.world.tokens.get(authorization.rpartition(" ")[2])
        if token is None or token.permissions is not None:
            return {}
        return {"X-OAuth-Scopes": "repo, workflow, read:org", "X-Accepted-OAuth-Scopes": "repo"}

    def storage_address(self, content: bytes) -> str:
        path = f"/logs/{next(self.world.next_id)}"
        self.stored[path] = content
        return f"{self._server.storage}{path}?signature=of-a-minute"

    # --- repositories

    def repository(
        self, name: str, source: Path, *, owner: User | None = None, private: bool = False
    ) -> Repository:
        with self.lock:
            owner, id = owner or self.owner, next(self.world.next_id)
            bare = Bare.copy(source, self._folder / f"{id}.git")
            made = Repository(id, owner, name, bare, self.clock.now(), private=private)
            made.heads = bare.heads()
            made.permissions[self.admin.id] = "admin"
            self.world.repositories[id] = made
            return made

    def rename(self, name: str, repository: Repository | None = None) -> None:
        """Old addresses lead to the new one from now on."""
        with self.lock:
            repo = repository or self.repo
            repo.former.add(repo.full_name.lower())
            repo.name = name

    def protect(self, branch: str) -> None:
        """Nobody pushes to it any more."""
        hook = self.repo.bare.path / "hooks" / "update"
        self.repo.protected = (*self.repo.protected, branch)
        cases = "|".join(f"refs/heads/{name}" for name in self.repo.protected)
        said = "GH006: Protected branch update failed for $1."
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\ncase "$1" in {cases}) echo "error: {said}" >&2; exit 1;; esac\n')
        hook.chmod(0o755)

    def commit(
        self, branch: str, path: str, content: str | None, message: str = "change", *, by: User | str = "ada",
        start: str = "",
    ) -> str:  # fmt: skip
        """Somebody pushes a commit of one file; the branch is made from ``start`` (the default branch) if need be."""
        with self.acting(by) as who:
            start = start or self.repo.default_branch
            return self.bare.write(branch, path, content, message, signature(who, self.clock.now()), start)

    def move(self, branch: str, oid: str | None) -> None:
        """Somebody pushes the branch to there, with force; None deletes it."""
        with self.acting("ada"):
            if oid is None:
                self.bare.delete(f"refs/heads/{branch}")
            else:
                self.bare.set(f"refs/heads/{branch}", oid)

    # --- stepping in

    def when(
        self,
        match: str,
        act: Callable[[], object],
        *,
        at: int = 1,
        when: Literal["before", "after"] = "before",
    ) -> Fault:
        """Call ``act`` before or after the ``at``-th request that ``match``es is carried out; see ``faults``."""
        return self.faults.add(Fault("act", match, at, act=act, when=when))

    def fail(self, match: str, kind: Any, **how: Any) -> Fault:
        """Let the request that ``match``es go wrong; see ``faults``."""
        return self.faults.add(Fault(kind, match, **how))
