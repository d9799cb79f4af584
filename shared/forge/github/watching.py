"""Following pull requests on GitHub: how they stand, why a check failed, and bringing them in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from shared.errors import SpinneyError, UserError
from shared.forge.github import bodies, queries, standings, watch_queries
from shared.forge.github.api import Api
from shared.forge.github.errors import AnswerLost, Refused, TooMuch
from shared.forge.github.notes import Notes
from shared.forge.watching import CheckRun, Standing
from shared.model import MergeMethod, Oid
from shared.text import printable

_PAGES = 10  # of a hundred checks
_OLDER = 5  # pages of a hundred conversations, before the newest ones
_DOWNLOADED = 262_144  # bytes from a log's end: what cleans up after a failure comes after it
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]{8,20}Z ", re.MULTILINE)
_ERROR = "##[error]"


class GitHubWatched:
    def __init__(self, api: Api, repository: str, takes: standings.Takes, notes: Notes | None = None) -> None:
        """``takes`` says whether a person with that login and association may write."""
        self._api, self._takes, self._notes = api, takes, notes or Notes()
        self._owner, _, self._name = repository.partition("/")
        self._path = f"/repos/{repository}"

    def standing(self, numbers: Sequence[int]) -> Mapping[int, Standing]:
        found: dict[int, Standing] = {}
        wanted = list(dict.fromkeys(number for number in numbers if 0 < number < 2**31))
        for start in range(0, len(wanted), watch_queries.AT_ONCE):
            some = wanted[start : start + watch_queries.AT_ONCE]
            hidden: list[tuple[str | int, ...]] = []
            there = self._told(some, hidden.append)
            for number in some:
                if node := there.get(f"p{number}"):
                    mine = [path for path in hidden if f"p{number}" in path[:2] or len(path) < 2]
                    checks = self._checks(number, node, mine.append)
                    threads, cut = self._threads(number, node)
                    found[number] = standings.standing(
                        node, checks, threads, self._takes, unseen=bool(mine), cut=cut
                    )
        return found

    def _told(
        self, numbers: Sequence[int], hidden: Callable[[tuple[str | int, ...]], object]
    ) -> Mapping[str, Any]:
        """Fewer at a time where so many are too much for one answer; one that is too much alone is missing."""
        try:
            return self._ask(watch_queries.standings(numbers), hidden)
        except TooMuch:
            half = len(numbers) // 2
            if half:
                return {**self._told(numbers[:half], hidden), **self._told(numbers[half:], hidden)}
        self._notes.add(
            f"#{numbers[0]} is left to people: what was said on it is more than GitHub tells at once"
        )
        return {}

    def _checks(
        self, number: int, node: Mapping[str, Any], hidden: Callable[[tuple[str | int, ...]], object]
    ) -> list[Mapping[str, Any]]:
        """``hidden`` is told of what is there and not to be seen."""
        checks, after = standings.rollup(node)
        for _ in range(_PAGES):
            if after is None:
                break
            there = self._ask(watch_queries.more_checks(number), hidden, after=after)["pullRequest"] or {}
            more, after = standings.rollup(there)
            checks += more
        if after is not None:
            hidden(("checks",))  # more than anybody looks through
        return checks

    def _threads(self, number: int, node: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bool]:
        """Conversations, the oldest first, and whether there are more. Anybody may begin as many as they like."""
        threads, before = standings.threads(node)
        for _ in range(_OLDER):
            if before is None:
                break
            there = self._ask(watch_queries.more_threads(number), before=before)["pullRequest"] or {}
            older, before = standings.threads(there)
            threads = older + threads
        return threads, before is not None

    def log(self, check: CheckRun, *, limit: int = 16_384) -> str:
        if check.job is None:
            return _last(check.summary, limit)
        try:
            data = self._api.download(f"{self._path}/actions/jobs/{check.job}/logs", limit=_DOWNLOADED)
        except Refused as error:
            if error.status not in (403, 404, 410):
                raise
            self._notes.add(
                f"the log of {printable(check.name, limit=100)} is not to be had: {error.message}"
            )
            return _last(check.summary, limit)
        return end_of_log(data, limit) or _last(check.summary, limit)

    # --- bringing in

    def land(self, number: int, tip: Oid, way: Literal["auto", "queue", "now"], method: MergeMethod) -> str:
        node = self._to_land(number)
        if node["state"] != "OPEN":
            return f"#{number} is {str(node['state']).lower()} already"
        if node["headRefOid"] != tip:
            raise SpinneyError(
                f"#{number} has moved on: it is not brought in as it is now", "look at it again"
            )
        if node["mergeable"] == "CONFLICTING":
            raise _conflicting(number, node)
        if node["isDraft"]:
            self._mutate(watch_queries.MARK_READY, id=node["id"])
        try:
            return self._landed(number, node, tip, way, method)
        except AnswerLost:
            after = self._to_land(number)
            if after["state"] == "MERGED":
                return f"#{number} was merged"
            if way != "now" and (after["autoMergeRequest"] or after["isInMergeQueue"]):
                return f"#{number} is merged when what it waits for is there"
            raise
        except Refused as error:
            if node["isDraft"]:  # as it was: nobody is asked to look at what stays
                with contextlib.suppress(SpinneyError):
                    self._mutate(watch_queries.MARK_DRAFT, id=node["id"])
            raise SpinneyError(
                f"#{number} cannot be brought in: {error.message}", *_hints(error, way)
            ) from error

    def _landed(
        self,
        number: int,
        node: Mapping[str, Any],
        tip: Oid,
        way: Literal["auto", "queue", "now"],
        method: MergeMethod,
    ) -> str:
        if way == "queue":
            self._mutate(watch_queries.ENQUEUE, id=node["id"], tip=tip)
            return f"#{number} is in the merge queue"
        if way == "auto":
            try:
                self._mutate(watch_queries.AUTO_MERGE, id=node["id"], method=method.upper(), tip=tip)
                return f"#{number} is merged when what it waits for is there"
            except Refused as error:
                if "clean status" not in error.message.lower():
                    raise  # otherwise there is nothing left to wait for
        self._api.send("PUT", f"{self._path}/pulls/{number}/merge", {"sha": tip, "merge_method": method})
        return f"#{number} was merged"

    def retarget(self, number: int, base: str) -> None:
        """Also in what our part of the text says of the base, so that it counts as ours."""
        node = self._ask(queries.ONE_PULL, number=number)["pullRequest"]
        if node is None:
            raise UserError(f"there is no pull request #{number}")
        body = bodies.read(node["body"] or "")
        fields = {"base": base}
        if body.written is not None:
            fields["body"] = bodies.write(replace(body, written=replace(body.written, base=base)))
        path = f"{self._path}/pulls/{number}"
        try:
            self._api.send("PATCH", path, fields)
        except AnswerLost:
            self._api.send("PATCH", path, fields)

    # --- asking

    def _to_land(self, number: int) -> Mapping[str, Any]:
        node: Mapping[str, Any] | None = self._ask(watch_queries.TO_LAND, number=number)["pullRequest"]
        if node is None:
            raise UserError(f"there is no pull request #{number}")
        return node

    def _ask(
        self,
        query: str,
        hidden: Callable[[tuple[str | int, ...]], object] = lambda path: None,
        **variables: Any,
    ) -> Mapping[str, Any]:
        told = self._api.graphql(
            query, {"owner": self._owner, "name": self._name, **variables}, hidden=hidden
        )
        there: Mapping[str, Any] | None = told.get("repository")
        if there is None:
            raise UserError(f"the repository {self._owner}/{self._name} is not to be seen any more")
        return there

    def _mutate(self, query: str, **variables: Any) -> None:
        self._api.graphql(query, variables, mutates=True)


def _conflicting(number: int, node: Mapping[str, Any]) -> SpinneyError:
    base, head = printable(node["baseRefName"]), printable(node["headRefName"])
    return SpinneyError(
        f"#{number} cannot be brought in: it conflicts with {base}",
        f"merge {base} into {head}, resolve what conflicts, push, and do this again",
    )


def end_of_log(data: bytes, limit: int) -> str:
    """What a job said before it failed, without the times of its lines and without what cleaned up afterwards."""
    text = _TIME.sub("", data.decode(errors="replace").replace("\ufeff", ""))
    error = text.rfind(_ERROR)
    if error >= 0:
        end = text.find("\n", error)
        text = text[: end if end >= 0 else len(text)]
    return _last(text, limit)


def _last(text: str, limit: int) -> str:
    text = printable(text, limit=max(len(text), 1)).strip()
    return text if len(text) <= limit else "…" + text[len(text) - limit + 1 :]


def _hints(error: Refused, way: str) -> tuple[str, ...]:
    said = error.message.lower()
    if way == "auto" and "auto" in said and "not allowed" in said:
        return ("allow auto-merge in the repository's settings, or set github: {land: leave}",)
    if way == "queue" and "queue" in said:
        return ("the branch needs a merge queue in the repository's rules",)
    return error.hints
