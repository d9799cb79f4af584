"""What people do on the stand-in: issues, pull requests, reviews and checks, as a test wants them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from shared.clock import Clock
from tests.support.github import deeds, deeds_pulls, settling
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.state import (
    Check,
    Comment,
    Issue,
    Milestone,
    Permission,
    Repository,
    Review,
    Status,
    Thread,
    User,
    UserKind,
    World,
)

Number = Issue | int


class ByHand:
    """The half of ``GitHub`` that acts for people; everything follows from it that follows by itself."""

    world: World
    clock: Clock
    lock: threading.RLock
    repo: Repository
    owner: User
    lazy_mergeable: bool  # GitHub's way: the first question is answered with "not known yet"

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
            deeds.set_labels(made, deeds.labels(self.world, self.repo, labels), who, self.clock.now())
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

    def label(self, issue: Number, *names: str, by: User | str = "ada") -> None:
        with self.acting(by) as who:
            wanted = deeds.labels(self.world, self.repo, names)
            deeds.add_labels(self.get(issue), wanted, who, self.clock.now())

    def unlabel(self, issue: Number, name: str) -> None:
        with self.acting("ada"):
            held = self.get(issue)
            held.labels = [label for label in held.labels if label.name != name]

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
