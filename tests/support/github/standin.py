"""The stand-in as a test holds it: its state, and what people do there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from shared.clock import Clock, SystemClock
from tests.support.github import deeds, deeds_pulls, settling
from tests.support.github.apps import AppKey
from tests.support.github.asking import Problem
from tests.support.github.bare import Bare
from tests.support.github.calls import Calls
from tests.support.github.deeds_pulls import pull_of, signature
from tests.support.github.faults import Fault, Faults
from tests.support.github.limits import Limits
from tests.support.github.server import Server
from tests.support.github.state import (
    Check,
    Comment,
    Grant,
    Issue,
    Milestone,
    Permission,
    Repository,
    Review,
    Status,
    Thread,
    Token,
    User,
    UserKind,
    World,
)
from tests.support.github.tls import Tls

ACTIONS = "github-actions[bot]"
ALL_PERMISSIONS: dict[str, Grant] = dict.fromkeys(
    ("contents", "issues", "pull_requests", "statuses", "checks", "actions"), "write"
)
Number = Issue | int


class GitHub:
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
        self.stored: dict[str, bytes] = {}  # on the other host, by path
        self.lazy_mergeable = False  # GitHub's way: the first question is answered with "not known yet"
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

    def violated(self, problem: str) -> None:
        self.violations.append(problem)

    # --- people and tokens

    def person(self, login: str, permission: Permission | None = "write", kind: UserKind = "User") -> User:
        """Somebody, with a permission in the repository (None: none of their own); made where they are new."""
        with self.lock:
            user = self.world.user(login)
            if user is None:
                user = User(next(self.world.next_id), login, kind)
                self.world.users[user.id] = user
            if permission is not None:
                self.repo.permissions[user.id] = permission
            return user

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

    @contextlib.contextmanager
    def acting(self, who: User | str) -> Iterator[User]:
        """Something happens at once; what follows from it by itself has happened afterwards."""
        with self.lock:
            yield who if isinstance(who, User) else self.person(who, None)
            for repository in self.world.repositories.values():
                settling.settle(repository, self.clock.now())
                deeds_pulls.advance(repository, self.clock.now())

    # --- issues

    def issue(
        self, title: str, body: str | None = "", *, labels: Iterable[str] = (), author: User | str = "ada",
        milestone: Milestone | None = None, assignees: Iterable[str] = (), state: Literal["open", "closed"] = "open",
        locked: bool = False,
    ) -> Issue:  # fmt: skip
        with self.acting(author) as who:
            made = deeds.new_issue(self.world, self.repo, who, title, body, self.clock.now())
            made.labels = deeds.labels(self.world, self.repo, labels)
            made.assignees = [self.person(login, None) for login in assignees]
            made.milestone, made.locked = milestone, locked
            if state == "closed":
                settling.close(made, who, self.clock.now())
            return made

    def get(self, number: Number) -> Issue:
        return number if isinstance(number, Issue) else self.repo.issues[number]

    def comment(self, issue: Number, body: str, *, author: User | str = "ada") -> Comment:
        with self.acting(author) as who:
            return deeds.comment(self.world, self.get(issue), who, body, self.clock.now())

    def comments(self, issue: Number) -> list[str]:
        return [one.body for one in self.get(issue).comments]

    def edit(self, issue: Number, *, title: Any = ..., body: Any = ..., by: User | str = "ada") -> None:
        with self.acting(by):
            deeds.edit_text(self.get(issue), title, body, self.clock.now())

    def label(self, issue: Number, *names: str) -> None:
        with self.acting("ada"):
            held = self.get(issue).labels
            held += [one for one in deeds.labels(self.world, self.repo, names) if one not in held]

    def close(self, issue: Number, *, by: User | str = "ada", reason: str | None = None) -> None:
        with self.acting(by) as who:
            settling.close(self.get(issue), who, self.clock.now(), reason)

    def reopen(self, issue: Number) -> None:
        with self.acting("ada") as who:
            deeds.set_state(self.get(issue), "open", None, who, self.clock.now())

    def milestone(self, title: str) -> Milestone:
        with self.lock:
            number = len(self.repo.milestones) + 1
            made = Milestone(next(self.world.next_id), number, title, self.clock.now())
            self.repo.milestones.append(made)
            return made

    def blocked(self, issue: Number, *by: Number) -> None:
        with self.lock:
            self.get(issue).blocked_by += [self.get(one) for one in by]

    def sub_issue(self, parent: Number, child: Number) -> None:
        with self.lock:
            self.get(parent).sub_issues.append(self.get(child))
            self.get(child).parent = self.get(parent)

    def transfer(self, issue: Number, to: Repository) -> Issue:
        with self.acting("ada"):
            old = self.get(issue)
            made = deeds.new_issue(self.world, to, old.author, old.title, old.body, self.clock.now())
            old.moved_to = made
            return made

    def delete(self, issue: Number) -> None:
        with self.lock:
            self.get(issue).deleted = True

    # --- pull requests

    def pulls(self, state: Literal["open", "closed", "merged"] | None = None) -> list[Issue]:
        """By number; ``closed`` are those that were not merged."""
        with self.acting("ada"):
            found = self.repo.pulls()
        kinds = {one.number: "merged" if pull_of(one).merged else one.state for one in found}
        return [one for one in found if state is None or kinds[one.number] == state]

    def pull(
        self, head: str, base: str = "", title: str = "A pull request", body: str = "", *, author: User | str = "ada",
        draft: bool = False,
    ) -> Issue:  # fmt: skip
        """Somebody opens one, by hand."""
        with self.acting(author) as who:
            base = base or self.repo.default_branch
            now = self.clock.now()
            return deeds_pulls.open_pull(
                self.world, self.repo, who, head, base, title, body, now, draft=draft
            )

    def merge(self, issue: Number, method: str = "merge", *, by: User | str = "ada") -> str:
        """Somebody presses the button; a draft is made ready first. The commit that it gave."""
        with self.acting(by) as who:
            pull_of(self.get(issue)).draft = False
            return deeds_pulls.merge(self.get(issue), who, self.clock.now(), method)

    def run_queue(self) -> None:
        """The merge queue brings in what waits there."""
        with self.acting("ada"):
            for issue in self.repo.pulls():
                if issue.state == "open" and pull_of(issue).queued:
                    deeds_pulls.merge(issue, self.owner, self.clock.now(), by_queue=True)

    def known_mergeable(self, issue: Issue) -> bool | None:
        pull = pull_of(issue)
        if issue.state == "closed":
            return None
        looked, pull.looked_at = pull.looked_at, (pull.base_sha, pull.head_sha)
        if self.lazy_mergeable and looked != pull.looked_at:
            return None
        return deeds_pulls.mergeable(issue)

    # --- reviews and checks

    def review(
        self, issue: Number, state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"] = "COMMENTED",
        body: str = "", *, author: User | str = "ada", comments: Sequence[tuple[str, int | None, str]] = (),
    ) -> Review:  # fmt: skip
        """``comments``: path, line and text of each; each opens a thread."""
        with self.acting(author) as who:
            pull, now = pull_of(self.get(issue)), self.clock.now()
            made = Review(next(self.world.next_id), who, state, body, pull.head_sha, now)
            pull.reviews.append(made)
            for path, line, text in comments:
                said = Comment(next(self.world.next_id), who, text, now, now)
                thread = Thread(next(self.world.next_id), path, line, made, [said], pull.head_sha)
                pull.threads.append(thread)
            return made

    def resolve(self, thread: Thread, *, by: User | str = "ada") -> None:
        with self.acting(by) as who:
            thread.resolved, thread.resolved_by = True, who

    def status(
        self, at: Number | str, state: Literal["pending", "success", "failure", "error"], context: str = "ci",
        description: str | None = None,
    ) -> Status:  # fmt: skip
        """At a pull request's tip, or at a commit."""
        with self.acting("ada") as who:
            sha = at if isinstance(at, str) else pull_of(self.get(at)).head_sha
            now = self.clock.now()
            made = Status(next(self.world.next_id), sha, context, state, description, None, who, now)
            self.repo.statuses.append(made)
            return made

    def statuses(self, context: str = "spinney") -> list[Status]:
        return [one for one in self.repo.statuses if one.context == context]

    def check(
        self, at: Number | str, name: str = "test", conclusion: str | None = "success", *, log: str | bytes | None = None,
        summary: str | None = None,
    ) -> Check:  # fmt: skip
        """``conclusion`` None: it is at work. With a ``log`` it is a job of Actions."""
        with self.acting("ada"):
            sha = at if isinstance(at, str) else pull_of(self.get(at)).head_sha
            now, done = self.clock.now(), conclusion is not None
            made = Check(
                next(self.world.next_id), sha, name, "completed" if done else "in_progress", conclusion, now,
                now if done else None, summary=summary, job=log.encode() if isinstance(log, str) else log,
                run=next(self.world.next_id),
            )  # fmt: skip
            self.repo.checks.append(made)
            return made

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
