"""The composition root: the only place, besides executors, that knows every part."""

from orchestrator.composition.carrying import resume, start
from orchestrator.composition.looking import (
    draw_workflow,
    find_workflow,
    history,
    own_workflow_files,
    read_workflow,
    repository,
    workflow_names,
    workflow_text,
)
from orchestrator.composition.models import model_backends
from orchestrator.composition.parts import local_forge, working_bubblewrap
from orchestrator.composition.pulls import merge_on_github, merge_pull, open_pulls, run_on_github
from orchestrator.composition.ready import Asked, Ready, get_ready
from orchestrator.composition.sessions import Ended
from orchestrator.composition.unfinished import unfinished_runs
from orchestrator.executors import make_executor

__all__ = [
    "Asked",
    "Ended",
    "Ready",
    "draw_workflow",
    "find_workflow",
    "get_ready",
    "history",
    "local_forge",
    "make_executor",
    "merge_on_github",
    "merge_pull",
    "model_backends",
    "open_pulls",
    "own_workflow_files",
    "read_workflow",
    "repository",
    "resume",
    "run_on_github",
    "start",
    "unfinished_runs",
    "workflow_names",
    "workflow_text",
    "working_bubblewrap",
]
