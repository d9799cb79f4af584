"""Finding one's way: listing, matching names, searching contents, and reading what other agents left."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence

from pydantic import Field

from shared import process
from shared.containment import contained
from shared.globs import matches
from workflow_manager import beneath
from workflow_manager.backends.anthropic.bounds import Gathered, bounded, readable
from workflow_manager.backends.anthropic.places import TASK_FOLDER, Places
from workflow_manager.backends.anthropic.tool import Input, Tool, ToolError
from workflow_manager.backends.port import AgentCall
from workflow_manager.untrusted import read_small

_MOST = 1000  # names in one result
_LOOKED_AT = 200_000  # names that a pattern is held against
_SEARCH_SECONDS = 60.0
_LINE = 400  # characters of a line that was found
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_FILES = (
    "output.json",
    "decisions.json",
    "artifacts.json",
    "context.md",
    "note.md",
    "task.md",
    "manifest.json",
)


class ListFiles(Input):
    path: str = Field(".", description="of a folder in the worktree")


class Glob(Input):
    pattern: str = Field(description="from the worktree's top; * within a name, ** across folders")


class Search(Input):
    pattern: str = Field(min_length=1, max_length=1000, description="an extended regular expression")
    path: str = Field(".", description="of a file or folder in the worktree")
    files: str = Field("", description="only in files whose name matches this, such as *.py")


class ReadContext(Input):
    agent: str = Field("", description="whose file; empty for task.md and manifest.json")
    file: str = Field(description=f"one of {', '.join(_FILES)}")


def lister(places: Places) -> Tool:
    def run(given: ListFiles) -> str:
        place = places.find(given.path)
        return _names(
            list(beneath.walk(place.root, place.parts, _MOST + 1, frozenset({".git", TASK_FOLDER})))
        )

    return Tool("list_files", "List everything below a folder; folders end in a slash.", ListFiles, run)


def globber(places: Places) -> Tool:
    def run(given: Glob) -> str:
        found = []
        for name in beneath.walk(places.worktree, (), _LOOKED_AT, frozenset({".git", TASK_FOLDER})):
            if not name.endswith("/") and matches(given.pattern, name):
                found.append(name)
                if len(found) > _MOST:
                    break
        return _names(found)

    return Tool("glob", "List the files whose path matches a pattern.", Glob, run)


def _names(found: Sequence[str]) -> str:
    more = f"\n(only the first {_MOST:,})" if len(found) > _MOST else ""
    return bounded(readable("\n".join(found[:_MOST]))) + more if found else "nothing found"


def searcher(places: Places, call: AgentCall) -> Tool:
    """Runs in the sandbox: an expression that takes forever takes no more than its time."""

    def run(given: Search) -> str:
        place = places.find(given.path)
        if not beneath.is_folder(place.root, place.parts):
            beneath.read(place.root, place.parts, 0)  # raises where it is a link
        ripgrep = shutil.which("rg", path=_PROGRAMS) is not None
        argv = search_command(given, "/".join((".", *place.parts)), ripgrep=ripgrep)
        gathered = Gathered()
        end = process.stream(
            contained(call.containment, argv),
            cwd=place.root,
            env=call.environment,
            on_output=gathered.add,
            timeout=_SEARCH_SECONDS,
            cancel=call.cancel,
        )
        if end.ok:
            return _cut_lines(gathered.text)
        if end.reason is process.EndReason.EXITED and end.status == 1:
            return "nothing found"
        raise ToolError(f"{end}: {gathered.text[:1000]}")

    return Tool("search", "Search the contents of files for a regular expression.", Search, run)


def search_command(given: Search, path: str, *, ripgrep: bool) -> list[str]:
    """The program and its arguments."""
    if ripgrep:
        named = ["--glob", given.files] if given.files else []
        fixed = [
            "--line-number",
            "--no-heading",
            "--with-filename",
            "--color=never",
            "--hidden",
            "--no-config",
        ]
        return [
            "rg",
            *fixed,
            "--glob=!.git",
            f"--max-columns={_LINE}",
            *named,
            "-e",
            given.pattern,
            "--",
            path,
        ]
    named = [f"--include={given.files}"] if given.files else []
    return ["grep", "-rHnIE", "--exclude-dir=.git", *named, "-e", given.pattern, "--", path]


def _cut_lines(text: str) -> str:
    lines = (line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in text.split("\n"))
    return bounded("\n".join(lines))


def context_reader(call: AgentCall) -> Tool:
    tasks = call.output_folder.parent

    def run(given: ReadContext) -> str:
        if given.file not in _FILES:
            raise ToolError(f"there is no {given.file!r}; there are {', '.join(_FILES)}")
        if given.agent and not _AGENT.match(given.agent):
            raise ToolError(f"{given.agent!r} is no agent's name")
        data = read_small(tasks / given.agent / given.file if given.agent else tasks / given.file)
        if data is None:
            left = ", ".join(sorted(_agents(tasks))) or "none yet"
            raise ToolError(f"{given.agent or TASK_FOLDER} left no {given.file}; agents with files: {left}")
        return bounded(data.decode(errors="replace"))

    description = "Read what another agent of this task left, or the task itself."
    return Tool("read_context", description, ReadContext, run)


def _agents(tasks: os.PathLike[str]) -> list[str]:
    with os.scandir(tasks) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
