"""What the presets promise, as data: agents, tiers, order, places, selection and budgets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from shared.globs import first_overlap
from shared.model import Agent, ChangeType, Phase, Workflow
from shared.tokens import estimate
from tests.support.build import task
from workflow_manager.backends.port import AgentReport
from workflow_manager.context import Context
from workflow_manager.context.note import pointer
from workflow_manager.selection import Facts, needed_layers, unwanted
from workflow_manager.sharing import needing_scratch
from workflow_manager.task_files import TaskFiles
from workflow_manager.workflows import PRESETS, find, preset_names

TEAMS = ("autodev", "feature", "full-app", "fullstack", "implement")


@cache
def preset(name: str) -> Workflow:
    return find(name, Path("/nowhere"))


def agents(name: str) -> Mapping[str, Agent]:
    return {str(agent.name): agent for agent in preset(name).agents}


def phases(name: str) -> list[str]:
    return [phase.name for phase in preset(name).phases]


def tiers(name: str) -> Mapping[str, int]:
    return Counter(agent.tier for agent in preset(name).agents)


def roles() -> list[tuple[str, Agent]]:
    """Every agent that has a role text, the resolvers too, by its preset."""
    everyone = [
        (name, agent)
        for name in preset_names()
        for agent in (*preset(name).agents, preset(name).resolve)
        if agent is not None and agent.prompt
    ]
    assert len(everyone) > 60
    return everyone


def commits(phase: Phase) -> bool:
    """Whether a phase has somebody who leaves a file."""
    return any(agent.outputs.files or agent.outputs.change for agent in phase.agents)


# --- all of them


@pytest.mark.parametrize("name", TEAMS)
def test_every_agent_says_how_long_it_takes_and_what_it_leaves(name: str) -> None:
    for agent in preset(name).agents:
        assert agent.estimate, agent.name
        read_only = agent.writes == ()
        leaves = agent.outputs
        assert read_only or leaves.files or leaves.change, agent.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("feature", ["implementation", "testing", "documentation"]),
        ("full-app", ["init", "planning", "architecture", "implementation", "quality", "ops"]),
        ("autodev", ["tests", "implementation", "validation"]),
        (
            "fullstack",
            ["planning", "architecture", "development", "quality", "production", "coordination"],
        ),
        ("implement", ["execute"]),
    ],
)
def test_phases_that_end_in_a_commit(name: str, expected: list[str]) -> None:
    assert [phase.name for phase in preset(name).phases if commits(phase)] == expected
    words = {1: "one commit", 3: "three commits", 6: "six commits"}
    assert words[len(expected)] in preset(name).description


def test_no_role_text_is_there_twice() -> None:
    seen = Counter(re.sub(r"\W+", " ", agent.prompt).lower() for _, agent in roles())
    assert [text for text, times in seen.items() if times > 1] == []


def test_no_role_text_is_another_one_with_the_name_changed() -> None:
    def phrases(agent: Agent) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z]+", agent.prompt.lower().replace(agent.name.lower(), ""))
        return set(zip(words, words[1:], words[2:], words[3:], strict=False))

    of_role = [(f"{name}/{agent.name}", phrases(agent)) for name, agent in roles()]
    alike = [
        (a, b)
        for (a, left), (b, right) in combinations(of_role, 2)
        if len(left & right) > 0.3 * min(len(left), len(right))
    ]
    assert alike == []


@pytest.mark.parametrize("name", TEAMS)
def test_every_text_belongs_to_an_agent_and_is_of_readable_length(name: str) -> None:
    workflow = preset(name)
    named = {str(a.name): a for a in (*workflow.agents, workflow.resolve) if a is not None and a.prompt}
    files = {path.stem: path.read_text() for path in (PRESETS / name).iterdir()}
    assert set(files) == set(named)
    for role, text in files.items():
        assert named[role].prompt.strip() == text.strip()
        assert 50 <= len(text.split()) <= 220, role


@pytest.mark.parametrize("name", TEAMS)
def test_a_role_text_names_what_its_agent_must_leave(name: str) -> None:
    for agent in preset(name).agents:
        if not agent.prompt:
            continue
        for key in agent.outputs.decisions:
            assert f"`{key}`" in agent.prompt, f"{agent.name} is not told to decide {key}"
        assert ("`verdict`" in agent.prompt) is agent.outputs.verdict, agent.name
        for pattern in agent.outputs.files:
            folder = pattern.removesuffix("**")
            assert "*" in folder or f"`{folder}" in agent.prompt, f"{agent.name} is not told about {folder}"


@pytest.mark.parametrize("name", TEAMS)
def test_decisions_a_role_text_relies_on_are_made_by_somebody_before(name: str) -> None:
    made = {key for agent in preset(name).agents for key in agent.outputs.decisions}
    for agent in (*preset(name).agents, preset(name).resolve):
        relied = re.findall(r"decisions? `(\w+)`", agent.prompt) if agent is not None else []
        assert set(relied) <= made, agent


@pytest.mark.parametrize(
    ("name", "scratch"),
    [
        ("feature", {"TESTER", "WRITER"}),
        ("full-app", set()),
        ("autodev", set()),
        ("fullstack", {"FRONTEND_DEVELOPER", "BACKEND_DEVELOPER", "DEVOPS_ENGINEER", "QA_ENGINEER"}),
    ],
)
def test_agents_that_may_collide_have_a_resolver(name: str, scratch: set[str]) -> None:
    assert needing_scratch(preset(name).agents) == scratch
    resolver = preset(name).resolve
    assert (resolver is not None) is bool(scratch)
    assert resolver is None or "$SPINNEY_CONFLICTS" in resolver.prompt


@pytest.mark.parametrize("name", TEAMS)
def test_pointer_is_below_a_hundred_tokens(name: str) -> None:
    assert max(estimate(pointer(agent)) for agent in preset(name).agents) < 100


# --- what agents are given

SAID = AgentReport(
    True,
    summary="Sessions are checked in one place now and expired ones are refused with 401 instead of 500. "
    * 3,
    next_steps=tuple(f"src/server/session.py:{line} – compare the expiry in UTC" for line in range(8)),
    warnings=tuple(
        f"tests/test_session_{n}.py freezes the clock and would hide a wrong zone" for n in range(4)
    ),
)
DECIDED = (
    "One function `check(session: Session, now: datetime) -> None` raises Expired. Every route passes there."
)


@pytest.mark.parametrize("words", [20, 200, 2000])
@pytest.mark.parametrize("name", TEAMS)
def test_talkative_agents_and_a_long_task_fit_the_budgets(name: str, words: int, tmp_path: Path) -> None:
    body = "The server must answer within two seconds. Login fails daily. " * (words // 10)
    workflow = preset(name)
    todo = task("long", title="Let people sign in with their company's account", body=body, workflow=workflow)
    files = TaskFiles(tmp_path, "run/long", todo, workflow, 0.0)
    context = Context(files, todo)
    used = 0
    for agent in workflow.agents:
        given = context.give(agent, 1)
        assert not given.refused, f"{agent.name}: {given.refused}"
        used += given.tokens
        decisions = dict.fromkeys(agent.outputs.decisions, DECIDED)
        files.started(agent.name, 0.0)
        report = AgentReport(True, SAID.summary, "", SAID.next_steps, SAID.warnings, decisions)
        files.ended(agent, report, 1.0)
    assert used < workflow.budget


# --- feature


def test_feature_has_nine_phases_four_of_them_the_engines_own() -> None:
    assert phases("feature") == [
        "set-up",
        "issue",
        "branch",
        "research-and-planning",
        "implementation",
        "testing",
        "documentation",
        "pull-request",
        "review",
    ]
    own = [phase for phase in preset("feature").phases if not phase.agents]
    assert [phase.name for phase in own] == ["set-up", "issue", "branch", "pull-request"]
    assert all("Done by the engine." in phase.summary for phase in own)


def test_feature_is_reviewed_by_another_tier_than_the_authors() -> None:
    team = agents("feature")
    authors = {agent.tier for agent in team.values() if agent.writes != ()}
    assert team["REVIEWER"].tier == "deep"
    assert team["REVIEWER"].tier not in authors
    assert team["REVIEWER"].evidence.verdict == "approve"


def test_feature_plans_before_code_and_documents_beside_tests() -> None:
    needs = {name: set(agent.needs) for name, agent in agents("feature").items()}
    assert needs == {
        "RESEARCHER": set(),
        "PLANNER": {"RESEARCHER"},
        "IMPLEMENTER": {"PLANNER"},
        "TESTER": {"IMPLEMENTER"},
        "WRITER": {"IMPLEMENTER"},
        "REVIEWER": {"IMPLEMENTER", "TESTER", "WRITER"},
    }


# --- full-app

LAYERS = [
    "ui-web",
    "ui-mobile",
    "ui-desktop",
    "ui-cli",
    "core-api",
    "core-systems",
    "core-library",
    "platform-linux",
    "platform-windows",
    "platform-apple",
    "platform-android",
    "integration-services",
    "integration-messaging",
    "data",
    "content",
    "graphics",
]


def test_full_app_has_a_lead_and_a_developer_for_each_layer() -> None:
    assert [layer.name for layer in preset("full-app").layers] == LAYERS
    team = agents("full-app")
    for layer in LAYERS:
        name = layer.upper().replace("-", "_")
        lead, developer = team[f"TL_{name}"], team[f"DEV_{name}"]
        assert developer.needs == (lead.name,)
        assert lead.when.layers == developer.when.layers == (layer,)
        assert lead.outputs.files == lead.writes == (f"docs/plans/{layer}/**",)
        assert f"docs/plans/{layer}/" in lead.prompt
    assert len(team) == 41 == 2 * len(LAYERS) + 9


def test_full_app_has_the_tiers_of_its_roles() -> None:
    tier = {name: agent.tier for name, agent in agents("full-app").items()}
    assert {name for name in tier if tier[name] == "deep"} == {"PM", "SR"}
    designing = {name for name in tier if name.startswith(("TL_", "UIUX_"))} | {"ARCHITECT", "TEST"}
    assert {name for name in tier if tier[name] == "balanced"} == designing
    assert tiers("full-app") == {"deep": 2, "balanced": 20, "fast": 19}


def test_full_app_has_the_order_of_its_graph() -> None:
    needs = {name: set(agent.needs) for name, agent in agents("full-app").items()}
    assert needs["PM"] == {"INIT"}
    assert needs["ARCHITECT"] == needs["UIUX_GUI"] == needs["UIUX_CLI"] == {"PM"}
    assert all("ARCHITECT" in needs[name] for name in needs if name.startswith("TL_"))
    assert needs["TL_UI_WEB"] == {"ARCHITECT", "UIUX_GUI"}
    assert needs["TL_UI_CLI"] == {"ARCHITECT", "UIUX_CLI"}
    assert needs["TL_CORE_API"] == {"ARCHITECT"}
    assert needs["TEST"] == {name for name in needs if name.startswith("DEV_")}
    assert needs["CQR"] == needs["SR"] == {"TEST"}
    assert needs["DOE"] == {"CQR", "SR"}


def test_full_app_gives_every_agent_places_of_its_own() -> None:
    for a, b in combinations(preset("full-app").agents, 2):
        assert a.writes
        assert b.writes
        assert first_overlap(a.writes, b.writes) is None, (a.name, b.name)


def test_full_app_takes_eighty_minutes_one_by_one_and_fifteen_at_best() -> None:
    assert sum(agent.estimate or 0 for agent in preset("full-app").agents) / 60 == pytest.approx(80, abs=5)
    assert longest_path(preset("full-app")) / 60 == pytest.approx(15, abs=1)


def longest_path(workflow: Workflow) -> float:
    """Seconds by estimate; in the order of the workflow every need comes before."""
    ends: dict[str, float] = {}
    for agent in workflow.agents:
        ends[agent.name] = max((ends[need] for need in agent.needs), default=0.0) + (agent.estimate or 0)
    return max(ends.values())


def test_product_manager_knows_the_layers_to_choose_from() -> None:
    manager = agents("full-app")["PM"]
    assert "layers" in manager.outputs.decisions
    assert set(LAYERS) <= set(re.findall(r"[a-z]+(?:-[a-z]+)?", manager.prompt))


def selected(title: str) -> set[str]:
    """The agents of ``full-app`` that an idea needs."""
    workflow = preset("full-app")
    idea = task("idea", title=title, workflow=workflow)
    layers, where_from = needed_layers(workflow, idea, None)
    facts = Facts(ChangeType.FULL, "", layers, where_from)
    return {str(agent.name) for agent in workflow.agents if not unwanted(agent.when, idea, facts)}


ALWAYS = {"INIT", "PM", "ARCHITECT", "TEST", "CQR", "SR", "DOE"}


@pytest.mark.parametrize(
    ("idea", "extra"),
    [
        ("Build a todo app with React and FastAPI", "UIUX_GUI TL_UI_WEB DEV_UI_WEB TL_CORE_API DEV_CORE_API"),
        ("A command-line tool for sorting photos", "UIUX_CLI TL_UI_CLI DEV_UI_CLI"),
        ("A library for parsing dates", "TL_CORE_LIBRARY DEV_CORE_LIBRARY"),
        (
            "Something for the rest of us",
            "UIUX_GUI TL_UI_WEB DEV_UI_WEB TL_CORE_API DEV_CORE_API TL_DATA DEV_DATA",
        ),
        (
            "A Linux daemon that sends notifications",
            "TL_CORE_SYSTEMS DEV_CORE_SYSTEMS TL_PLATFORM_LINUX DEV_PLATFORM_LINUX"
            " TL_INTEGRATION_MESSAGING DEV_INTEGRATION_MESSAGING",
        ),
    ],
)
def test_only_agents_are_selected_that_the_idea_needs(idea: str, extra: str) -> None:
    assert selected(idea) == ALWAYS | set(extra.split())


# --- autodev

BUDGETS = {
    "RESEARCHER_LOCAL": 800,
    "RESEARCHER_WEB": 600,
    "PLANNER": 1200,
    "TEST_MASTER": 1500,
    "IMPLEMENTER": 2000,
    "REVIEWER": 500,
    "SECURITY_AUDITOR": 800,
    "DOC_MASTER": 400,
}


def test_autodev_has_its_tiers_and_budgets() -> None:
    team = agents("autodev")
    assert {name: agent.budget for name, agent in team.items()} == BUDGETS
    assert preset("autodev").budget == 8000 > sum(BUDGETS.values())
    assert {name: agent.tier for name, agent in team.items()} == {
        "RESEARCHER_LOCAL": "fast",
        "RESEARCHER_WEB": "fast",
        "PLANNER": "balanced",
        "TEST_MASTER": "balanced",
        "IMPLEMENTER": "balanced",
        "REVIEWER": "fast",
        "SECURITY_AUDITOR": "deep",
        "DOC_MASTER": "fast",
    }


def test_autodev_researches_and_validates_in_parallel_and_tests_before_code() -> None:
    needs = {name: set(agent.needs) for name, agent in agents("autodev").items()}
    assert needs["RESEARCHER_LOCAL"] == needs["RESEARCHER_WEB"] == set()
    assert needs["PLANNER"] == {"RESEARCHER_LOCAL", "RESEARCHER_WEB"}
    assert "TEST_MASTER" in needs["IMPLEMENTER"]
    validating = [needs[name] for name in ("REVIEWER", "SECURITY_AUDITOR", "DOC_MASTER")]
    assert validating == [{"TEST_MASTER", "IMPLEMENTER"}] * 3


@pytest.mark.parametrize(
    ("change", "skipped"),
    [
        ("documentation", {"TEST_MASTER", "SECURITY_AUDITOR"}),
        ("typo", {"RESEARCHER_LOCAL", "RESEARCHER_WEB", "TEST_MASTER"}),
        ("configuration", {"RESEARCHER_LOCAL", "RESEARCHER_WEB", "TEST_MASTER"}),
        ("tests", {"RESEARCHER_WEB", "IMPLEMENTER"}),
        ("full", set()),
    ],
)
def test_autodev_leaves_out_what_a_change_does_not_need(change: str, skipped: set[str]) -> None:
    workflow = preset("autodev")
    facts = Facts(ChangeType(change), "declared by the task")
    some = task("some", workflow=workflow)
    assert {str(a.name) for a in workflow.agents if unwanted(a.when, some, facts)} == skipped


@pytest.mark.parametrize("change", list(ChangeType))
def test_autodev_always_has_somebody_who_changes_something(change: ChangeType) -> None:
    makers = [agent for agent in preset("autodev").agents if agent.outputs.change]
    assert any(change in agent.when.changes for agent in makers)


# --- fullstack


def test_fullstack_has_six_groups_with_estimates() -> None:
    groups = [[(str(a.name), a.estimate) for a in phase.agents] for phase in preset("fullstack").phases]
    assert groups == [
        [("PRODUCT_MANAGER", 900)],
        [("TECHNICAL_ARCHITECT", 1200)],
        [("FRONTEND_DEVELOPER", 1500), ("BACKEND_DEVELOPER", 1500), ("DEVOPS_ENGINEER", 1200)],
        [("QA_ENGINEER", 1800)],
        [("SITE_RELIABILITY_ENGINEER", 1200)],
        [("DEVELOPMENT_COORDINATOR", 600)],
    ]


def test_fullstack_tests_do_not_wait_for_operations() -> None:
    needs = {name: set(agent.needs) for name, agent in agents("fullstack").items()}
    assert needs == {
        "PRODUCT_MANAGER": set(),
        "TECHNICAL_ARCHITECT": {"PRODUCT_MANAGER"},
        "FRONTEND_DEVELOPER": {"TECHNICAL_ARCHITECT"},
        "BACKEND_DEVELOPER": {"TECHNICAL_ARCHITECT"},
        "DEVOPS_ENGINEER": {"TECHNICAL_ARCHITECT"},
        "QA_ENGINEER": {"FRONTEND_DEVELOPER", "BACKEND_DEVELOPER"},
        "SITE_RELIABILITY_ENGINEER": {"DEVOPS_ENGINEER", "QA_ENGINEER"},
        "DEVELOPMENT_COORDINATOR": {"SITE_RELIABILITY_ENGINEER"},
    }


def test_fullstack_has_four_sizes() -> None:
    gigabyte = 1024**3
    sizes = {
        p.name: (p.agents, p.memory, p.memory_per_agent, p.cpu_per_agent)
        for p in preset("fullstack").profiles
    }
    assert sizes == {
        "small": (3, 2 * gigabyte, gigabyte // 2, 0.5),
        "medium": (5, 8 * gigabyte, gigabyte, 1.0),
        "large": (8, 16 * gigabyte, 2 * gigabyte, 2.0),
        "enterprise": (12, 32 * gigabyte, 4 * gigabyte, 4.0),
    }
