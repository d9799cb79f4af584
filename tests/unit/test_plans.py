"""Plans: who makes them, what they must be, when one is for the same work, and when for similar work."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.model import Agent, AgentName, ModelSettings, Planned, Settings, Task, Workflow
from tests.support.build import agent, phase, task, workflow
from workflow_manager.plans.asked import asked_for, planners
from workflow_manager.plans.content import LONGEST, NoPlan, Plan, plan_of
from workflow_manager.plans.keys import key_for
from workflow_manager.plans.shelf import Kept, Shelf
from workflow_manager.plans.similarity import ENOUGH, most_similar, similarity, words
from workflow_manager.workflows import find


def implement() -> Workflow:
    return find("implement", Path("/nowhere"))


# --- who plans


def test_two_agents_of_implement_plan_side_by_side() -> None:
    flow = implement()
    asked = {one.name: sorted(asked_for(one, flow)) for one in planners(flow)}
    assert asked == {"ANALYST": ["commands"], "CRITERIA": ["checks"]}
    assert all(one.needs == () and one.writes == () for one in planners(flow))


@pytest.mark.parametrize("name", ["ANALYST", "CRITERIA"])
def test_their_prompts_ask_for_exactly_the_parts_of_a_plan(name: str) -> None:
    flow = implement()
    [one] = [one for one in flow.agents if one.name == name]
    [part] = asked_for(one, flow)
    for field in (part, "fallbacks", "summary"):
        assert f"- `{field}`" in one.prompt
    other = "checks" if part == "commands" else "commands"
    assert f"- `{other}`" not in one.prompt


# --- what a plan must be


def test_plan_is_read_with_everything_that_is_no_plan_left_out() -> None:
    output = {
        "commands": ["make a"],
        "checks": [],
        "fallbacks": {"make a": "make b"},
        "warnings": ["x"],
        "other": 1,
    }
    assert plan_of(output, {"commands"}, {"approach": "plain"}) == Plan(
        ("make a",), (), {"make a": "make b"}, decisions={"approach": "plain"}
    )


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({}, "it planned no commands"),
        ({"commands": []}, "it planned no commands"),
        ({"commands": "make"}, "its plan is not valid: commands: Input should be a valid tuple"),
        ({"commands": ["make", 1]}, "its plan is not valid: commands, entry 2: Input should be a valid string"),
        ({"commands": [" "]}, "its plan is not valid: commands, entry 1: String should match pattern"),
        ({"commands": ["x" * (LONGEST + 1)]}, "commands, entry 1: String should have at most 10000 characters"),
        ({"commands": ["x"] * 1001}, "its plan is not valid: commands: Tuple should have at most 1000 items"),
        ({"commands": ["x"], "checks": [None]}, "its plan is not valid: checks, entry 1: Input should be a valid string"),
        ({"commands": ["x"], "fallbacks": ["x"]}, "its plan is not valid: fallbacks: Input should be a valid dictionary"),
        ({"commands": ["x"], "fallbacks": {"x": ""}}, 'its plan is not valid: fallbacks, "x": String should have at least'),
        ({"commands": [1, 2, 3, 4, 5]}, "; and 2 more"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_told_with_its_place(output: dict[str, Any], told: str) -> None:
    with pytest.raises(NoPlan) as mistake:
        plan_of(output, {"commands"}, {})
    assert told in str(mistake.value)


# --- the very same work

PLANNER = agent("ANALYST", backend="anthropic", prompt="plan it", writes=())
DOER = agent("EXECUTOR", needs=("ANALYST",), planned=Planned(AgentName("ANALYST")))
FLOW = workflow(phase("plan", PLANNER), phase("do", DOER))
TASK = task("t", title="Rename the  API", body="old to\nnew", workflow=FLOW)


def key(
    one: Agent = PLANNER, of: Task = TASK, base: str = "c0ffee", said: bytes = b"", **settings: Any
) -> str:
    return key_for(one, of, Settings(**settings), base, lambda _: said)


def test_key_is_the_same_for_the_same_words_whatever_is_between_them() -> None:
    assert key() == key(of=replace(TASK, title="Rename the API", body=" old to new ")) != ""


@pytest.mark.parametrize(
    "other",
    [
        key(of=replace(TASK, body="old to newer")),
        key(of=replace(TASK, foreign=True)),
        key(of=replace(TASK, workflow=replace(FLOW, name="other"))),
        key(replace(PLANNER, prompt="plan it well")),
        key(replace(PLANNER, tier="deep")),
        key(replace(PLANNER, backend="claude-code")),
        key(base="decaf"),
        key(models=ModelSettings(balanced="another-model")),
    ],
)
def test_key_is_another_one_where_a_model_could_answer_otherwise(other: str) -> None:
    assert other not in ("", key())


def test_what_earlier_agents_said_is_part_of_the_key() -> None:
    reader = agent("READER", writes=())
    later = replace(PLANNER, needs=(reader.name,))
    of = replace(TASK, workflow=workflow(phase("all", reader, later, DOER)))
    assert key(later, of, said=b"one") != key(later, of, said=b"two")


def test_there_is_no_key_where_an_earlier_agent_may_have_changed_files() -> None:
    writer = agent("WRITER")
    later = replace(PLANNER, needs=(writer.name,))
    assert key(later, replace(TASK, workflow=workflow(phase("all", writer, later)))) == ""
    assert key(base="") == ""


# --- similar work

TEXT = (
    "Rename the function load_config to read_config in all modules of the package, change every caller and "
    "the documentation, keep the old name as an alias that warns, and add a test for the warning."
)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (TEXT, True),
        (TEXT.upper().replace(",", ";\n\n -"), True),
        (TEXT.replace("load_config", "load_state"), True),
        (TEXT.replace("load_config", "load_state").replace("read_config", "read_state"), True),
        (
            TEXT
            + " Do the same for the class Config and for everything else that loads anything at all, too.",
            False,
        ),
        (" ".join(reversed(TEXT.split())), False),
        ("Fix the login page: it says welcome to people who are not logged in.", False),
        ("", False),
    ],
)
def test_texts_are_alike_by_their_words_in_order(other: str, alike: bool) -> None:
    found = most_similar(words("", TEXT), [words("", "something else entirely"), words("", other)])
    assert (found is not None) == alike
    if found:
        assert found[0] == 1
        assert ENOUGH <= found[1] <= 1


def test_most_similar_one_is_taken() -> None:
    texts = [TEXT.replace("warning", "alias"), TEXT.replace("a test", "tests"), TEXT.replace("all", "some")]
    others = [words("", text) for text in texts]
    found = most_similar(words("", TEXT), others)
    assert found is not None
    assert found[1] == max(similarity(words("", TEXT), other) for other in others)


def test_a_full_shelf_of_long_texts_is_compared_in_a_second() -> None:
    long = [words("", " ".join(f"w{(n * place) % 997}" for n in range(2000))) for place in range(1, 101)]
    started = time.process_time()
    most_similar(words("", " ".join(f"w{n % 997}" for n in range(2000))), long)
    assert time.process_time() - started < 5


# --- the shelf

PLAN = Plan(("make a",), ("test -e a",), {"make a": "make b"}, "two steps", {"approach": "plain"})


def kept(**fields: Any) -> Kept:
    defaults: dict[str, Any] = {"key": "k", "agent": "ANALYST", "workflow": "implement", "title": "T", "body": TEXT,
                                "base": "c0ffee", "foreign": False, "plan": PLAN}  # fmt: skip
    return Kept(**(defaults | fields))


def test_plan_is_kept_as_it_was_and_replaced_by_the_next_for_the_same_work(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(kept())
    assert Shelf(tmp_path).at("k") == kept()
    shelf.put(kept(worked=True))
    assert Shelf(tmp_path).at("k") == kept(worked=True)
    assert len((tmp_path / "plans.jsonl").read_text().splitlines()) == 2
    assert shelf.at("other") is None
    assert shelf.at("") is None


@pytest.mark.parametrize(
    ("stored", "offered"),
    [
        (kept(worked=True), True),
        (kept(worked=False), False),
        (kept(worked=True, agent="CRITERIA"), False),
        (kept(worked=True, workflow="other"), False),
        (kept(worked=True, body="entirely other work"), False),
        (kept(worked=True, foreign=True), False),
    ],
)
def test_only_what_worked_for_such_an_agent_is_offered(tmp_path: Path, stored: Kept, offered: bool) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(stored)
    assert (shelf.similar(kept(key="mine")) is not None) == offered
    assert shelf.similar(kept(key="k")) is None


def test_stranger_s_plan_is_offered_for_strangers_texts(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(kept(worked=True, foreign=True))
    assert shelf.similar(kept(key="mine", foreign=True)) is not None


def test_plan_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(kept(plan=Plan(("x" * 9999,) * 10)))
    assert shelf.at("k") is None


def test_first_format_is_still_read_and_broken_entries_are_not(tmp_path: Path) -> None:
    good = (
        '{"key": "k", "agent": "ANALYST", "workflow": "implement", "title": "T", "body": "b", "base": "c0ffee", '
        '"foreign": false, "plan": {"commands": ["make a"], "checks": [], "fallbacks": {}, "summary": "s", '
        '"decisions": {}}, "worked": true}'
    )
    broken = good.replace('["make a"]', "[7]").replace('"k"', '"broken"')
    (tmp_path / "plans.jsonl").write_text(f'{{"format": 1}}\n{good}\n{broken}\n{{"key": "half"}}\n')
    found = Shelf(tmp_path).at("k")
    assert found is not None
    assert found.plan == Plan(("make a",), summary="s")
    assert Shelf(tmp_path).at("broken") is None
    assert Shelf(tmp_path).at("half") is None
