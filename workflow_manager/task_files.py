"""``.tasks/`` in a worktree: what agents of a task tell each other, readable while the task runs.

``task.md``, ``items.json`` where the task's text is a list, ``manifest.json``, and one folder an agent with ``note.md``
(what it likely needs), ``output.json``, ``decisions.json``, ``artifacts.json`` and ``context.md``. One writer a file,
replaced atomically; never committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.clock import timestamp
from shared.git.changes import TASK_FOLDER
from shared.model import Agent, Task, Workflow
from shared.text import first_sentence
from workflow_manager import insisting
from workflow_manager.backends.port import AgentReport
from workflow_manager.task_list import parse, to_data
from workflow_manager.untrusted import Identity, identity, read_json, read_mapping

OWN_FILES = ("output.json", "decisions.json", "artifacts.json", "context.md")
LAYERS = "layers"  # the decision that names the layers a task needs
_LISTED = ("completed", "in_progress", "pending")
_line = json.JSONEncoder(ensure_ascii=False).encode


class TaskFiles:
    """The manifest's only writer is the manager's main thread, which alone calls this."""

    def __init__(self, worktree: Path, session: str, task: Task, workflow: Workflow, now: float) -> None:
        self._root = worktree
        self.folder = worktree / TASK_FOLDER
        self._entries: dict[str, dict[str, Any]] = {}
        self._failures: dict[str, str] = {}
        self._decisions: dict[str, tuple[Identity, dict[str, tuple[str, ...]]]] = {}
        self._kept: dict[str, tuple[str, Identity | None]] = {}
        for agent in workflow.agents:
            self._entries[agent.name] = {"status": "pending"}
            if agent.needs:
                self._entries[agent.name]["dependencies"] = list(agent.needs)
        self._lines = {name: _line(entry) for name, entry in self._entries.items()}
        self._head = {
            "session_id": session,
            "workflow": workflow.name.upper().replace("-", "_"),
            "project_idea": task.title,  # its text is in task.md
            "created_at": timestamp(now),
        }
        self.unwritten = True  # whether the manifest on disk is behind
        self.flush()
        self.keep("task.md", task_text(task))
        if items := parse(task.body):
            self.keep("items.json", _json(to_data(items)))

    # --- the manifest

    def started(self, name: str, now: float) -> None:
        """``name`` starts; what an earlier try left is put aside, so that nobody takes it for this one's."""
        if "/" not in name:
            insisting.put_aside(self._root, self.agent_folder(name), OWN_FILES)
        self._entry(name).update(status="in_progress", started_at=timestamp(now))
        self._changed(name)
        self.flush()

    def skipped(self, name: str, reason: str) -> None:
        self._entry(name).update(status="skipped", reason=reason)
        self._changed(name)

    def refused(self, name: str, reason: str) -> None:
        """``name`` may not even start: what it would read passes a budget."""
        self._entry(name).update(status="failed", reason=reason)
        self._changed(name)

    def done_before(self, name: str) -> None:
        """An agent whose phase an earlier attempt has committed."""
        if self._entry(name)["status"] == "pending":
            self._entry(name)["status"] = "completed"
            self._changed(name)

    def ended(self, agent: Agent, report: AgentReport, now: float) -> None:
        """Record a result; what an agent wrote to its own files wins over what we can tell."""
        entry = self._entry(agent.name)
        entry.update(
            status="completed" if report.ok else "failed",
            completed_at=timestamp(now),
            tokens_used=report.tokens.input + report.tokens.output,
        )
        if "/" not in agent.name:
            self._failures[agent.name] = "" if report.ok else report.reason
            self._leave(agent, report)
            entry["output_path"] = f"{TASK_FOLDER}/{agent.name}/output.json"
        self._changed(agent.name)

    def status(self, name: str) -> str:
        """``pending``, ``in_progress``, ``completed``, ``failed`` or ``skipped``."""
        return str(self._entries.get(name, {}).get("status", "pending"))

    def failure(self, name: str) -> str:
        """Why the last try of an agent failed, or an empty string."""
        return self._failures.get(name, "")

    def _entry(self, name: str) -> dict[str, Any]:
        """What the manifest says of an agent; of one that another asked for, below that one."""
        parent, _, child = name.partition("/")
        entry = self._entries.setdefault(parent, {"status": "pending"})
        if not child:
            return entry
        found: dict[str, Any] = entry.setdefault("sub_agents", {}).setdefault(child, {"status": "pending"})
        return found

    def _changed(self, name: str) -> None:
        parent = name.partition("/")[0]
        self._lines[parent] = _line(self._entries[parent])
        self.unwritten = True

    def flush(self) -> None:
        """Write the manifest, a line an agent: quick to write, and short to read for an agent.

        Done before an agent starts and when nothing else is to be done: each end of an agent, and each of thirty
        agents that are skipped at once, would otherwise replace a file that nobody has read meanwhile.
        """
        if not self.unwritten:
            return
        head = [f"  {_line(key)}: {_line(value)}" for key, value in self._head.items()]
        tasks = ",\n".join(f"    {_line(name)}: {line}" for name, line in self._lines.items())
        lists = [f"  {_line(key)}: {_line(self._having(key))}" for key in _LISTED]
        self._own_folder()
        text = ",\n".join([*head, f'  "tasks": {{\n{tasks}\n  }}', *lists])
        self._replace(self.folder / "manifest.json", f"{{\n{text}\n}}\n")
        self.unwritten = False

    def _having(self, status: str) -> list[str]:
        return [name for name, entry in self._entries.items() if entry["status"] == status]

    # --- what agents leave

    def agent_folder(self, name: str) -> Path:
        """The folder of an agent; one that another asked for writes to that one's."""
        self._own_folder()
        return insisting.folder(self._root, self.folder / name.partition("/")[0])

    def artifacts(self, name: str, paths: Sequence[str]) -> None:
        """Record the paths an agent changed, once its phase is committed, unless it listed them itself."""
        listed = self.agent_folder(name) / "artifacts.json"
        if "/" not in name and not isinstance(read_json(listed), list):
            self._replace(listed, _json(list(paths)))

    def own_summary(self, name: str) -> str:
        """The summary an agent wrote to its output file, or an empty string."""
        summary = self._output(name).get("summary")
        return first_sentence(summary, 200) if isinstance(summary, str) else ""

    def verdict(self, name: str) -> str:
        """``approve`` or ``request-changes``, as an agent's output file says, or an empty string."""
        verdict = self._output(name).get("verdict")
        return verdict if verdict in ("approve", "request-changes") else ""

    def decisions(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """What an agent decided, by key; a decision is one text or several."""
        path = self.folder / name / "decisions.json"
        now = identity(path)
        if now is None:
            return {}
        if name not in self._decisions or self._decisions[name][0] != now:
            found = {key: _texts(value) for key, value in read_mapping(path).items()}
            self._decisions[name] = now, {key: texts for key, texts in found.items() if texts}
        return self._decisions[name][1]

    def layers(self) -> tuple[str, ...] | None:
        """The layers that completed agents decided on, together; None where nobody decided."""
        decided: dict[str, None] = {}
        for name in self._having("completed"):
            for text in self.decisions(name).get(LAYERS, ()):
                decided.update(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
        return tuple(decided) or None

    def _output(self, name: str) -> dict[str, Any]:
        return {} if "/" in name else read_mapping(self.folder / name / "output.json")

    # --- files of our own

    def keep(self, name: str, text: str) -> None:
        """Write ``.tasks/<name>`` unless it is there as we wrote it: an agent may have changed or removed it."""
        path = self.folder / name
        if self._kept.get(name) == (text, identity(path)):
            return
        self._own_folder()
        self._replace(path, text)
        self._kept[name] = text, identity(path)

    def _own_folder(self) -> None:
        hiding = self.folder / ".gitignore"  # the folder, itself included, from any git
        if identity(insisting.folder(self._root, self.folder) / hiding.name) is None:
            self._replace(hiding, "*\n")

    def _replace(self, path: Path, text: str) -> None:
        insisting.replace(self._root, path, text)

    def _leave(self, agent: Agent, report: AgentReport) -> None:
        """Complete an agent's own files by what its backend reports."""
        folder = self.agent_folder(agent.name)
        output = {**_reported(report), **read_mapping(folder / "output.json")}
        self._replace(folder / "output.json", _json(output))
        if identity(folder / "context.md") is None:
            self._replace(folder / "context.md", _context(agent, output))
        if report.decisions and identity(folder / "decisions.json") is None:
            self._replace(folder / "decisions.json", _json(dict(report.decisions)))


def task_text(task: Task) -> str:
    """The content of ``task.md``."""
    body = task.body.strip()
    return f"# {task.title}\n" + (f"\n{body}\n" if body else "")


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _reported(report: AgentReport) -> dict[str, Any]:
    output: dict[str, Any] = {
        "summary": report.summary,
        "next_steps": list(report.next_steps),
        "warnings": list(report.warnings),
    }
    if report.verdict:
        output["verdict"] = report.verdict
    for part in ("commands", "checks"):
        if part in report.plan:
            output[part] = list(report.plan[part])
    if "fallbacks" in report.plan:
        pairs = (entry.partition(" => ") for entry in report.plan["fallbacks"])
        output["fallbacks"] = {command.strip(): fallback.strip() for command, _, fallback in pairs}
    return output


def _texts(value: Any) -> tuple[str, ...]:
    """A decision: a text, or a list of texts; a number or a truth value as JSON has it."""
    if isinstance(value, list):
        return tuple(text for item in value for text in _texts(item) if not isinstance(item, list))
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    return () if value is None or isinstance(value, dict) else (json.dumps(value),)


def _context(agent: Agent, output: Mapping[str, Any]) -> str:
    lines = [f"# {agent.name}", "", str(output.get("summary", "")), ""]
    for key, title in (("next_steps", "Next steps"), ("warnings", "Warnings")):
        entries = output.get(key)
        if isinstance(entries, list) and entries:
            lines += [f"## {title}", "", *(f"- {entry}" for entry in entries), ""]
    return "\n".join(lines)
