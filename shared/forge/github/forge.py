"""Pull requests on GitHub. Many are read by one question of GraphQL; each is written by REST."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from shared.errors import SpinneyError, UserError
from shared.forge.github import bodies, queries
from shared.forge.github.api import Api
from shared.forge.github.authors import Trusts, program_or_viewer
from shared.forge.github.errors import AnswerLost, Refused, TooMuch
from shared.forge.github.notes import Notes
from shared.forge.github.pulls import Seen, of_graphql, of_rest
from shared.forge.port import Draft, PullRequest, PullState, Sent, Sought
from shared.model import Oid
from shared.text import printable

_PAGES = 10  # of a hundred, the newest: as far as lists of what is closed go back
_SHOWN = 20  # numbers in a hint
_PAUSES = (1.0, 3.0, 6.0)  # seconds, between tries to open one whose branch GitHub does not see yet
_UNSEEN = ("head invalid", "base invalid", "sha can't be blank", "no commits between")
_PREFIXES = ("refs/heads/spinney/*", "refs/spinney/*")
_Done = TypeVar("_Done")


class Pushes(Protocol):
    """The repository behind the pull requests; ``shared.git.remotes.Remote`` is one."""

    def tips(self, *patterns: str) -> Mapping[str, Oid]: ...

    def push(self, refs: Sequence[Sent]) -> Mapping[str, str]: ...


class GitHubForge:
    """The pull requests of one repository that Spinney opened: their branches are there, their texts have our marker.

    What may or may not have been done because its answer was lost is looked up at once, so ``AnswerLost`` is
    raised only where looking said nothing either.
    """

    name = "github"

    def __init__(
        self,
        api: Api,
        repository: str,
        remote: Pushes,
        notes: Notes | None = None,
        trusts: Trusts = program_or_viewer,
    ) -> None:
        """``trusts`` says of an author whether a pull request that looks like ours is ours."""
        self._api, self._remote, self._notes, self._trusts = api, remote, notes or Notes(), trusts
        self._owner, _, self._name = repository.partition("/")
        self._path = f"/repos/{repository}"

    # --- reading

    def find(self, sought: Sequence[Sought]) -> Mapping[str, PullRequest]:
        found: dict[str, PullRequest] = {}
        for start in range(0, len(sought), queries.AT_ONCE):
            for one, seen in self._of_branches(sought[start : start + queries.AT_ONCE]):
                pull, known = seen.pull, found.get(one.marker)
                if pull.marker == one.marker and (known is None or _before(pull) > _before(known)):
                    found[one.marker] = pull
        return found

    def _of_branches(self, sought: Sequence[Sought]) -> Iterator[tuple[Sought, Seen]]:
        heads = {f"h{number}": one.head for number, one in enumerate(sought)}
        try:
            there = self._ask(queries.pulls_of(len(sought)), **heads)
        except TooMuch:  # anybody may write long texts to pull requests from branches of these names
            half = len(sought) // 2
            if not half:
                raise
            yield from self._of_branches(sought[:half])
            yield from self._of_branches(sought[half:])
            return
        for number, one in enumerate(sought):
            nodes = there[f"b{number}"]["nodes"]
            if None in nodes:  # one that is there: without it, what is done already would be done again
                raise SpinneyError(f"a pull request of {one.head} is there, and the token may not see it")
            seen = [of_graphql(node, self._trusts) for node in nodes]
            is_open = any(other.own and other.pull.state is PullState.OPEN for other in seen)
            if there[f"b{number}"]["totalCount"] > len(seen) and not is_open:
                # Strangers may have opened as many from a branch of that name as they like.
                seen = list(self._with_head(one.head, state="all"))
            yield from ((one, other) for other in seen if other.own)

    def _with_head(self, head: str, *, state: str) -> Iterator[Seen]:
        path = f"{self._path}/pulls"
        for item in self._api.pages(path, head=f"{self._owner}:{head}", state=state, per_page=100):
            seen = of_rest(item, self._trusts)
            if seen.same_repository and seen.pull.head == head:
                yield seen

    def get(self, number: int) -> PullRequest:
        return self._seen(number).pull

    def _seen(self, number: int) -> Seen:
        if 0 < number < 2**31:
            node = self._ask(queries.ONE_PULL, number=number)["pullRequest"]
            if node is not None:
                return of_graphql(node, self._trusts)
        known = [pull.number for pull in self.list()][-_SHOWN:]
        there = ", ".join(f"#{known_number}" for known_number in known) or "none"
        raise UserError(f"there is no pull request #{number}", f"there are: {there}")

    def list(self, state: PullState | None = None) -> tuple[PullRequest, ...]:
        """Of what is not open, only what is among the repository's newest thousand."""
        states = None if state is None else [state.name]
        found: list[PullRequest] = []
        after: str | None = None
        for page in range(_PAGES * 5):
            there = self._ask(queries.PULLS, states=states, after=after)["pullRequests"]
            seen = [of_graphql(node, self._trusts) for node in there["nodes"] if node]
            found += [one.pull for one in seen if one.pull.marker]
            after = there["pageInfo"]["endCursor"]
            if not there["pageInfo"]["hasNextPage"] or (page + 1 >= _PAGES and state is not PullState.OPEN):
                break
        return tuple(sorted(found, key=lambda pull: pull.number))

    # --- writing

    def open(self, draft: Draft, tip: Oid) -> PullRequest:  # noqa: ARG002 - it follows its branch
        todo = bool(draft.labels or draft.assignees or draft.reviewers or draft.milestone is not None)
        seen, made = self._opened_in_time(draft, todo)
        if not made:
            return self._updated(seen, draft)
        return self._given(seen, draft, bodies.read(seen.text).written, {}) if todo else seen.pull

    def _opened_in_time(self, draft: Draft, todo: bool) -> tuple[Seen, bool]:
        """As ``_opened``. What was just pushed is not known to all of GitHub at once."""
        for seconds in _PAUSES:
            try:
                return self._opened(draft, todo)
            except Refused as error:
                unseen = any(_says(error, words) for words in _UNSEEN)
                if not unseen or not self._are_pushed(draft.head, draft.base):
                    raise
                self._api.pause(seconds)
        return self._opened(draft, todo)

    def _are_pushed(self, head: str, base: str) -> bool:
        """Whether the branches are there, with something between them."""
        tips = self._remote.tips(f"refs/heads/{head}", f"refs/heads/{base}")
        return len(tips) == 2 and len(set(tips.values())) == 2

    def _opened(self, draft: Draft, todo: bool) -> tuple[Seen, bool]:
        """The open pull request of the branch, and whether it was made now."""
        title, body = bodies.fresh(draft, todo=todo)
        fields = {
            "title": title,
            "head": draft.head,
            "base": draft.base,
            "body": body,
            "draft": draft.as_draft,
        }
        for last in (False, False, True):
            try:
                item = self._api.send("POST", f"{self._path}/pulls", fields, creates=True)
                return of_rest(item, lambda author: True), True
            except AnswerLost:
                # A second one of the same branch and base is refused by GitHub itself.
                there = self._ours(draft, self._with_head(draft.head, state="open"))
                if there is not None:
                    return there, there.text == body
                if last:
                    raise
            except Refused as error:
                if fields["draft"] and _says(error, "draft pull requests"):
                    self._notes.add(
                        "drafts are not possible in this repository: pull requests are opened ready"
                    )
                    fields["draft"] = False
                    continue
                every = list(self._with_head(draft.head, state="open")) if error.status == 422 else []
                there = self._ours(draft, every)
                if there is None:
                    raise _in_words(error, draft, every) from error
                return there, False
        raise AssertionError("the last try returns or raises")

    def _ours(self, draft: Draft, every: Iterable[Seen]) -> Seen | None:
        """Whoever opens one from our branch with our marker in it, without being trusted, has not done our work."""
        return next((one for one in every if one.own and one.pull.marker == draft.marker), None)

    def _given(
        self, seen: Seen, draft: Draft, written: bodies.Written | None, more: dict[str, Any]
    ) -> PullRequest:
        """Reviewers, then labels, milestone and assignees in one call, together with the text that says so."""
        pull = seen.pull
        self._ask_for_reviews(pull.number, draft.reviewers)
        fields: dict[str, Any] = dict(more)
        if written is not None and "body" not in fields:
            fields["body"] = bodies.settled(seen.text)
        labels = bodies.merged_labels((), draft.labels, pull.labels)
        if set(labels) != set(pull.labels) and "labels" not in fields:
            fields["labels"] = list(labels)
        if draft.assignees:
            fields["assignees"] = list(draft.assignees)
        if draft.milestone is not None:
            fields["milestone"] = draft.milestone
        return self._issue_changed(seen, fields)

    def _issue_changed(self, seen: Seen, fields: dict[str, Any]) -> PullRequest:
        """A pull request is an issue as well, of which more can be changed in one call."""
        path = f"{self._path}/issues/{seen.pull.number}"
        try:
            item = self._again(lambda: self._api.send("PATCH", path, fields))
        except Refused as error:
            kept = {key: value for key, value in fields.items() if key not in ("milestone", "assignees")}
            if error.status != 422 or kept == fields:
                raise
            self._notes.add(f"#{seen.pull.number} got no milestone and no assignees: {error.message}")
            item = self._again(lambda: self._api.send("PATCH", path, kept))
        return seen.with_issue(item).pull

    def _ask_for_reviews(self, number: int, reviewers: Sequence[str]) -> None:
        people = [name for name in reviewers if not name.startswith("team:")]
        teams = [name.removeprefix("team:") for name in reviewers if name.startswith("team:")]
        if not reviewers:
            return
        path = f"{self._path}/pulls/{number}/requested_reviewers"
        try:
            fields = {"reviewers": people, "team_reviewers": teams}
            self._again(lambda: self._api.send("POST", path, fields, creates=True))
        except Refused as error:
            self._notes.add(f"nobody was asked to review #{number}: {error.message}")

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:  # noqa: ARG002
        seen = self._seen(number)
        return self._updated(seen, draft)

    def _updated(self, seen: Seen, draft: Draft) -> PullRequest:
        """With what we wrote brought up to date; what a person wrote stays, and so does what is over."""
        pull = seen.pull
        if pull.state is not PullState.OPEN or not seen.own:
            return pull
        edits = bodies.edits(pull.title, seen.text, pull.base, pull.labels, draft)
        if not edits:
            return pull
        if edits.base is not None:
            seen = self._pull_changed(seen, {"base": edits.base})
        fields: dict[str, Any] = {"title": edits.title, "body": edits.body}
        if edits.labels is not None:
            fields["labels"] = list(edits.labels)
        fields = {key: value for key, value in fields.items() if value is not None}
        if edits.todo:
            return self._given(seen, draft, None, fields)
        return self._issue_changed(seen, fields) if fields else seen.pull

    def _pull_changed(self, seen: Seen, fields: Mapping[str, Any]) -> Seen:
        path = f"{self._path}/pulls/{seen.pull.number}"
        item = self._again(lambda: self._api.send("PATCH", path, fields))
        return of_rest(item, lambda author: seen.own)

    def merged(self, number: int, commit: Oid) -> PullRequest:  # noqa: ARG002 - GitHub sees it by itself
        return self.get(number)

    def close(self, number: int) -> PullRequest:
        seen = self._seen(number)
        if seen.pull.state is not PullState.OPEN:
            raise UserError(f"pull request #{number} is {seen.pull.state} already")
        return self._pull_changed(seen, {"state": "closed"}).pull

    # --- refs

    def tips(self) -> Mapping[str, Oid]:
        return self._remote.tips(*_PREFIXES)

    def send(self, refs: Sequence[Sent]) -> Mapping[str, str]:
        return self._remote.push(refs) if refs else {}

    # --- asking

    def _ask(self, query: str, **variables: Any) -> Mapping[str, Any]:
        told = self._api.graphql(query, {"owner": self._owner, "name": self._name, **variables})
        there: Mapping[str, Any] | None = told.get("repository")
        if there is None:
            raise UserError(
                f"the repository {self._owner}/{self._name} is not to be seen",
                "was it deleted or renamed, or may the token not read it any more?",
            )
        return there

    def _again(self, call: Callable[[], _Done]) -> _Done:
        """For calls that lead to the same however often they are made: once more where the answer was lost."""
        try:
            return call()
        except AnswerLost:
            return call()


def _says(error: Refused, word: str) -> bool:
    return error.status == 422 and word in error.message.lower()


def _before(pull: PullRequest) -> tuple[bool, int]:
    """The greatest of several from one branch is the one that counts."""
    return pull.state is PullState.OPEN, pull.number


def _in_words(error: Refused, draft: Draft, there: Iterable[Seen]) -> Refused:
    """``there`` are open pull requests of the branch, none of them ours."""
    what = f"the pull request of {draft.head} into {draft.base} was not opened: {error.message}"
    other = next((one for one in there if one.pull.base == draft.base), None)
    if other is not None:
        number, author = other.pull.number, printable(other.author, limit=60)
        what += f" It is #{number}, which {author} opened, and not Spinney: it stays as it is."
        return Refused(error.status, what, f"close #{number}, and go on with the run", codes=error.codes)
    return Refused(error.status, what, *error.hints, codes=error.codes)
