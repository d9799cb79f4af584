from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StateError
from shared.journal import FORMAT, Journal, Record, decode, encode, follow, read

SAMPLE = Path(__file__).with_name("samples") / "journal-format-1.jsonl"
TEXTS: list[Record] = [
    {"n": 1, "event": "run.started", "time": 1.5, "format": FORMAT, "run": "r"},
    {"n": 2, "event": "note", "time": 2.0, "text": "naïve — 日本 \x1b[31m"},
    {"n": 3, "event": "agent.ended", "time": 3.25, "ok": True, "seconds": 0.125},
    {"n": 4, "event": "note", "time": 4.0, "text": ""},
    {"n": 5, "event": "run.ended", "time": 5.0, "status": "succeeded"},
]
LINES = [encode(record) for record in TEXTS]
WHOLE = b"".join(LINES)
ENDS = [sum(len(line) for line in LINES[: count + 1]) for count in range(len(LINES))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def append(path: Path, *texts: str) -> None:
    journal = Journal(path)
    for text in texts:
        journal.append("note", 1.0, {"text": text, "format": FORMAT})
    journal.close()


def notes(path: Path) -> list[str]:
    return [record["text"] for record in read(path)]


@given(
    st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.booleans()), max_size=5)
)
def test_what_is_encoded_comes_back(fields: list[Record]) -> None:
    records = [{**entry, "n": number} for number, entry in enumerate(fields, 1)]
    data = b"".join(encode(record) for record in records)
    assert decode(data, "j") == (records, len(data))


def test_record_is_one_line_of_length_checksum_and_text() -> None:
    assert encode({"n": 1, "event": "a\nb"}) == b'22 03cf6e10 {"n":1,"event":"a\\nb"}\n'


def test_records_are_numbered_and_timed(path: Path) -> None:
    journal = Journal(path)
    first = journal.append("run.started", 1.23456, {"format": FORMAT})
    second = journal.append("note", 2.0, {"text": "x"})
    journal.close()
    assert first == {"n": 1, "event": "run.started", "time": 1.235, "format": FORMAT}
    assert read(path) == [first, second]


def test_journal_cut_at_any_byte_gives_exactly_the_whole_records_before_it() -> None:
    for cut in range(len(WHOLE) + 1):
        whole = sum(end <= cut for end in ENDS)
        assert decode(WHOLE[:cut], "j") == (TEXTS[:whole], ENDS[whole - 1] if whole else 0)


def test_journal_cut_at_any_byte_can_be_appended_to(path: Path) -> None:
    append(path, "one", "two", "three")
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        kept = notes(path)
        append(path, "four")
        assert notes(path) == [*kept, "four"]
        assert kept == ["one", "two", "three"][: len(kept)]


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"\xff" * 100, b"12", b"999999 0", b"9" * 5000, b"x y z"])
def test_garbage_without_a_newline_after_the_last_record_is_a_torn_tail(path: Path, garbage: bytes) -> None:
    append(path, "one")
    path.write_bytes(path.read_bytes() + garbage)
    assert notes(path) == ["one"]
    append(path, "two")
    assert notes(path) == ["one", "two"]


def decoded(data: bytes) -> list[Record] | str:
    """The records, or what is said to be wrong."""
    try:
        return decode(data, "the/journal")[0]
    except StateError as error:
        return error.message


def test_flipped_bit_is_told_with_file_and_offset_or_changes_nothing_but_the_tail() -> None:
    for position in range(len(WHOLE)):
        record = sum(end <= position for end in ENDS)
        told = f"the/journal: damaged record at offset {ENDS[record - 1] if record else 0}"
        allowed = [TEXTS, told] + [TEXTS[:-1]] * (record == len(TEXTS) - 1)
        for bit in range(8):
            data = bytearray(WHOLE)
            data[position] ^= 1 << bit
            assert decoded(bytes(data)) in allowed, f"bit {bit} of byte {position}"


def test_flipped_bit_in_the_only_record_does_not_make_an_empty_journal() -> None:
    data = LINES[0].replace(b"run.started", b"run.stabted")
    with pytest.raises(StateError, match="damaged record at offset 0"):
        decode(data, "j")


@pytest.mark.parametrize(
    ("order", "bad"),
    [
        ([0, 0, 1, 2], 1),
        ([0, 1, 1], 2),
        ([0, 1, 2, 3, 4, 4], 5),
        ([0, 2, 1, 3], 1),
        ([0, 1, 2, 4, 3], 3),
        ([1, 0], 0),
        ([0, 1, 3, 4], 2),
        ([0, 1, 2, 3, 4, 0], 5),
        ([1, 2], 0),
        ([1], 0),
    ],
)
def test_duplicated_reordered_and_missing_records_are_told(order: list[int], bad: int) -> None:
    offset = sum(len(LINES[index]) for index in order[:bad])
    with pytest.raises(StateError, match=rf"^j: damaged record at offset {offset}$"):
        decode(b"".join(LINES[index] for index in order), "j")


def test_writer_refuses_to_go_on_after_damage_and_leaves_the_file_alone(path: Path) -> None:
    data = WHOLE.replace(b"agent.ended", b"agent.anded")
    path.write_bytes(data)
    with pytest.raises(StateError):
        Journal(path)
    assert path.read_bytes() == data


def test_text_that_is_not_unicode_does_not_stop_the_journal(path: Path) -> None:
    append(path, "caf\udce9")
    assert notes(path) == ["caf?"]


def test_missing_journal_has_no_records(path: Path) -> None:
    assert read(path) == []


def test_journal_of_another_format_is_refused_by_name(path: Path) -> None:
    journal = Journal(path)
    journal.append("run.started", 1.0, {"format": 99})
    journal.close()
    with pytest.raises(
        StateError, match=r"journal\.jsonl was written by another version of Spinney \(format 99\)"
    ):
        read(path)


def test_follower_sees_each_whole_record_once(path: Path) -> None:
    seen: list[Record] = []
    offset = 0
    for cut in [0, 3, ENDS[0], ENDS[0] + 5, ENDS[2] - 1, ENDS[2], ENDS[3] + 1, len(WHOLE)]:
        path.write_bytes(WHOLE[:cut])
        found, offset = follow(path, offset)
        seen += found
    assert seen == TEXTS


def test_sample_of_format_1_is_still_read() -> None:
    records = read(SAMPLE)
    assert records[0]["format"] == 1
    assert records[-1]["event"] == "run.ended"
