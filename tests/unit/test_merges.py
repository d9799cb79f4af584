"""Reading what ``git merge-tree --stdin -z`` answers; the program itself is tested in tests/git."""

from __future__ import annotations

import pytest

from shared.git.merges import Clean, Conflicting, Merge, parse_record
from tests.support.build import oid

TREE, BLOB = oid(1), oid(2)


def stages(path: str, *numbers: int) -> list[str]:
    return [f"100644 {BLOB} {number}\t{path}" for number in numbers]


def message(kind: str, text: str, *paths: str) -> list[str]:
    return [str(len(paths)), *paths, kind, text]


CLEAN = ["1", TREE, ""]
CONTENT = [
    "0", TREE, *stages("src/a.py", 1, 2, 3), "",
    *message("Auto-merging", "Auto-merging src/a.py\n", "src/a.py"),
    *message("CONFLICT (contents)", "CONFLICT (content): Merge conflict in src/a.py\n", "src/a.py"), "",
]  # fmt: skip
TWO = [
    "0", TREE, *stages("a", 2, 3), *stages("b\tc", 1, 2), "",
    *message("CONFLICT (contents)", "CONFLICT (add/add): Merge conflict in a\n", "a"),
    *message("CONFLICT (modify/delete)", "CONFLICT (modify/delete): b\tc deleted in X\n", "b\tc"), "",
]  # fmt: skip
# A conflict of directories leaves no stages: only the message names the paths.
RENAMES = [
    "0", TREE, "",
    *message("CONFLICT (directory rename suggested)", "CONFLICT (file location): new added\n", "old/f", "new/f"), "",
]  # fmt: skip
SILENT = ["0", TREE, *stages("x", 1, 2, 3), "", ""]


@pytest.mark.parametrize(
    ("tokens", "merge"),
    [
        (CLEAN, Clean(TREE)),
        (CONTENT, Conflicting(TREE, ("src/a.py",), ("CONFLICT (content): Merge conflict in src/a.py",))),
        (TWO, Conflicting(TREE, ("a", "b\tc"), (
            "CONFLICT (add/add): Merge conflict in a", "CONFLICT (modify/delete): b\tc deleted in X"))),
        (RENAMES, Conflicting(TREE, ("old/f", "new/f"), ("CONFLICT (file location): new added",))),
        (SILENT, Conflicting(TREE, ("x",), ())),
    ],
)  # fmt: skip
def test_record_is_read_whole(tokens: list[str], merge: Merge) -> None:
    assert parse_record(tokens) == (merge, len(tokens))


@pytest.mark.parametrize("tokens", [CLEAN, CONTENT, TWO, RENAMES, SILENT])
def test_every_part_of_a_record_asks_for_more(tokens: list[str]) -> None:
    for end in range(len(tokens)):
        assert parse_record(tokens[:end]) is None


@pytest.mark.parametrize("first", [CLEAN, CONTENT, TWO, RENAMES])
def test_what_follows_belongs_to_the_next_record(first: list[str]) -> None:
    both = first + CONTENT
    found = parse_record(both)
    assert found is not None
    assert found == parse_record(first)
    assert parse_record(both[found[1] :]) == parse_record(CONTENT)
