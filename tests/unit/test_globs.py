from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.globs import first_overlap, matches, matches_any, overlap

COMPONENTS = st.text(alphabet="ab*?.", min_size=1, max_size=3).filter(lambda part: "**" not in part)
PATTERNS = st.lists(st.just("**") | COMPONENTS, min_size=1, max_size=4).map("/".join)
PATHS = st.lists(st.text(alphabet="ab.", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("a", "a"),
        ("src", "src/app.py"),
        ("src/", "src/deep/app.py"),
        ("/src", "src/app.py"),
        ("*.py", "app.py"),
        ("src/*", "src/app.py"),
        ("src/*", "src/deep/app.py"),  # the folder that the star names, and what is in it
        ("src/*.py", "src/app.py"),
        ("src/**", "src/app.py"),
        ("src/**", "src/deep/deeper/app.py"),
        ("**", "anything/at/all"),
        ("**/test_*.py", "test_a.py"),
        ("**/test_*.py", "tests/unit/test_a.py"),
        ("src/**/app.py", "src/app.py"),
        ("src/**/app.py", "src/a/b/app.py"),
        ("a?c", "abc"),
        ("**/.git*", "a/.gitignore"),
        ("a+b(c).txt", "a+b(c).txt"),
        ("[ab]", "[ab]"),
        ("*", "with\nnewline"),
    ],
)
def test_pattern_matches(pattern: str, path: str) -> None:
    assert matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("a", "b"),
        ("src", "src2/app.py"),
        ("src", "lib/src"),
        ("*.py", "src/app.py"),
        ("src/*.py", "src/deep/app.py"),
        ("a?c", "a/c"),
        ("a?c", "ac"),
        ("**/app.py", "src/myapp.py"),
        ("src/**/app.py", "lib/src/app.py"),
        ("[ab]", "a"),
        ("a.c", "abc"),
        ("src/app.py", "src"),
        ("app.py", "app.py\n"),
    ],
)
def test_pattern_does_not_match(pattern: str, path: str) -> None:
    assert not matches(pattern, path)


def test_any_pattern_is_enough() -> None:
    assert matches_any(["docs/**", "src/**"], "src/a.py")
    assert not matches_any(["docs/**", "src/**"], "tests/a.py")
    assert not matches_any([], "a")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("src/**", "src/app.py"),
        ("src/**", "**/app.py"),
        ("src", "src/deep/**"),
        ("*.py", "app.*"),
        ("a*c", "ab*"),
        ("a?", "?b"),
        ("**/a/**", "b/**/c"),
        ("**", "anything"),
        ("/src/", "src"),
    ],
)
def test_patterns_overlap_both_ways(a: str, b: str) -> None:
    assert overlap(a, b)
    assert overlap(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("src/**", "docs/**"),
        ("*.py", "*.md"),
        ("src/a", "src/ab"),
        ("a*b", "c*b"),
        ("a?", "abc"),
        ("src/*.py", "src/*.md"),
    ],
)
def test_patterns_do_not_overlap_either_way(a: str, b: str) -> None:
    assert not overlap(a, b)
    assert not overlap(b, a)


@st.composite
def patterns_of(draw: st.DrawFn, path: str) -> str:
    """A pattern that was made from ``path`` and so matches it."""
    parts: list[str] = []
    for component in path.split("/"):
        cut = draw(st.integers(0, len(component)))
        kinds = [component, "*", component[:cut] + "*", "*" + component[cut:], "?" * len(component), "**"]
        parts += [*draw(st.sampled_from([[], [], ["**"]])), draw(st.sampled_from(kinds))]
    return "/".join(parts[: draw(st.integers(1, len(parts)))])


@given(PATHS.flatmap(lambda path: st.tuples(patterns_of(path), patterns_of(path), st.just(path))))
def test_patterns_that_match_one_path_overlap(case: tuple[str, str, str]) -> None:
    a, b, path = case
    assert matches(a, path)
    assert matches(b, path)
    assert overlap(a, b)


@given(PATTERNS, PATTERNS)
def test_overlap_does_not_depend_on_the_side(a: str, b: str) -> None:
    assert overlap(a, b) == overlap(b, a)


@given(PATTERNS, PATHS)
def test_pattern_overlaps_every_path_it_matches(pattern: str, path: str) -> None:
    if matches(pattern, path):
        assert overlap(pattern, path)


@given(PATHS.flatmap(lambda path: st.tuples(patterns_of(path), st.just(path))), PATHS)
def test_pattern_covers_what_lies_below_what_it_matches(case: tuple[str, str], below: str) -> None:
    pattern, path = case
    assert matches(pattern, f"{path}/{below}")


def test_first_overlap_names_the_left_pattern() -> None:
    assert first_overlap(["docs/**", "src/**"], ["tests/**", "src/a.py"]) == "src/**"
    assert first_overlap(["docs/**"], iter(["src/**"])) is None
    assert first_overlap([], ["**"]) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("/".join(["**"] * 24), "/".join(["**"] * 23) + "/x"),
        ("/".join(["**", "a"] * 12), "/".join(["**", "b"] * 12)),
        ("*a" * 100, "*b" * 100 + "c"),
        ("*" * 2000, "?" * 200),
    ],
)
def test_overlap_of_hostile_patterns_is_quick(a: str, b: str) -> None:
    started = time.thread_time()
    overlap(a, b)
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30, "a" * 64 * 1024),
        ("/".join(["**"] * 24), "a/" * 32 * 1024),
        ("/".join(["**", "*a*"] * 12), "a/" * 2000 + "b"),
        ("**/" * 23 + "x", "a/" * 32 * 1024 + "y"),
        ("*a" * 12 + "/b", "a" * 64 * 1024 + "/c"),
        ("**/" + "*aab" * 20, "aa" * 32 * 1024),
        ("?" * 1000 + "/b", "a" * 64 * 1024),
    ],
)
def test_matching_hostile_patterns_takes_at_most_50_ms(pattern: str, path: str) -> None:
    matches(pattern, "")  # compiled
    started = time.thread_time()
    matches(pattern, path)
    assert time.thread_time() - started < 0.05
