"""For commands that only look."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from orchestrator.capacity import machine
from orchestrator.runs import Place
from orchestrator.view import RunView
from shared.git.commits import first_parents
from shared.git.repository import (
    Repository,
    is_ancestor,
    open_repository,
)
from shared.model import Oid, Workflow
from workflow_manager import workflows
from workflow_manager.workflows import drawing


def repository(place: Place) -> Repository:
    return open_repository(place.git_dir)


def history(place: Place, view: RunView) -> list[tuple[Oid, str]]:
    """First-parent commits of the merged result since the base, oldest first, with their subjects.

    As far as they still exist: the branch may be gone since.
    """
    repo, base = repository(place), Oid(view.base)
    found: list[tuple[Oid, str]] = []
    with contextlib.suppress(KeyError, ValueError):
        for commit in first_parents(repo, Oid(view.merged or base), base):
            if is_ancestor(repo, Oid(str(commit.id)), base):
                break  # ``into`` came to the base as a second parent
            found.append((Oid(str(commit.id)), commit.message.partition("\n")[0]))
    return found[::-1]


def workflow_names() -> list[str]:
    """The presets that ship with Spinney."""
    return workflows.preset_names()


def own_workflow_files(root: Path) -> list[str]:
    """The workflow files at a project's root."""
    return workflows.own_names(root)


def find_workflow(name: str, root: Path) -> Workflow:
    """A preset, or the workflow file of that name or path below ``root``. Raises UserError or InvalidInput."""
    return workflows.find(name, root)


def read_workflow(data: bytes, file: str) -> Workflow:
    """Raises InvalidInput with every mistake in it, a profile that is too large for this machine included."""
    return workflows.read(data, file, file, machine=machine())


def workflow_text(workflow: Workflow) -> str:
    return workflows.to_yaml(workflow)


def draw_workflow(workflow: Workflow, language: Literal["dot", "mermaid"]) -> str:
    return drawing.to_dot(workflow) if language == "dot" else drawing.to_mermaid(workflow)
