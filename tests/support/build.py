"""Short ways to make the vocabulary's data, with defaults for what a test does not care about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from orchestrator.plan import make_plan
from shared.model import (
    Agent,
    AgentName,
    Assignment,
    Containment,
    Identity,
    Need,
    Oid,
    Phase,
    Plan,
    RepositoryFacts,
    RunId,
    Settings,
    Task,
    TaskId,
    Workflow,
)

RUN = RunId("20231114-221320-abcd")


def oid(number: int) -> Oid:
    """A made-up object id that is easy to tell apart in a failure."""
    return Oid(f"{number:02x}" * 20)


def agent(name: str = "CODER", **fields: Any) -> Agent:
    for key in ("needs",):
        fields[key] = tuple(AgentName(need) for need in fields.get(key, ()))
    return Agent(AgentName(name), **fields)


def phase(name: str, *agents: Agent) -> Phase:
    return Phase(name, agents)


def workflow(*phases: Phase, name: str = "test") -> Workflow:
    return Workflow(name, phases, source=name)


def task(task_id: str, *needs: str, **fields: Any) -> Task:
    """A task; a need written ``x!`` is one that may have failed (``when: always``)."""
    fields.setdefault("title", task_id.replace("-", " ").capitalize())
    fields.setdefault("workflow", workflow(phase("work", agent(run="true"))))
    made = tuple(Need(TaskId(need.removesuffix("!")), need.endswith("!")) for need in needs)
    return Task(id=TaskId(task_id), needs=made, **fields)


def plan(*tasks: Task, **settings: Any) -> Plan:
    return make_plan(tasks, Settings(**settings))


def assignment(a_task: Task, **fields: Any) -> Assignment:
    defaults: dict[str, Any] = {
        "run": RUN,
        "task": a_task,
        "attempt": 1,
        "generation": 1,
        "facts": RepositoryFacts("/repo/.git", "/repo", "/repo.spinney", "/repo/.git/spinney/runs/r"),
        "worktree": f"/repo.spinney/{a_task.id}",
        "admin_dir": f"/repo/.git/worktrees/spinney-{a_task.id}",
        "base": oid(1),
        "identity": Identity("Ada Lovelace", "ada@example.com"),
        "settings": Settings(),
        "containment": Containment(),
        "environment": (("PATH", "/usr/bin:/bin"),),
        "port_base": 20000,
    }
    return Assignment(**(defaults | fields))


@st.composite
def graphs(draw: st.DrawFn, *, always: bool = False, largest: int = 8) -> list[Task]:
    """Tasks without a cycle, in an order that need not be topological."""
    size = draw(st.integers(1, largest))
    tasks = []
    for number in range(size):
        needs: Iterable[int] = draw(st.sets(st.integers(0, number - 1))) if number else ()
        marks = {need: "!" if always and draw(st.booleans()) else "" for need in sorted(needs)}
        tasks.append(task(f"t{number}", *(f"t{need}{mark}" for need, mark in marks.items())))
    return draw(st.permutations(tasks))
