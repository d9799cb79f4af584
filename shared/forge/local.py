"""The local forge: pull requests kept in the repository's own refs, so they survive and travel with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Protocol

from shared.clock import Clock, SystemClock
from shared.errors import UserError
from shared.forge.port import Draft, PullRequest, PullState, Sent, Sought
from shared.model import Oid


class PullStore(Protocol):
    """Where numbers, tips and metadata are kept; ``shared.git.pulls`` keeps them in refs."""

    def numbers(self) -> list[int]: ...

    def read(self, number: int) -> tuple[Oid, str] | None: ...

    def create(self, tip: Oid, meta: str) -> int: ...

    def write(self, number: int, tip: Oid, meta: str) -> None: ...


class LocalForge:
    name = "local"

    def __init__(self, store: PullStore, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()

    def find(self, sought: Sequence[Sought]) -> Mapping[str, PullRequest]:
        wanted = {one.marker for one in sought}
        return {pull.marker: pull for pull in self.list() if pull.marker in wanted}

    def get(self, number: int) -> PullRequest:
        stored = self._store.read(number)
        if stored is None:
            known = ", ".join(f"#{n}" for n in self._store.numbers()) or "none"
            raise UserError(f"there is no pull request #{number}", f"there are: {known}")
        return _parse(number, *stored)

    def list(self, state: PullState | None = None) -> tuple[PullRequest, ...]:
        pulls = (self.get(number) for number in self._store.numbers())
        return tuple(pull for pull in pulls if state is None or pull.state is state)

    def open(self, draft: Draft, tip: Oid) -> PullRequest:
        now = self._clock.now()
        pull = PullRequest(
            number=0, url="", head=draft.head, base=draft.base, title=draft.title, body=draft.body,
            state=PullState.OPEN, tip=tip, marker=draft.marker, labels=draft.labels, created=now, updated=now,
            as_draft=draft.as_draft,
        )  # fmt: skip
        return self.get(self._store.create(tip, _text(pull)))

    def update(self, number: int, draft: Draft, tip: Oid) -> PullRequest:
        pull = replace(
            self.get(number),
            title=draft.title,
            body=draft.body,
            base=draft.base,
            labels=draft.labels,
            tip=tip,
        )
        return self._save(pull)

    def merged(self, number: int, commit: Oid) -> PullRequest:
        return self._save(replace(self.get(number), state=PullState.MERGED, merged=commit))

    def close(self, number: int) -> PullRequest:
        pull = self.get(number)
        if pull.state is not PullState.OPEN:
            raise UserError(f"pull request #{number} is {pull.state} already")
        return self._save(replace(pull, state=PullState.CLOSED))

    def tips(self) -> Mapping[str, Oid]:
        return {}

    def send(self, refs: Sequence[Sent]) -> Mapping[str, str]:  # noqa: ARG002
        return {}  # they are here already

    def _save(self, pull: PullRequest) -> PullRequest:
        self._store.write(pull.number, pull.tip, _text(replace(pull, updated=self._clock.now())))
        return self.get(pull.number)


def _text(pull: PullRequest) -> str:
    fields = {
        key: value for key, value in asdict(pull).items() if key not in ("number", "url", "tip", "meant")
    }
    return json.dumps({"format": 1, **fields}, indent=2, ensure_ascii=False) + "\n"


def _parse(number: int, tip: Oid, text: str) -> PullRequest:
    fields = json.loads(text)
    return PullRequest(
        number=number,
        url=f"refs/spinney/pulls/{number}/head",
        head=fields["head"],
        base=fields["base"],
        title=fields["title"],
        body=fields["body"],
        state=PullState(fields["state"]),
        tip=tip,
        marker=fields["marker"],
        labels=tuple(fields["labels"]),
        merged=Oid(fields["merged"]) if fields["merged"] else None,
        created=fields["created"],
        updated=fields["updated"],
        as_draft=fields.get("as_draft", False),
    )
