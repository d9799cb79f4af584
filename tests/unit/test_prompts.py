from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import InvalidInput
from shared.model import Workflow
from workflow_manager.workflows import find
from workflow_manager.workflows.prompts import MAXIMUM_BYTES

Flow = Callable[[str], Workflow]


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    """A workflow in the folder ``flows`` whose only agent has this prompt."""
    folder = tmp_path / "flows"
    (folder / "roles").mkdir(parents=True)

    def call(prompt: str) -> Workflow:
        text = f"name: w\nphases:\n  - name: p\n    agents:\n      - name: A\n        prompt: {prompt}\n"
        (folder / "w.yaml").write_text(text)
        return find("flows/w.yaml", tmp_path)

    return call


def told(flow: Flow, prompt: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        flow(prompt)
    (problem,) = caught.value.problems
    return str(problem)


def test_file_beside_the_workflow_becomes_the_prompt(flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "flows/roles/A.md").write_bytes(b"\xef\xbb\xbf\n# Role\r\n\r\nDo it.\r\n\r\n")
    assert flow("roles/A.md").agents[0].prompt == "# Role\n\nDo it.\n"


@pytest.mark.parametrize(
    ("written", "prompt"),
    [
        ("Do it.", "Do it."),
        ("Update README.md.", "Update README.md."),
        ("|\n          Update README.md", "Update README.md\n"),
        ('"One\\nTwo.md"', "One\nTwo.md"),
    ],
)
def test_everything_else_is_the_prompt_itself(flow: Flow, written: str, prompt: str) -> None:
    assert flow(written).agents[0].prompt == prompt


def test_file_that_does_not_exist_is_told_with_a_near_one(flow: Flow, tmp_path: Path) -> None:
    assert told(flow, "roles/CODER.md") == (
        "flows/w.yaml:6:17: the prompt file 'roles/CODER.md' does not exist "
        "(a text that ends with .md goes below `prompt: |`)"
    )
    (tmp_path / "flows/roles/CODERS.md").write_text("x")
    assert told(flow, "roles/CODER.md").endswith("does not exist (did you mean 'CODERS.md'?)")


@pytest.mark.parametrize("name", ["../secret.md", "/etc/motd.md", "roles/../../secret.md", "roles/link.md"])
def test_file_outside_the_folder_is_refused(flow: Flow, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "flows/roles/link.md").symlink_to(tmp_path / "secret.md")
    assert told(flow, name) == (
        f"flows/w.yaml:6:17: the prompt file '{name}' is outside the workflow's folder "
        "(keep it beside the workflow file or below that)"
    )


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"x\ncaf\xe9", "cannot be read: not valid UTF-8 on line 2 (save the file as UTF-8)"),
        (b"a\0b", "cannot be read: a NUL character in the text (save the file as UTF-8)"),
        (b"x" * (MAXIMUM_BYTES + 1), "is larger than 256 KiB"),
    ],
)
def test_file_that_is_no_text_is_told(flow: Flow, tmp_path: Path, content: bytes, wrong: str) -> None:
    (tmp_path / "flows/A.md").write_bytes(content)
    assert told(flow, "A.md") == f"flows/w.yaml:6:17: the prompt file 'A.md' {wrong}"


def test_what_is_not_a_file_is_not_opened(flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "flows/folder.md").mkdir()
    os.mkfifo(tmp_path / "flows/pipe.md")
    for name in ("folder.md", "pipe.md"):
        assert told(flow, name).endswith(f"the prompt file '{name}' is not a file")


def test_prompts_of_the_resolver_and_of_sub_agents_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "R.md").write_text("Resolve.")
    (tmp_path / "S.md").write_text("Help.")
    (tmp_path / "w.yaml").write_text(
        "name: w\nresolve: {name: R, prompt: R.md}\nphases:\n- name: p\n  agents:\n"
        "  - {name: A, script: [{action: spawn, agents: [{name: s, prompt: S.md}]}]}\n"
    )
    flow = find("w", tmp_path)
    assert flow.resolve is not None
    assert flow.resolve.prompt == "Resolve.\n"
    assert flow.agents[0].script[0].agents[0].prompt == "Help.\n"
