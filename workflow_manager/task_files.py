"""``.tasks/`` in a worktree: what agents of a task tell each other, readable while the task runs.

``manifest.json`` and one folder an agent with ``output.json``, ``artifacts.json``, ``context.md`` and
``decisions.json``. One writer a file, replaced atomically; never committed.
"""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.clock import timestamp
from shared.files import replace_file, replace_json
from shared.git.changes import TASK_FOLDER
from shared.model import Agent, Task, Workflow
from shared.text import first_sentence
from workflow_manager.backends.port import AgentReport

_SMALL = 1024 * 1024  # bytes of an agent's own file that are read


class TaskFiles:
    """The manifest's only writer is the manager's main thread."""

    def __init__(self, worktree: Path, session: str, task: Task, workflow: Workflow, now: float) -> None:
        self.folder = worktree / TASK_FOLDER
        self._entries: dict[str, dict[str, Any]] = {}
        for agent in workflow.agents:
            self._entries[agent.name] = {"status": "pending"}
            if agent.needs:
                self._entries[agent.name]["dependencies"] = list(agent.needs)
        self._manifest: dict[str, Any] = {
            "session_id": session,
            "workflow": workflow.name.upper().replace("-", "_"),
            "project_idea": task.title if not task.body else f"{task.title}\n\n{task.body}",
            "created_at": timestamp(now),
        }
        self._write()

    def agent_folder(self, name: str) -> Path:
        self._own_folder()
        return _real_folder(self.folder / name)

    def _own_folder(self) -> None:
        if not (_real_folder(self.folder) / ".gitignore").is_file():
            replace_file(self.folder / ".gitignore", "*\n")  # hides the folder, itself included, from any git

    def started(self, name: str, now: float) -> None:
        self._entries[name].update(status="in_progress", started_at=timestamp(now))
        self._write()

    def skipped(self, name: str, reason: str) -> None:
        self._entries[name].update(status="skipped", reason=reason)
        self._write()

    def done_before(self, name: str) -> None:
        """An agent whose phase an earlier attempt has committed."""
        if self._entries[name]["status"] == "pending":
            self._entries[name]["status"] = "completed"
            self._write()

    def ended(self, agent: Agent, report: AgentReport, now: float) -> None:
        """Record an agent's result; what the agent wrote to its own files wins over what we can tell."""
        folder = self.agent_folder(agent.name)
        own = read_json(folder / "output.json")
        output = {
            "summary": report.summary,
            "next_steps": list(report.next_steps),
            "warnings": list(report.warnings),
            **(own if isinstance(own, dict) else {}),
        }
        replace_json(folder / "output.json", output)
        if not (folder / "context.md").is_file():
            replace_file(folder / "context.md", _context(agent, output))
        if report.decisions and not (folder / "decisions.json").is_file():
            replace_json(folder / "decisions.json", dict(report.decisions))
        self._entries[agent.name].update(
            status="completed" if report.ok else "failed",
            completed_at=timestamp(now),
            tokens_used=report.tokens.input + report.tokens.output,
            output_path=f"{TASK_FOLDER}/{agent.name}/output.json",
        )
        self._write()

    def artifacts(self, name: str, paths: Sequence[str]) -> None:
        """Record the paths an agent changed, once its phase is committed, unless it listed them itself."""
        listed = self.agent_folder(name) / "artifacts.json"
        if not isinstance(read_json(listed), list):
            replace_json(listed, list(paths))

    def own_summary(self, name: str) -> str:
        """The summary an agent wrote to its output file, or an empty string."""
        own = read_json(self.folder / name / "output.json")
        summary = own.get("summary") if isinstance(own, dict) else None
        return first_sentence(summary, 200) if isinstance(summary, str) else ""

    def _write(self) -> None:
        def having(status: str) -> list[str]:
            return [name for name, entry in self._entries.items() if entry["status"] == status]

        self._own_folder()
        replace_json(
            self.folder / "manifest.json",
            {
                **self._manifest,
                "tasks": self._entries,
                "completed": having("completed"),
                "in_progress": having("in_progress"),
                "pending": having("pending"),
            },
        )


def read_json(path: Path) -> Any:
    """A small JSON file that an agent may have written, or None where it is missing, large or broken."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= _SMALL:
            return json.loads(path.read_text())
    return None


def _real_folder(path: Path) -> Path:
    """``path`` as a folder, whatever an agent has made of it: removed it, or put a link to elsewhere there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    path.mkdir(exist_ok=True)
    return path


def _context(agent: Agent, output: Mapping[str, Any]) -> str:
    lines = [f"# {agent.name}", "", str(output.get("summary", "")), ""]
    for key, title in (("next_steps", "Next steps"), ("warnings", "Warnings")):
        entries = output.get(key)
        if isinstance(entries, list) and entries:
            lines += [f"## {title}", "", *(f"- {entry}" for entry in entries), ""]
    return "\n".join(lines)


def pointer(agent: Agent) -> str:
    """What an agent is told about the others' work: where it is, not what it says (fewer than 100 tokens)."""
    reads = ", ".join(agent.needs) or "none"
    return (
        f"<task>\n  <agent>{agent.name}</agent>\n  <manifest>{TASK_FOLDER}/manifest.json</manifest>\n"
        f"  <read_from>{reads}</read_from>\n  <write_to>{TASK_FOLDER}/{agent.name}/output.json</write_to>\n</task>\n"
    )


def prompt(task: Task, agent: Agent) -> str:
    """The whole of what an agent is asked: its role, the task, and the pointer."""
    return f"{agent.prompt.strip()}\n\n# Task: {task.title}\n\n{task.body.strip()}\n\n{pointer(agent)}"
