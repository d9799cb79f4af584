"""Whether an agent left what it must leave: exit 0 is not success."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.globs import matches
from shared.model import Agent
from workflow_manager.backends.port import AgentReport
from workflow_manager.untrusted import read_json

VERDICTS = ("approve", "request-changes")
_WILD = frozenset("*?")
_LOOKED_AT = 100_000  # names, after which a search for a file gives up


def missing(agent: Agent, worktree: Path, folder: Path, report: AgentReport) -> str:
    """What ``agent`` did not leave of its ``outputs`` and ``evidence``, or an empty string.

    ``folder`` is its own in ``.tasks``; what the backend reports counts as well as what lies there. The
    evidence command and the demand for a change are checked elsewhere: one takes time, the other needs git.
    """
    output = _mapping(folder / "output.json")
    for pattern in (*agent.outputs.files, *agent.evidence.files):
        if not any_file(worktree, pattern):
            return f"it left no file {pattern}"
    decisions = {**report.decisions, **_mapping(folder / "decisions.json")}
    if absent := [key for key in agent.outputs.decisions if not decisions.get(key)]:
        return f"it did not decide {', '.join(absent)}: nothing in its decisions.json"
    if agent.outputs.commands and not (output.get("commands") or report.plan.get("commands")):
        return "it planned no commands: `commands` is missing in its output.json"
    return _verdict(
        agent, str(output.get("verdict") or report.verdict), str(output.get("summary") or report.summary)
    )


def _verdict(agent: Agent, verdict: str, summary: str) -> str:
    wanted = agent.evidence.verdict
    if not wanted and not agent.outputs.verdict:
        return ""
    if verdict not in VERDICTS:
        return f"it gave no verdict: `verdict` in its output.json must be {' or '.join(VERDICTS)}"
    if wanted and verdict != wanted:
        return f"its verdict is {verdict}" + (f": {summary}" if summary else "")
    return ""


def _mapping(path: Path) -> Mapping[str, Any]:
    found = read_json(path)
    return found if isinstance(found, dict) else {}


def any_file(root: Path, pattern: str) -> bool:
    """Whether some file below ``root`` matches; a name without wildcards must be there itself."""
    parts = pattern.strip("/").split("/")
    fixed = next((i for i, part in enumerate(parts) if _WILD & set(part)), len(parts))
    place = root.joinpath(*parts[:fixed])
    if fixed == len(parts):
        return place.is_file() or (place.is_dir() and any(place.iterdir()))
    seen = 0
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in (".git", ".tasks")]
        for name in files:
            if matches(pattern, os.path.relpath(os.path.join(folder, name), root)):
                return True
        seen += len(files)
        if seen > _LOOKED_AT:
            return False
    return False
