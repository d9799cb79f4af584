"""What a scripted agent without steps does: it leaves exactly what it declares, and nothing else.

Its files are named after the agent and the task, so that the tasks of a batch do not collide; they are never
written over, outside the worktree or through a link.
"""

from __future__ import annotations

from shared.globs import matches
from shared.model import ChangeType
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.plans.asked import asked_for
from workflow_manager.selection import declared_change

# A change of the kind that the task says it is, or the selection after it would be another one.
_CHANGES = {
    ChangeType.DOCUMENTATION: "scripted/{}.md",
    ChangeType.TYPO: "scripted/{}.txt",
    ChangeType.CONFIGURATION: "scripted/{}.toml",
    ChangeType.TESTS: "tests/scripted/{}.txt",
    ChangeType.FULL: "scripted/{}.txt",
}
_COMMANDS = ("true",)


def leave(call: AgentCall) -> AgentReport:
    """Leave what ``call.agent`` declares. Raises OSError or ValueError for a file that cannot be made."""
    agent = call.agent
    decisions = {key: f"{key} as {agent.name} sees it" for key in agent.outputs.decisions}
    verdict = agent.evidence.verdict or ("approve" if agent.outputs.verdict else "")
    plan = dict.fromkeys(sorted(asked_for(agent, call.task.workflow)), _COMMANDS)
    did = {"left": _files(call), "decided": decisions, "planned": plan, "said": [verdict] if verdict else []}
    told = "; ".join(f"{verb} {', '.join(what)}" for verb, what in did.items() if what)
    summary = told or "left nothing: it declares nothing"
    return AgentReport(True, summary, decisions=decisions, verdict=verdict, plan=plan)


def _files(call: AgentCall) -> list[str]:
    """Make the files; returns those that are new or changed."""
    agent = call.agent
    names = [name_for(pattern, _own(call)) for pattern in (*agent.outputs.files, *agent.evidence.files)]
    made = [name for name in dict.fromkeys(names) if _make(call, name)]
    if agent.outputs.change:
        made.append(_changed(call))
        _make(call, made[-1], again=True)
    return made


def name_for(pattern: str, own: str) -> str:
    """A path that ``pattern`` matches, made with ``own``; without wildcards the pattern itself."""
    parts = pattern.strip("/").split("/")
    named = [_filled(part, own) for part in parts if part != "**"]
    if parts[-1] == "**":
        named.append(f"{own}.md")
    name = "/".join(named)
    if not matches(pattern, name):
        raise ValueError(f"no name for {pattern} could be made up")
    return name


def _own(call: AgentCall) -> str:
    return f"{call.agent.name.lower().replace('/', '-')}-{call.task.id}"


def _filled(part: str, own: str) -> str:
    """A pattern's component with its first star replaced by a name and no other wildcard left."""
    before, star, after = part.replace("?", "x").partition("*")
    after = after.replace("*", "")
    if not star:
        return before
    return f"{before}{'-' if before[-1:].isalnum() else ''}{own}{'-' if after[:1].isalnum() else ''}{after}"


def _changed(call: AgentCall) -> str:
    """Where the agent leaves its change: in the first place it may write, or in a folder for this."""
    if call.agent.writes:
        place = call.agent.writes[0]
        a_file = any(mark in place.rpartition("/")[2] for mark in "*?.")
        return name_for(place if a_file else f"{place}/**", _own(call))
    kind, _ = declared_change(call.task)
    return _CHANGES[kind].format(_own(call))


def _make(call: AgentCall, name: str, *, again: bool = False) -> bool:
    """Make the file ``name``. Where there is one already, add to it (``again``) or return False."""
    root = call.worktree.resolve()
    path = root / name
    if path.parent.resolve() != path.parent or path.is_symlink():
        raise ValueError(f"{name} leads out of the worktree or through a link")
    if path.exists() and not again:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(_text(call))
    return True


def _text(call: AgentCall) -> str:
    """A heading in Markdown and a comment in most languages. A typo's is one line: more would be no typo."""
    heading = f"# {call.agent.name}: {' '.join(call.task.title.split())}\n"
    if declared_change(call.task)[0] is ChangeType.TYPO:
        return heading
    return f"{heading}#\n# Left by the scripted backend for the task {call.task.id}.\n"
