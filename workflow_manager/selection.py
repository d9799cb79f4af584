"""Which agents a task needs: by the kind of change, by layers, labels and paths. Pure.

The kind of change is what the task declares until its work is done; then it is what the diff shows. A diff
that does not fit the declaration makes it a full change at any time, so that a mistaken or dishonest
declaration never saves anybody a review.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.globs import first_overlap, matches_any
from shared.model import AgentName, ChangeType, Task, When, Workflow

TYPO_LINES = 3  # a change of fewer lines is a typo (seed 001)

_DOCUMENTATION = ("**/*.md", "**/*.rst", "**/*.adoc")
_TESTS = (
    "test",
    "tests",
    "**/test_*.py",
    "**/*_test.*",
    "**/*.test.*",
    "**/*.spec.*",
    "**/conftest.py",
    "**/tests",
    "**/__tests__",
)
_CONFIGURATION = tuple(
    f"**/*.{suffix}" for suffix in ("json", "yaml", "yml", "toml", "ini", "cfg", "conf", "properties")
)
_KINDS = (
    (ChangeType.DOCUMENTATION, _DOCUMENTATION),
    (ChangeType.TESTS, _TESTS),
    (ChangeType.CONFIGURATION, _CONFIGURATION),
)
_LABELS = {
    "documentation": ChangeType.DOCUMENTATION,
    "docs": ChangeType.DOCUMENTATION,
    "typo": ChangeType.TYPO,
    "configuration": ChangeType.CONFIGURATION,
    "config": ChangeType.CONFIGURATION,
    "tests": ChangeType.TESTS,
    "test": ChangeType.TESTS,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are held against, each with where it is known from."""

    change: ChangeType
    change_from: str
    layers: frozenset[str] = frozenset()
    layers_from: str = ""


def declared_change(task: Task) -> tuple[ChangeType, str]:
    """The kind of change by the task's own word, its labels, or what it says it touches."""
    if task.change is not None:
        return task.change, "declared by the task"
    for label in task.labels:
        if kind := _LABELS.get(label.lower()):
            return kind, f"labelled {label}"
    if task.touches:
        for kind, patterns in _KINDS:
            if all(_lies_in(pattern, patterns) for pattern in task.touches):
                return kind, f"it touches {', '.join(task.touches[:3])} only"
    return ChangeType.FULL, "nothing says otherwise"


def _lies_in(pattern: str, kinds: tuple[str, ...]) -> bool:
    """Whether everything ``pattern`` matches is of these kinds: told by its own text, stars included."""
    return matches_any(kinds, pattern.replace("**", "x").replace("*", "x"))


def change_of(lines: Mapping[str, int]) -> ChangeType:
    """The kind of a diff, given as changed lines a path."""
    for kind, patterns in _KINDS:
        if all(matches_any(patterns, path) for path in lines):
            return kind
    return ChangeType.TYPO if sum(lines.values()) < TYPO_LINES else ChangeType.FULL


def change_now(task: Task, lines: Mapping[str, int], *, complete: bool) -> tuple[ChangeType, str]:
    """The kind of change as it is to be treated now; ``complete`` where the work itself is done."""
    declared, why = declared_change(task)
    if not lines:
        return declared, why
    found = change_of(lines)
    if complete:
        return found, f"by its diff of {_count(lines)}"
    if declared is not ChangeType.FULL and not _fits(declared, found, lines):
        return ChangeType.FULL, f"its diff of {_count(lines)} is more than the {declared} it was declared as"
    return declared, why


def _fits(declared: ChangeType, found: ChangeType, lines: Mapping[str, int]) -> bool:
    if declared is ChangeType.TYPO:
        return sum(lines.values()) < TYPO_LINES
    return found is declared


def _count(lines: Mapping[str, int]) -> str:
    files, changed = len(lines), sum(lines.values())
    return f"{changed} line{'s' if changed != 1 else ''} in {files} file{'s' if files != 1 else ''}"


def needed_layers(
    workflow: Workflow, task: Task, decided: Iterable[str] | None
) -> tuple[frozenset[str], str]:
    """The layers of ``workflow`` that the task needs: decided by an agent, called for by its words, or the default."""
    known = {layer.name for layer in workflow.layers}
    chosen = frozenset(decided or ()) & known
    if chosen:
        return chosen, "an agent decided them"
    text = f"{task.title}\n{task.body}\n{' '.join(task.labels)}".lower()
    words = set(re.findall(r"[a-z0-9+#.-]+", text))
    called = frozenset(
        layer.name for layer in workflow.layers if any(_says(word, text, words) for word in layer.words)
    )
    if called:
        return called, "the task's words"
    default = frozenset(layer.name for layer in workflow.layers if layer.default)
    return default, "the task calls for none, so the default"


def _says(word: str, text: str, words: set[str]) -> bool:
    """A single word is looked for whole, with a plural; several words as they stand."""
    word = word.lower()
    if " " in word:
        return word in text
    return bool({word, f"{word}s", f"{word}.", f"{word}s."} & words)


def unwanted(when: When, task: Task, facts: Facts | None) -> str:
    """Why an agent with this condition does not run, or an empty string. ``facts`` None: not known yet."""
    if when.labels and not set(when.labels) & set(task.labels):
        return f"the task has none of the labels {', '.join(when.labels)}"
    if when.paths and task.touches and first_overlap(when.paths, task.touches) is None:
        return f"the task touches nothing in {', '.join(when.paths)}"
    if facts is None:
        return ""
    if when.changes and facts.change not in when.changes:
        return f"not needed for a {facts.change} change ({facts.change_from})"
    if when.layers and not set(when.layers) & facts.layers:
        needed = ", ".join(sorted(facts.layers)) or "none"
        return f"the layer {' or '.join(when.layers)} is not needed; needed: {needed} ({facts.layers_from})"
    return ""


def foreseen(task: Task) -> tuple[Facts, dict[AgentName, str]]:
    """What is known of a task before it runs, and the agents that it needs none of by that, with the reasons.

    The run looks again: an agent may decide the layers, and the diff may be of another kind.
    """
    facts = Facts(*declared_change(task), *needed_layers(task.workflow, task, None))
    reasons = {agent.name: unwanted(agent.when, task, facts) for agent in task.workflow.agents}
    return facts, {name: reason for name, reason in reasons.items() if reason}


def looks(when: When) -> bool:
    """Whether the condition depends on facts that only the run shows."""
    return bool(when.changes or when.layers)
