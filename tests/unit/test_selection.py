from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import ChangeType, Layer, When
from tests.support.build import agent, phase, task, workflow
from workflow_manager.selection import Facts, change_now, change_of, declared_change, needed_layers, unwanted


@pytest.mark.parametrize(
    ("fields", "change", "why"),
    [
        ({}, "full", "nothing says otherwise"),
        ({"change": ChangeType.TYPO, "labels": ("docs",)}, "typo", "declared by the task"),
        ({"labels": ("bug", "Documentation")}, "documentation", "labelled Documentation"),
        ({"labels": ("config",)}, "configuration", "labelled config"),
        (
            {"touches": ("docs/**/*.md", "README.md")},
            "documentation",
            "it touches docs/**/*.md, README.md only",
        ),
        ({"touches": ("tests/**",)}, "tests", "it touches tests/** only"),
        ({"touches": ("pyproject.toml",)}, "configuration", "it touches pyproject.toml only"),
        ({"touches": ("README.md", "src/a.py")}, "full", "nothing says otherwise"),
        ({"touches": ("**",)}, "full", "nothing says otherwise"),
    ],
)
def test_change_is_what_the_task_says_of_itself(fields: dict[str, object], change: str, why: str) -> None:
    assert declared_change(task("t", **fields)) == (ChangeType(change), why)


@pytest.mark.parametrize(
    ("lines", "change"),
    [
        ({"README.md": 400, "docs/a.rst": 2}, "documentation"),
        ({"tests/test_a.py": 40, "web/app.spec.ts": 3, "conftest.py": 1}, "tests"),
        ({"a.json": 1, ".github/dependabot.yml": 9}, "configuration"),
        ({"src/app.py": 2}, "typo"),
        ({"src/app.py": 1, "src/b.py": 1}, "typo"),
        ({"src/app.py": 3}, "full"),
        ({"README.md": 1, "src/app.py": 9}, "full"),
        ({"requirements.txt": 9}, "full"),
        ({"docs/conf.py": 9}, "full"),
    ],
)
def test_diff_has_a_kind(lines: Mapping[str, int], change: str) -> None:
    assert change_of(lines) is ChangeType(change)


@pytest.mark.parametrize(
    ("declared", "lines", "complete", "change", "why"),
    [
        ("typo", {}, True, "typo", "declared by the task"),
        ("typo", {"a.py": 2}, False, "typo", "declared by the task"),
        ("full", {"README.md": 2}, False, "full", "declared by the task"),
        ("full", {"README.md": 2}, True, "documentation", "by its diff of 2 lines in 1 file"),
        ("tests", {"tests/test_a.py": 1}, False, "tests", "declared by the task"),
        (
            "documentation",
            {"a.py": 40, "b.py": 2},
            False,
            "full",
            "its diff of 42 lines in 2 files is more than the documentation it was declared as",
        ),
        ("typo", {"a.py": 1, "b.py": 8}, True, "full", "by its diff of 9 lines in 2 files"),
    ],
)
def test_diff_corrects_the_declaration(
    declared: str, lines: Mapping[str, int], complete: bool, change: str, why: str
) -> None:
    found = change_now(task("t", change=ChangeType(declared)), lines, complete=complete)
    assert found == (ChangeType(change), why)


@given(
    st.sampled_from(ChangeType),
    st.dictionaries(st.sampled_from(["a.py", "README.md", "tests/test_a.py", "a.json"]), st.integers(1, 9)),
    st.booleans(),
)
def test_no_declaration_makes_code_look_like_less(
    declared: ChangeType, lines: dict[str, int], complete: bool
) -> None:
    change, _ = change_now(task("t", change=declared), lines, complete=complete)
    if lines.get("a.py", 0) >= 3:
        assert change is ChangeType.FULL


LAYERS = (
    Layer("web", ("web", "browser", "single page")),
    Layer("api", ("api", "backend", "c++")),
    Layer("library", ("library",), default=True),
)
LAYERED = replace(workflow(phase("p", agent())), layers=LAYERS)


@pytest.mark.parametrize(
    ("title", "decided", "layers", "why"),
    [
        ("A web shop", None, {"web"}, "the task's words"),
        ("Two APIs and a Browser.", None, {"web", "api"}, "the task's words"),
        ("One single page", None, {"web"}, "the task's words"),
        ("A C++ engine", None, {"api"}, "the task's words"),
        ("A cobweb", None, {"library"}, "the task calls for none, so the default"),
        ("A web shop", ("api",), {"api"}, "an agent decided them"),
        ("A web shop", ("nothing we know",), {"web"}, "the task's words"),
    ],
)
def test_layers_are_decided_or_called_for_or_the_default(
    title: str, decided: tuple[str, ...] | None, layers: set[str], why: str
) -> None:
    assert needed_layers(LAYERED, task("t", title=title), decided) == (layers, why)


def test_labels_call_for_layers_too() -> None:
    assert needed_layers(LAYERED, task("t", title="x", labels=("api",)), None)[0] == {"api"}


FACTS = Facts(ChangeType.TYPO, "labelled typo", frozenset({"api"}), "the task's words")


@pytest.mark.parametrize(
    ("condition", "labels", "touches", "reason"),
    [
        (When(), (), (), ""),
        (When(labels=("ui",)), ("ui", "bug"), (), ""),
        (When(labels=("ui", "api")), ("api",), (), ""),
        (When(labels=("ui", "api")), ("bug",), (), "the task has none of the labels ui, api"),
        (When(paths=("docs/**",)), (), ("docs/a.md",), ""),
        (When(paths=("docs/**", "*.md")), (), ("src/**",), "the task touches nothing in docs/**, *.md"),
        (When(paths=("docs/**",)), (), (), ""),  # it may touch anything
        (When(changes=(ChangeType.TYPO, ChangeType.FULL)), (), (), ""),
        (When(changes=(ChangeType.FULL,)), (), (), "not needed for a typo change (labelled typo)"),
        (When(layers=("web", "api")), (), (), ""),
        (
            When(layers=("web",)),
            (),
            (),
            "the layer web is not needed; needed: api (the task's words)",
        ),
        (
            When(labels=("ui",), paths=("docs/**",)),
            ("ui",),
            ("src/a",),
            "the task touches nothing in docs/**",
        ),
    ],
)
def test_agent_runs_only_where_its_condition_holds(
    condition: When, labels: tuple[str, ...], touches: tuple[str, ...], reason: str
) -> None:
    assert unwanted(condition, task("t", labels=labels, touches=touches), FACTS) == reason


def test_conditions_that_only_the_run_can_answer_wait_for_it() -> None:
    assert unwanted(When(changes=(ChangeType.FULL,), layers=("web",)), task("t"), None) == ""
