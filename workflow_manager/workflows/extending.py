"""A workflow over the one that it extends: one value, in which every mistake still has a place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.config.document import Document, Path, nearest, suggestion

_NAMED_LISTS = ("phases", "agents")  # merged by their entries' names; every other list replaces the base's
_WORK = {"run", "prompt", "script"}  # an agent needs one of these to do something
_EXCLUSIVE = {"run": "prompt", "prompt": "run"}  # an agent has one of these: the file's own wins


@dataclass(slots=True)
class Layered:
    """What ``document`` says over what its base says. ``places``: what of ``value`` the document says, and where."""

    document: Document
    value: Any
    places: Mapping[Path, Path] = field(default_factory=lambda: {(): ()})
    extends: bool = False
    unsound: bool = False  # the base's own mistakes are told there
    baseless: bool = False  # what it extends cannot be read
    inherited: frozenset[str] = frozenset()  # agents of the base

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Report a mistake in the document where the document says it, otherwise where it names its base."""
        if (place := self._place(path)) is not None:
            self.document.problem(place, message, hint, at_key=at_key)
        elif not self.unsound:
            self.document.problem(("extends",), message, hint)

    def unknown_key(self, path: Path, valid: Iterable[str], what: str) -> None:
        self.problem(path, f"unknown {what} {str(path[-1])!r}", suggestion(str(path[-1]), valid), at_key=True)

    def _place(self, path: Path) -> Path | None:
        if not self.extends:
            return path
        for length in range(len(path), -1, -1):
            if (place := self.places.get(path[:length])) is not None:
                rest = path[length:]
                return (*place, *rest) if not rest or not _leads(self.value, path[: length + 1]) else None
        return None


def _leads(value: Any, path: Path) -> bool:
    """Whether there is something at ``path``."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def layered(document: Document, own: dict[str, Any], base: Layered | None) -> Layered:
    """``own``, which is what ``document`` says with its prompts read in, over its base.

    Mappings merge by key, phases and their agents by name; a new one comes after the entry that it follows in
    the document, or at the end. A workflow's name and its base are its own.
    """
    if base is None or not isinstance(base.value, dict):
        return Layered(document, own, baseless=True)
    below = {key: value for key, value in base.value.items() if key not in ("name", "extends", "version")}
    places: dict[Path, Path] = {}
    merged = _merged(below, own, (), (), places)
    unsound = base.unsound or bool(base.document.problems)
    inherited = frozenset(name for _, agent in agents_of(below) if (name := _name(agent)))
    layer = Layered(document, merged, places, True, unsound, base.baseless, inherited)
    _refuse_idle(layer)
    return layer


def _refuse_idle(layer: Layered) -> None:
    """An agent that its base has under a similar name only, and that has nothing to do, is a misspelt override."""
    for path, agent in agents_of(layer.value):
        name = _name(agent)
        if not name or name in layer.inherited or _WORK & agent.keys():
            continue
        if nearest(name, layer.inherited):
            hint = suggestion(name, layer.inherited)
            layer.problem((*path, "name"), f"{name} is new, and has neither `run` nor `prompt`", hint)


def agents_of(workflow: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every agent of a workflow's data that is a mapping, with its path."""
    phases = workflow.get("phases") if isinstance(workflow, dict) else None
    for i, phase in enumerate(phases if isinstance(phases, list) else ()):
        agents = phase.get("agents") if isinstance(phase, dict) else None
        for j, agent in enumerate(agents if isinstance(agents, list) else ()):
            if isinstance(agent, dict):
                yield ("phases", i, "agents", j), agent


def _merged(base: Any, own: Any, path: Path, place: Path, places: dict[Path, Path]) -> Any:
    """``own``, which stands at ``place`` of its document and at ``path`` of the result, over ``base``."""
    places[path] = place
    if isinstance(base, dict) and isinstance(own, dict):
        result = {key: value for key, value in base.items() if _EXCLUSIVE.get(key) not in own or key in own}
        for key, value in own.items():
            result[key] = _merged(base.get(key), value, (*path, key), (*place, key), places)
        return result
    if isinstance(own, list):
        if path and path[-1] in _NAMED_LISTS and isinstance(base, list) and own:
            return _merged_by_name(base, own, path, place, places)
        return [_merged(None, item, (*path, i), (*place, i), places) for i, item in enumerate(own)]
    if isinstance(own, dict):
        return {k: _merged(None, v, (*path, k), (*place, k), places) for k, v in own.items()}
    return own


def _merged_by_name(
    base: list[Any], own: list[Any], path: Path, place: Path, places: dict[Path, Path]
) -> list[Any]:
    order: list[tuple[Any, int | None]] = [
        (item, None) for item in base
    ]  # the base's entry, the own one's index
    free = {_name(item) for item in base} - {None}  # not overridden yet: a name that comes twice is a mistake
    after = len(order)
    for index, item in enumerate(own):
        if (name := _name(item)) in free:
            free.discard(name)
            at = next(i for i, (below, _) in enumerate(order) if _name(below) == name)
            order[at] = (order[at][0], index)
        else:
            at = after
            order.insert(at, (None, index))
        after = at + 1
    return [
        below if index is None else _merged(below, own[index], (*path, i), (*place, index), places)
        for i, (below, index) in enumerate(order)
    ]


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None
