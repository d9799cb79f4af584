"""What an agent left is looked at before it is committed. Pure: facts in, refusals out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile

from shared.globs import matches_any
from shared.model import Agent, Allowance, Task
from shared.secret_kinds import suspects
from shared.secrets import known
from shared.text import printable

_BINARY_BEGINNING = 8000  # bytes in which a zero tells, as for git, that a file is no text
_LOOKED_AT = 16 * 1024 * 1024  # bytes of a file that are searched for what looks like a secret

# A name covers what is below it, and itself where it is a link. Compared in lower case: on some file systems,
# and so to whoever checks the branch out there, case is nothing.
_PROTECTED: tuple[tuple[Allowance, str, tuple[str, ...]], ...] = (
    (
        "workflows",
        "it is a workflow that runs with the repository's rights",
        (".github/workflows", ".github/actions"),
    ),
    (
        "agent-config",
        "it configures coding agents",
        (
            "**/claude.md",
            "**/agents.md",
            "**/gemini.md",
            "**/.claude",
            "**/.codex",
            "**/.cursor",
            "**/.mcp.json",
            "**/claude.local.md",
            "**/.gemini",
            "**/.aider*",
            "**/opencode.json",
            "**/opencode.jsonc",
            "**/.opencode",
            "**/.cursorrules",
            "**/.windsurfrules",
            "**/.vscode/mcp.json",
            ".github/copilot-instructions.md",
        ),
    ),
    ("spinney", "its commands run with the rights of whoever starts Spinney", ("spinney.yaml",)),
    ("git-attributes", "it changes how git treats files", ("**/.gitattributes", "**/.gitmodules")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A changed path as it lies in the worktree. ``link`` is a symbolic link's target; ``size`` is in bytes."""

    path: str
    gone: bool = False
    size: int = 0
    link: str | None = None
    repository: bool = False  # a folder with a repository of its own


def refusals(task: Task, found: Iterable[Found], max_file_size: int) -> list[str]:
    """A sentence for each change that may not be committed, with what would allow it."""
    refused = []
    for item in found:
        reason = _refusal(task.allow, item, max_file_size)
        if reason:
            refused.append(reason)
    return refused


def _refusal(allow: tuple[Allowance, ...], item: Found, max_file_size: int) -> str:
    if item.repository:
        return f"{item.path}: a repository inside the worktree cannot be committed; remove its .git"
    if any(_is_git(part) for part in item.path.split("/")):
        return f"{item.path}: a path may not contain .git"
    if not encodable(item.path):
        return f"{printable(ascii(item.path))}: its name is not valid UTF-8; rename it"
    for allowance, why, patterns in _PROTECTED:
        if allowance not in allow and matches_any(patterns, item.path.lower()):
            return f"{item.path}: {why}; `allow: [{allowance}]` permits it"
    if item.gone:
        return ""
    if item.link is not None and "symlinks" not in allow and _leaves(item.path, item.link):
        return f"{item.path}: a link to {item.link!r} leaves the repository; `allow: [symlinks]` permits it"
    if item.size > max_file_size and "large-files" not in allow:
        over = f"{item.size} bytes are over the limit of {max_file_size}"
        return f"{item.path}: {over}; `allow: [large-files]` permits it"
    return ""


def leak(task: Task, secrets: Sequence[str], path: str, new: bytes, old: bytes) -> str:
    """A sentence where ``path``, which held ``old`` and now holds ``new``, gives a secret away; never the secret.

    ``secrets`` are digests of this run's own, which nothing permits to be committed, in whatever kind of file.
    """
    if secrets and (known(path, secrets) or (known(new, secrets) and not known(old, secrets))):
        return f"{_hidden(path, secrets)}{_line_with(new, secrets)}: it holds a secret of this run"
    if "secrets" in task.allow or b"\0" in new[:_BINARY_BEGINNING]:
        return ""
    text, numbers = _added(_text(new), _text(old))
    found = [(numbers[text.count("\n", 0, suspect.place)], suspect.kind) for suspect in suspects(text)]
    if not found:
        return ""
    line, kind = min(found)
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{path}:{line}: it looks like {kind}{more}; `allow: [secrets]` permits it"


def _hidden(path: str, secrets: Sequence[str]) -> str:
    return "the name of a file" if known(path, secrets) else path


def _line_with(content: bytes, secrets: Sequence[str]) -> str:
    """Where in a text a secret stands on one line."""
    lines = enumerate(content.split(b"\n"), 1)
    return next((f":{number}" for number, line in lines if known(line, secrets)), "")


def _text(content: bytes) -> str:
    return content[:_LOOKED_AT].decode(errors="replace")


def _added(new: str, old: str) -> tuple[str, list[int]]:
    """The lines of ``new`` that ``old`` does not have anywhere, and the number of each."""
    before = set(old.split("\n")) if old else set()
    lines = [(n, line) for n, line in enumerate(new.split("\n"), 1) if line not in before]
    return "\n".join(line for _, line in lines), [n for n, _ in lines]


def encodable(path: str) -> bool:
    """Whether libgit2's Python binding can put ``path`` into a tree: names must be UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_git(part: str) -> bool:
    """Whether some file system takes ``part`` for ``.git``: case, ignored characters, short names."""
    return printable(part).rstrip(". ").lower() in (".git", "git~1")


def _leaves(path: str, target: str) -> bool:
    steps = [step for step in target.split("/") if step not in ("", ".")]
    down = list(dropwhile(lambda step: step == "..", steps))
    if target.startswith("/") or ".." in down:
        return True  # up again after going down: where that leads depends on the links it passes
    landed = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return landed == ".." or landed.startswith("../") or _is_git(landed.partition("/")[0])


def outside_writes(agents: Iterable[Agent], paths: Iterable[str]) -> tuple[str, ...]:
    """Paths that none of the agents that ran said it would write."""
    allowed: list[str] = []
    for agent in agents:
        if agent.writes is None:
            return ()
        allowed.extend(agent.writes)
    return tuple(path for path in paths if not matches_any(allowed, path))
