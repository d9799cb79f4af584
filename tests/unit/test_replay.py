"""A run's record: what is kept of an exchange, and how it answers another run."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.answers import Answer, CutOff, Question, Refused
from orchestrator.gateway.recording import record
from orchestrator.gateway.recording import replay as replay_module
from orchestrator.gateway.recording.exchange import Exchange, pack, unpack
from orchestrator.gateway.recording.normal import Places
from orchestrator.gateway.recording.record import Record, exchanges_of, places_of
from orchestrator.gateway.recording.redaction import Redaction
from orchestrator.gateway.recording.replay import Replay
from shared.callers import Caller
from shared.clock import ManualClock
from shared.errors import StateError, UserError
from shared.model import AgentName, TaskId

THEN = Places("run-1", {"worktrees": "/a.spinney"})
NOW = Places("run-2", {"worktrees": "/b.spinney"})
CODER = Caller(TaskId("fix-a"), "work", AgentName("CODER"))
KEY = "sk-secret-0123456789"


def body(*texts: str, **fields: Any) -> bytes:
    """A conversation of these texts, by turns of the user and of the model."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


def question(*texts: str, caller: Caller = CODER, **fields: Any) -> Question:
    return Question(caller, 1, "POST", "/v1/messages", {}, body(*texts, **fields))


def exchange(asked: bytes, answered: str, number: int = 1, **fields: Any) -> Exchange:
    headers = {"content-type": "application/json"}
    whole = json.dumps({"text": answered}).encode()
    defaults: dict[str, Any] = {"caller": CODER, "session": 1, "at": 0.0, "complete": True, "status": 200}
    return Exchange(
        number=number, method="POST", path="/v1/messages", asked=asked, headers=headers, answered=whole,
        **(defaults | fields),
    )  # fmt: skip


def replay(*recorded: Exchange) -> Replay:
    return Replay([(one, pack(one)) for one in recorded], THEN, NOW, Redaction([KEY]))


def said(answers: Replay, asked: Question) -> str:
    """The text of the answer, or how it broke off."""

    async def ask() -> str:
        answer = await answers.ask(asked)
        assert answer.source == "replayed"
        received = b""
        try:
            async for chunk in answer.chunks:
                received += chunk
        except CutOff:
            return "cut"
        return str(json.loads(received)["text"])

    return asyncio.run(ask())


def refusal(answers: Replay, asked: Question) -> str:
    with pytest.raises(Refused) as refused:
        said(answers, asked)
    assert refused.value.kind == "replay"
    return refused.value.reason


def test_recorded_conversation_is_answered_again_in_another_place() -> None:
    answers = replay(
        exchange(body("do it in /a.spinney/fix-a"), "edit /a.spinney/fix-a/x", 1),
        exchange(body("do it in /a.spinney/fix-a", "edit /a.spinney/fix-a/x", "in 0.1s"), "done", 2),
    )
    assert said(answers, question("do it in /b.spinney/fix-a")) == "edit /b.spinney/fix-a/x"
    last = question("do it in /b.spinney/fix-a", "edit /b.spinney/fix-a/x", "in 2.3s")
    assert said(answers, last) == "done"


def test_questions_that_are_asked_at_once_may_come_in_another_order() -> None:
    answers = replay(exchange(body("title?"), "a title", 1), exchange(body("do it"), "done", 2))
    assert [said(answers, question(text)) for text in ("do it", "title?")] == ["done", "a title"]


def test_same_question_gets_its_answers_in_order_and_the_last_one_for_good() -> None:
    answers = replay(exchange(body("?"), "one", 1), exchange(body("?"), "two", 2))
    assert [said(answers, question("?")) for _ in range(3)] == ["one", "two", "two"]


def test_broken_answer_is_left_out_where_the_question_was_asked_again() -> None:
    answers = replay(
        exchange(body("?"), "half", 1, complete=False),
        exchange(body("?"), "refused", 2, status=500),
        exchange(body("?"), "whole", 3),
    )
    assert said(answers, question("?")) == "whole"


def test_answer_that_only_ever_broke_off_breaks_off_again() -> None:
    assert said(replay(exchange(body("?"), "half", complete=False)), question("?")) == "cut"


def test_recorded_failure_is_not_tried_again() -> None:
    async def ask() -> Answer:
        return await replay(exchange(body("?"), "no answer after 6 tries", status=503)).ask(question("?"))

    answer = asyncio.run(ask())
    assert (answer.status, answer.headers["x-should-retry"]) == (503, "false")


def test_later_session_that_began_anew_counts() -> None:
    answers = replay(
        exchange(body("?"), "old", 1),
        exchange(body("?", "old", "!"), "old too", 2),
        exchange(body("?"), "new", 3, session=2),
        exchange(body("?", "new", "!"), "new too", 4, session=2),
    )
    assert said(answers, question("?")) == "new"
    assert said(answers, question("?", "new", "!")) == "new too"


def test_later_session_that_went_on_is_gone_on_with() -> None:
    answers = replay(exchange(body("?"), "one", 1), exchange(body("?", "one", "!"), "two", 2, session=2))
    assert said(answers, question("?")) == "one"
    assert said(answers, question("?", "one", "!")) == "two"


def test_first_difference_is_told_with_its_place() -> None:
    answers = replay(exchange(body("?"), "one", 1), exchange(body("?", "one", "4 tests"), "two", 2))
    said(answers, question("?"))
    assert refusal(answers, question("?", "one", "5 tests")) == (
        "the replay differs from request 2 of CODER in fix-a, phase work, try 1"
        ' at messages[2].content: recorded "4 tests", asked "5 tests"'
    )


def test_nothing_is_answered_after_the_first_difference() -> None:
    answers = replay(exchange(body("?"), "one"))
    first = refusal(answers, question("!"))
    assert refusal(answers, question("?")) == first


def test_other_agent_or_try_is_another_conversation() -> None:
    answers = replay(exchange(body("?"), "one"))
    assert refusal(answers, question("?", caller=replace(CODER, attempt=2))) == (
        "the record has no further answer for CODER in fix-a, phase work, try 2"
    )


def test_request_after_the_last_recorded_one_is_a_difference() -> None:
    answers = replay(exchange(body("?"), "one"))
    said(answers, question("?"))
    assert "no further answer" in refusal(answers, question("?", "one", "and now?"))


def test_other_kind_of_request_is_a_difference() -> None:
    count = replace(question("?"), path="/v1/messages/count_tokens")
    assert refusal(replay(exchange(body("?"), "one")), count).endswith(
        "it asks for POST /v1/messages/count_tokens"
    )


def test_replay_with_another_key_finds_what_was_recorded_without_it() -> None:
    recorded = exchange(Redaction(["sk-other-9876543210"])(body("it is sk-other-9876543210")), "one")
    assert said(replay(recorded), question(f"it is {KEY}")) == "one"


@pytest.mark.parametrize("tier", ["fast", "deep"])
def test_tier_is_no_part_of_who_asks_but_its_model_is_part_of_the_question(tier: Any) -> None:
    answers = replay(exchange(body("?"), "one"))
    assert said(answers, question("?", caller=replace(CODER, tier=tier))) == "one"
    other = refusal(replay(exchange(body("?"), "one")), question("?", model="other"))
    assert other.endswith('at model: recorded "m", asked "other"')


def test_conversation_is_not_compared_again_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(replay_module, "steady", lambda text: looked_at.append(text) or text)
    texts = [f"step {number}" for number in range(20)]
    replay(*(exchange(body(*texts[:count]), "on", count) for count in range(1, 20)))
    assert sum(text.startswith("step") for text in looked_at) == 19


# --- files


def kept(folder: Path, *asked: tuple[Question, bytes], **options: Any) -> Record:
    made = Record(folder, THEN, Redaction([KEY]), ManualClock(5.0), **options)
    for one, answered in asked:
        made.exchanged(one, 200, {"content-type": "text/plain", "set-cookie": "c"}, answered, True)
    made.close()
    return made


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_exchange_is_kept_as_the_agent_saw_it_without_secrets(tmp_path: Path) -> None:
    kept(tmp_path, (question(f"x {KEY}"), f"y {KEY}".encode()))
    assert [one for one, _ in exchanges_of(tmp_path)] == [
        Exchange(
            CODER, 1, 1, 5.0, "POST", "/v1/messages", body("x [redacted]"), 200,
            {"content-type": "text/plain"}, b"y [redacted]", True,
        )
    ]  # fmt: skip


def test_secret_in_pieces_of_a_stream_is_not_kept(tmp_path: Path) -> None:
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in (KEY[:7], KEY[7:])
    ]
    stream = "".join(f"event: content_block_delta\ndata: {json.dumps(piece)}\n\n" for piece in pieces)
    kept(tmp_path, (question("?"), stream.encode()))
    [(found, _)] = exchanges_of(tmp_path)
    assert KEY[7:].encode() not in found.answered
    assert b"[redacted]" in found.answered


def test_every_caller_has_a_folder_whose_name_cannot_lead_elsewhere(tmp_path: Path) -> None:
    names = ["CODER", "CODER/helper", "../x", "."]
    callers = [replace(CODER, agent=AgentName(name)) for name in names]
    kept(tmp_path, *((question("?", caller=caller), b"") for caller in callers))
    assert files(tmp_path) == [
        "exchanges/fix-a/%2E%2E%2Fx-1/00001.json.gz",
        "exchanges/fix-a/%2E-1/00001.json.gz",
        "exchanges/fix-a/CODER%2Fhelper-1/00001.json.gz",
        "exchanges/fix-a/CODER-1/00001.json.gz",
        "exchanges/run.json",
    ]


def test_resumed_run_adds_to_its_record(tmp_path: Path) -> None:
    kept(tmp_path, (question("one"), b""))
    kept(tmp_path, (question("two"), b""))
    found = [(exchange.number, exchange.session, exchange.asked) for exchange, _ in exchanges_of(tmp_path)]
    assert found == [(1, 1, body("one")), (2, 2, body("two"))]


def test_record_tells_where_the_run_was(tmp_path: Path) -> None:
    kept(tmp_path)
    assert places_of(tmp_path) == THEN


def test_run_without_a_record_cannot_be_replayed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no record"):
        Replay.read(tmp_path, NOW, Redaction())


def test_record_of_another_format_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    kept(tmp_path)
    about = tmp_path / "exchanges" / "run.json"
    about.write_text('{"version": 2}')
    with pytest.raises(StateError, match="its format is 2, this program reads 1"):
        Replay.read(tmp_path, NOW, Redaction())
    with pytest.raises(StateError):
        kept(tmp_path)
    assert about.read_text() == '{"version": 2}'


def test_full_disk_is_told_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "replace_file", full)
    problem = kept(tmp_path, (question("?"), b"")).problem
    assert problem == ("the run's record is not complete and cannot be replayed: No space left on device")


def test_record_has_a_bound(tmp_path: Path) -> None:
    made = kept(tmp_path, (question("?"), b"x"), (question("!"), b"y"), most=500)
    assert made.problem.endswith("it became too large")
    assert len(list(exchanges_of(tmp_path))) == 1


def test_exchange_of_an_absurd_size_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LARGEST", 1000)
    made = kept(tmp_path, (question("?"), b"x" * 1000))
    assert made.problem.endswith("an exchange was too large")


@given(st.binary(max_size=50), st.binary(max_size=50), st.booleans())
def test_any_bytes_are_kept(asked: bytes, answered: bytes, complete: bool) -> None:
    one = replace(exchange(asked, "", complete=complete), answered=answered)
    assert unpack(pack(one)) == one


def _damaged(packed: bytes) -> Iterable[bytes]:
    yield b""
    for place in range(0, len(packed), 7):
        yield packed[:place]
        yield packed[:place] + bytes([packed[place] ^ 4]) + packed[place + 1 :]


def test_damaged_exchange_is_never_taken_for_a_sound_one() -> None:
    one = exchange(body("?"), "one")
    for packed in _damaged(pack(one)):
        with contextlib.suppress(ValueError):
            assert unpack(packed) == one  # bits of the header that mean nothing


def test_damaged_file_is_named(tmp_path: Path) -> None:
    kept(tmp_path, (question("?"), b""))
    path = tmp_path / "exchanges/fix-a/CODER-1/00001.json.gz"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StateError, match=r"00001\.json\.gz: its end is missing"):
        list(exchanges_of(tmp_path))
