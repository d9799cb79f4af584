"""What a pull request says on GitHub: found again, replaced where it is ours, and never at the cost of a person's words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.forge.github import bodies
from shared.forge.port import Draft

DRAFT = Draft("spinney/issue-7", "main", "Do it", "What was done.\n", "spinney-task:issue-7", ("a", "b"))


def stands(draft: Draft = DRAFT, **how: bool) -> tuple[str, str, str, tuple[str, ...]]:
    title, body = bodies.fresh(draft, **how)
    return title, body, draft.base, draft.labels


def edited(draft: Draft, now: tuple[str, str, str, tuple[str, ...]]) -> bodies.Edits:
    return bodies.edits(*now, draft)


def test_text_and_marker_are_read_back_as_they_were_written() -> None:
    read = bodies.read(bodies.fresh(DRAFT)[1])
    assert read.written is not None
    assert (read.text, read.shown, read.written.marker, read.written.base) == (
        DRAFT.body, DRAFT.body, DRAFT.marker, "main",
    )  # fmt: skip


@given(st.text(max_size=300), st.text(max_size=40))
def test_any_text_is_read_back_as_harmless_as_it_was_made(text: str, marker: str) -> None:
    title, body = bodies.fresh(replace(DRAFT, body=text, title=text, marker=marker))
    read = bodies.read(body)
    assert title.strip()
    assert read.written is not None
    assert (read.text, read.written.marker) == (bodies.harmless(text), marker)
    assert body.encode()
    assert "\0" not in body
    assert not edited(replace(DRAFT, body=text, title=text, marker=marker), (title, body, "main", ("a", "b")))


@pytest.mark.parametrize(
    "text",
    ["<!-- spinney:end -->", "\n<!-- spinney:end -->\n", '<!-- spinney:begin {"marker":"x"} -->\n', "<!--\nSPINNEY:END-->",
     "<!-- spinney-task:other -->"],
)  # fmt: skip
def test_text_cannot_end_our_part_or_begin_another(text: str) -> None:
    read = bodies.read(bodies.fresh(replace(DRAFT, body=text + "after"))[1])
    assert read.written is not None
    assert read.written.marker == DRAFT.marker
    assert read.text.endswith("after")
    assert (read.before, read.after) == ("", "")


def test_hidden_comment_ends_no_comment_and_mentions_nobody() -> None:
    labels = ("--> @ada #1 <b>",)
    body = bodies.fresh(replace(DRAFT, body="", labels=labels))[1]
    head = body.partition("\n")[0]
    assert head.count("-->") == 1
    assert not set("@#&") & set(head)
    read = bodies.read(body)
    assert read.written is not None
    assert read.written.labels == labels


@pytest.mark.parametrize("text", ["x" * 70_000, "✔" * 70_000, "😀" * 40_000, "a\n" * 40_000])
def test_longest_text_is_cut_to_what_github_allows(text: str) -> None:
    body = bodies.fresh(replace(DRAFT, body=text))[1]
    assert len(body.encode("utf-16-le")) // 2 <= bodies.LONGEST
    assert len(body.encode("utf-16-le")) // 2 > bodies.LONGEST - 10
    read = bodies.read(body)
    assert read.text.endswith("longer than GitHub allows)")
    assert not edited(replace(DRAFT, body=text), ("Do it", body, "main", DRAFT.labels))


def test_people_who_write_much_leave_less_room() -> None:
    theirs = "y" * 60_000
    body = theirs + bodies.fresh(DRAFT)[1]
    changed = edited(replace(DRAFT, body="x" * 20_000), ("Do it", body, "main", DRAFT.labels)).body
    assert changed is not None
    assert changed.startswith(theirs)
    assert len(changed) <= bodies.LONGEST


@pytest.mark.parametrize("title", ["", "\0", "\u202e", "  \n "])
def test_title_that_says_nothing_is_the_branch(title: str) -> None:
    assert bodies.fresh(replace(DRAFT, title=title))[0] == DRAFT.head


def test_title_is_one_line_of_what_github_allows() -> None:
    assert bodies.title_of(replace(DRAFT, title="a\n b")) == "a b"
    assert len(bodies.title_of(replace(DRAFT, title="x" * 300))) == bodies.LONGEST_TITLE


# --- edits


def test_nothing_is_changed_where_nothing_is_new() -> None:
    assert not edited(DRAFT, stands())


def test_what_is_ours_is_brought_up_to_date() -> None:
    draft = replace(DRAFT, title="Better", body="New", base="other", labels=("b", "c"))
    edits = edited(draft, stands())
    assert (edits.title, edits.base, edits.labels) == ("Better", "other", ("b", "c"))
    assert edits.body is not None
    assert bodies.read(edits.body).shown == "New"
    assert not edited(draft, ("Better", edits.body, "other", ("b", "c")))


def test_title_that_a_person_wrote_stays() -> None:
    _, body, base, labels = stands()
    edits = edited(replace(DRAFT, title="Better", body="New"), ("Mine", body, base, labels))
    assert edits.title is None
    assert edits.body is not None
    later = edited(replace(DRAFT, title="Best", body="New"), ("Mine", edits.body, base, labels))
    assert not later


def test_text_around_our_part_stays_and_our_part_is_replaced() -> None:
    title, body, base, labels = stands()
    theirs = f"Before\r\n\r\n{body}\n\nAfter".replace("\n", "\r\n").replace("\r\r", "\r")
    edits = edited(replace(DRAFT, body="New"), (title, theirs, base, labels))
    assert edits.body is not None
    read = bodies.read(edits.body)
    assert (read.before, read.text, read.after) == ("Before\n\n", "New", "\n\nAfter")


def test_our_part_that_a_person_edited_stays() -> None:
    title, body, base, labels = stands()
    theirs = body.replace("What was done.", "What was really done.")
    edits = edited(replace(DRAFT, title="Better", body="New"), (title, theirs, base, labels))
    assert edits.title == "Better"
    assert edits.body is not None
    assert bodies.read(edits.body).shown == "What was really done.\n"


def test_line_ends_of_a_browser_are_no_edit() -> None:
    title, body, base, labels = stands(replace(DRAFT, body="one\ntwo\n"))
    edits = edited(replace(DRAFT, body="New"), (title, body.replace("\n", "\r\n"), base, labels))
    assert edits.body is not None
    assert bodies.read(edits.body).shown == "New"


def test_pull_request_without_our_part_is_left_alone() -> None:
    assert not edited(replace(DRAFT, title="Better", base="other"), ("Do it", "all new", "main", ()))


def test_base_that_a_person_or_github_chose_stays() -> None:
    title, body, _, labels = stands()
    assert edited(replace(DRAFT, base="other"), (title, body, "develop", labels)).base is None


def test_base_that_has_become_the_wanted_one_counts_as_ours_again() -> None:
    title, body, _, labels = stands(replace(DRAFT, base="spinney/parent"))
    edits = edited(DRAFT, (title, body, "main", labels))
    assert edits.base is None
    assert edits.body is not None
    assert edited(replace(DRAFT, base="other"), (title, edits.body, "main", labels)).base == "other"


@pytest.mark.parametrize(
    ("before", "after", "there", "result"),
    [
        ("", "ab", "", "ab"), ("ab", "ab", "ab", "ab"), ("ab", "bc", "abx", "bxc"), ("ab", "ab", "b", "b"),
        ("a", "", "ax", "x"), ("", "a", "A", "A"), ("a", "b", "A", "b"),
    ],
)  # fmt: skip
def test_labels_of_people_stay_and_those_they_took_off_stay_off(
    before: str, after: str, there: str, result: str
) -> None:
    assert bodies.merged_labels(before, after, there) == tuple(result)


def test_what_was_left_to_be_given_is_given_by_the_next_edit() -> None:
    title, body, base, _ = stands(todo=True)
    edits = edited(DRAFT, (title, body, base, ()))
    assert (edits.todo, edits.labels) == (True, ("a", "b"))
    assert edits.body == bodies.settled(body)
    assert not edited(DRAFT, (title, edits.body or "", base, ("a", "b")))


@pytest.mark.parametrize(
    "broken",
    ["", "<!-- spinney:begin {} -->\nx\n<!-- spinney:end -->", "<!-- spinney:begin {\"marker\":1,\"labels\":3} -->\n",
     "<!-- spinney:begin nonsense -->\nx\n<!-- spinney:end -->", "<!-- spinney:begin {\"marker\":\"m\"} -->\nno end",
     "<!-- spinney:begin " + '{"a":' * 3000 + " -->\nx\n<!-- spinney:end -->"],
)  # fmt: skip
def test_what_cannot_be_read_is_a_persons_text(broken: str) -> None:
    read = bodies.read(broken)
    assert (read.written, read.shown) == (None, broken)


# --- comments


def test_comment_has_its_marker_before_its_text() -> None:
    text = bodies.comment("spinney-issue:7", "At work.\n")
    assert bodies.marker_of(text) == "spinney-issue:7"
    assert bodies.marker_of(text.replace("\n", "\r\n")) == "spinney-issue:7"
    assert text.endswith("-->\nAt work.\n")


@pytest.mark.parametrize(
    "text", ["", "At work", "> " + bodies.comment("m", "x"), "<!-- spinney:said {} -->\n"]
)
def test_comment_of_somebody_else_has_none(text: str) -> None:
    assert bodies.marker_of(text) == ""


def test_longest_comment_is_cut() -> None:
    assert len(bodies.comment("m", "x" * 70_000)) == bodies.LONGEST
