"""Answers that were given before are given again to the letter, and never to another question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.gateway.answers import Answer, CutOff, Question
from orchestrator.gateway.recording import cache
from orchestrator.gateway.recording.cache import Cached
from orchestrator.gateway.recording.normal import Places
from orchestrator.gateway.recording.redaction import Redaction
from shared.callers import Caller
from shared.clock import ManualClock
from shared.model import AgentName, TaskId, Tokens
from tests.support.messages_script import Asked, Reply
from tests.support.messages_wire import events

CODER = Caller(TaskId("fix-a"), "work", AgentName("CODER"))
HERE = Places("run-1", {"worktrees": "/a.spinney"})
STREAM = {"content-type": "text/event-stream", "request-id": "r"}


def stream(text: str = "see /a.spinney/x", *, whole: bool = True) -> bytes:
    asked = Asked(1, 0.0, "/v1/messages", {}, {"model": "m", "messages": []})
    told = [event.wire for event in events(asked, Reply(text), Tokens(input=3))]
    return b"".join(told if whole else told[:-1])


class Model:
    """Answers with the same bytes, and counts."""

    def __init__(self, body: bytes | None = None, status: int = 200, *, cut: bool = False) -> None:
        self.body = stream() if body is None else body
        self.status = status
        self.cut = cut
        self.asked = 0
        self.closed = False

    async def ask(self, question: Question) -> Answer:
        self.asked += 1
        return Answer(self.status, STREAM, self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.body), 11):
            yield self.body[at : at + 11]
        if self.cut:
            raise CutOff

    async def close(self) -> None:
        self.closed = True


def question(text: str = "do it", path: str = "/v1/messages", **headers: str) -> Question:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Question(CODER, 1, "POST", path, told, json.dumps(body).encode())


def cached(model: Model, folder: Path, places: Places = HERE, **options: Any) -> Cached:
    options.setdefault("clock", ManualClock())
    return Cached(model, folder, places, Redaction(["sk-secret-0123456789"]), **options)


def ask(answers: Cached, asked: Question) -> tuple[str, bytes]:
    """Who answered, and what."""

    async def reading() -> tuple[str, bytes]:
        answer = await answers.ask(asked)
        return answer.source, b"".join([chunk async for chunk in answer.chunks])

    return asyncio.run(reading())


def test_same_request_is_answered_from_what_was_kept(tmp_path: Path) -> None:
    model = Model()
    assert ask(cached(model, tmp_path), question()) == ("model", model.body)
    assert ask(cached(model, tmp_path), question()) == ("cached", model.body)
    assert model.asked == 1


def test_answer_kept_in_one_run_names_the_folders_of_the_other(tmp_path: Path) -> None:
    ask(cached(Model(), tmp_path), question("in /a.spinney/fix-a"))
    other = cached(Model(), tmp_path, Places("run-2", {"worktrees": "/b.spinney"}))
    source, body = ask(other, question("in /b.spinney/fix-a"))
    assert source == "cached"
    assert b"/b.spinney/x" in body


def test_text_that_looks_like_the_name_of_a_place_stays_as_it_is(tmp_path: Path) -> None:
    model = Model(stream("branch spinney/batch/<run> of <worktrees>"))
    ask(cached(model, tmp_path), question())
    _, body = ask(cached(model, tmp_path, Places("run-2", {"worktrees": "/b"})), question())
    assert body == model.body


@pytest.mark.parametrize(
    "other",
    [
        question("do it now"),
        question("do it", path="/v1/messages?beta=true"),
        question("do it", anthropic_beta="more"),
        question("took 2 ms"),
    ],
)
def test_any_other_request_asks_the_model(tmp_path: Path, other: Question) -> None:
    model = Model()
    for asked in (question(), question("took 1 ms"), other):
        assert ask(cached(model, tmp_path), asked)[0] == "model"


@pytest.mark.parametrize(
    "model",
    [
        Model(stream(whole=False)),
        Model(stream(whole=False) + b'event: error\ndata: {"type": "error", "error": {}}\n\n'),
        Model(b'{"type": "error"}', status=529),
        Model(b'{"type": "error"}'),
        Model(stream("it is sk-ant-0123456789abcdefghij")),
        Model(b""),
    ],
    ids=["cut short", "error event", "status", "no message", "secret", "nothing"],
)
def test_only_whole_good_answers_without_secrets_are_kept(tmp_path: Path, model: Model) -> None:
    for _ in range(2):
        assert ask(cached(model, tmp_path), question()) == ("model", model.body)
    assert list(tmp_path.rglob("*.gz")) == []


def test_answer_that_broke_off_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(CutOff):
        ask(cached(Model(cut=True), tmp_path), question())
    assert list(tmp_path.rglob("*.gz")) == []


def test_answer_that_nobody_read_to_its_end_is_not_kept(tmp_path: Path) -> None:
    async def leave() -> None:
        answer = await cached(Model(), tmp_path).ask(question())
        async for _ in answer.chunks:
            break
        await answer.chunks.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert list(tmp_path.rglob("*.gz")) == []


def test_whole_message_in_one_piece_is_kept(tmp_path: Path) -> None:
    model = Model(b'{"type": "message", "model": "m", "usage": {}}')
    ask(cached(model, tmp_path), question())
    assert ask(cached(model, tmp_path), question())[0] == "cached"


def test_other_requests_pass_by(tmp_path: Path) -> None:
    model = Model()
    for _ in range(2):
        assert ask(cached(model, tmp_path), question(path="/v1/messages/count_tokens"))[0] == "model"


def test_answer_that_was_of_no_use_for_long_is_not_used_any_more(tmp_path: Path) -> None:
    clock = ManualClock()
    ask(cached(Model(), tmp_path, clock=clock), question())
    clock.advance(99)
    assert ask(cached(Model(), tmp_path, clock=clock, oldest=100.0), question())[0] == "cached"
    clock.advance(99)  # from its last use
    assert ask(cached(Model(), tmp_path, clock=clock, oldest=100.0), question())[0] == "cached"
    clock.advance(101)
    assert ask(cached(Model(), tmp_path, clock=clock, oldest=100.0), question())[0] == "model"


def test_what_was_used_longest_ago_goes_first_where_room_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_TRIMMED_EVERY", 1)
    clock = ManualClock()
    ask(cached(Model(), tmp_path, clock=clock), question("one"))
    size = next(tmp_path.rglob("*.gz")).stat().st_size
    for text in ("two", "one", "three"):
        clock.advance(10)
        ask(cached(Model(), tmp_path, clock=clock, most=int(size * 2.5)), question(text))
    asked = {
        text: ask(cached(Model(), tmp_path, clock=clock), question(text))[0]
        for text in ("one", "three", "two")
    }
    assert asked == {"one": "cached", "three": "cached", "two": "model"}


def test_damaged_answer_is_as_good_as_none(tmp_path: Path) -> None:
    ask(cached(Model(), tmp_path), question())
    path = next(tmp_path.rglob("*.gz"))
    path.write_bytes(path.read_bytes()[:-5])
    assert ask(cached(Model(), tmp_path), question())[0] == "model"
    assert ask(cached(Model(), tmp_path), question())[0] == "cached"


def test_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert ask(cached(Model(), blocked), question())[0] == "model"


def test_what_lies_below_is_closed_with_it(tmp_path: Path) -> None:
    model = Model()
    asyncio.run(cached(model, tmp_path).close())
    assert model.closed
