"""Scripts for whole teams of model-driven agents: what each agent of the preset ``feature`` says for one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.messages import Asked, Fault, Reply, Script, ToolUse, by_task
from tests.support.model_agent import bash, create, edit, finish

Turns = Sequence[Any]


def view(path: str) -> ToolUse:
    return edit("view", path)


def pointer(agent: str) -> str:
    """Words of an agent's prompt that no other agent's has."""
    return f".tasks/{agent}/note.md"


def feature(name: str) -> Mapping[tuple[str, ...], Turns]:
    """The team of ``feature`` adds a function called ``name``, which is a word of the task's title."""

    def after_tests(asked: Asked) -> Reply | Fault:
        [(_, said, failed)] = asked.tool_results
        assert "OK" in said, said
        assert not failed
        return finish(f"tests of {name} pass")

    # Three lines and more: what is shorter counts as a typo, for which nobody writes tests.
    code = f'"""The {name}."""\n\n\ndef {name}(a, b):\n    """Name it."""\n    return ({name!r}, a, b)\n'
    test = (
        f"import unittest\nfrom src.{name} import {name}\n\n\n"
        f"class It(unittest.TestCase):\n    def test_it(self):\n"
        f"        self.assertEqual({name}(1, 2), ({name!r}, 1, 2))\n"
    )
    return {
        (name, pointer("RESEARCHER")): [
            Reply("I read what is there.", [view("src/app.py"), view("README.md")]),
            finish("src/app.py holds the functions"),
        ],
        (name, pointer("PLANNER")): [
            Reply(tools=[view(".tasks/PLANNER/note.md")], thinking="What is the smallest change?"),
            finish("one module", decisions={"approach": f"src/{name}.py", "tests": f"tests/test_{name}.py"}),
        ],
        (name, pointer("IMPLEMENTER")): [
            Reply(tools=[create(f"src/{name}.py", code)]),
            finish(f"{name} is there", artifacts=[f"src/{name}.py"]),
        ],
        (name, pointer("TESTER")): [
            Reply(tools=[create(f"tests/test_{name}.py", test)]),
            Reply(tools=[bash(f"python3 -m unittest -v tests/test_{name}.py 2>&1")]),
            after_tests,
        ],
        (name, pointer("WRITER")): [
            Reply(tools=[create(f"docs/{name}.md", f"# {name}\n\nAdds {name}.\n")]),
            finish(f"documented {name}"),
        ],
        (name, pointer("REVIEWER")): [
            Reply(tools=[view(f"src/{name}.py"), view(f"tests/test_{name}.py")]),
            finish("small and tested", verdict="approve"),
        ],
    }


def features(*names: str) -> Script:
    """What a server answers to a batch with a task for each of ``names``."""
    return by_task({key: turns for name in names for key, turns in feature(name).items()})


def batch(*names: str, **settings: str) -> str:
    """A batch file for that script."""
    head = [f"{key}: {value}" for key, value in {"version": "1", "backend": "anthropic", **settings}.items()]
    tasks = [
        f"  - id: {name}\n    title: Add {name}\n    workflow: feature\n    body: |\n      A function {name}(a, b).\n"
        for name in names
    ]
    return "\n".join([*head, "tasks:", *tasks])
