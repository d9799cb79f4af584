"""Scripts for whole teams of model-driven agents: what each agent of the preset ``feature`` says for one task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.support.messages import Asked, Reply, Script, ToolUse, by_task
from tests.support.model_agent import bash, create, edit, finish

Turns = Sequence[Any]


def view(path: str) -> ToolUse:
    """For agents that may write."""
    return edit("view", path)


def read(path: str) -> ToolUse:
    """For agents that only read."""
    return ToolUse("read_file", {"path": path})


def after(*seen: str, then: Reply) -> Callable[[Asked], Reply]:
    """``then``, once the calls of the last turn have all worked and shown what was to be ``seen``."""

    def turn(asked: Asked) -> Reply:
        for (_, said, failed), wanted in zip(asked.tool_results, seen, strict=True):
            assert not failed, said
            assert wanted in said, said
        return then

    return turn


def pointer(agent: str) -> str:
    """Words of an agent's prompt that no other agent's has."""
    return f".tasks/{agent}/note.md"


def feature(name: str) -> Mapping[tuple[str, ...], Turns]:
    """The team of ``feature`` adds a function called ``name``, which is a word of the task's title."""

    decided = {"approach": f"src/{name}.py", "tests": f"tests/test_{name}.py"}
    # Three lines and more: what is shorter counts as a typo, for which nobody writes tests.
    code = f'"""The {name}."""\n\n\ndef {name}(a, b):\n    """Name it."""\n    return ({name!r}, a, b)\n'
    test = (
        f"import unittest\nfrom src.{name} import {name}\n\n\n"
        f"class It(unittest.TestCase):\n    def test_it(self):\n"
        f"        self.assertEqual({name}(1, 2), ({name!r}, 1, 2))\n"
    )
    return {
        (name, pointer("RESEARCHER")): [
            Reply("I read what is there.", [read("src/app.py"), read("README.md")]),
            after("", "#", then=finish("src/app.py holds the functions")),
        ],
        (name, pointer("PLANNER")): [
            Reply(tools=[read(".tasks/PLANNER/note.md")], thinking="What is the smallest change?"),
            after("Leave:", then=finish("one module", decisions=decided)),
        ],
        (name, pointer("IMPLEMENTER")): [
            Reply(tools=[create(f"src/{name}.py", code)]),
            after("", then=finish(f"{name} is there", artifacts=[f"src/{name}.py"])),
        ],
        (name, pointer("TESTER")): [
            Reply(tools=[create(f"tests/test_{name}.py", test)]),
            after("", then=Reply(tools=[bash(f"python3 -m unittest -v tests/test_{name}.py 2>&1")])),
            after("OK", then=finish(f"tests of {name} pass")),
        ],
        (name, pointer("WRITER")): [
            Reply(tools=[create(f"docs/{name}.md", f"# {name}\n\nAdds {name}.\n")]),
            after("", then=finish(f"documented {name}")),
        ],
        (name, pointer("REVIEWER")): [
            Reply(tools=[read(f"src/{name}.py"), read(f"tests/test_{name}.py")]),
            after(name, name, then=finish("small and tested", verdict="approve")),
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
