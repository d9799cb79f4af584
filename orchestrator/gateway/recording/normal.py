"""Requests without what differs from run to run, so that they can be compared with those of another run. Pure.

What a place is called can be put back (``Places.elsewhere``), so that answers of one run work in another one. What the
clock, the system and chance put into outputs cannot: it only does not count as a difference.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.model import RepositoryFacts

_UNCOMPARED = frozenset(
    {"cache_control", "metadata"}
)  # where caching ends, and who asks: no part of the question
_SHOWN = 60  # characters before and after the place where two texts begin to differ
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY_OF_MONTH = rf"(?:\d\d? {_MONTH}(?! +\d\d?\b)|{_MONTH} +\d\d?)"
_UNIT = r"(?:ns|us|µs|ms|s|secs?|seconds?|mins?|minutes?|m(?=\d))"
_CHANGING = tuple(
    (re.compile(pattern), placeholder)
    for pattern, placeholder in (
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b[0-9a-f]{32,128}\b", "<digest>"),
        (r"\b0x[0-9a-fA-F]{6,16}\b", "<address>"),
        (rf"\b{_DATE}(?:[T ]{_CLOCK}(?: ?(?:Z|[+-]\d\d:?\d\d))?)?", "<time>"),
        (
            rf"\b(?:{_DAY},? )?{_DAY_OF_MONTH}(?:,? \d{{4}})?(?: {_CLOCK})?(?: [A-Z]{{3,4}})?(?: \d{{4}})?\b",
            "<time>",
        ),
        (rf"(?<![\w:.]){_CLOCK}(?![\w:])", "<time>"),
        (rf"(?<![\w.])(?:\d+(?:\.\d+)?\s?{_UNIT})+(?!\w)", "<duration>"),
        (r"((?:127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]):)\d+", r"\1<port>"),
        (r"(?i)((?<!\w)\w{0,30}port\w{0,30}[ =:]{1,3})\d{4,5}\b", r"\1<port>"),
        (r"(?<=/)\d+(?=\.(?:sock|pid)\b)", "<pid>"),
        (r"(?i)((?<![a-z0-9])(?:pid|process)[ =:#]{1,3})\d+\b", r"\1<pid>"),
        (r"(/tmp/)(?:tmp[\w.]{4,}|pytest-of-[\w.-]+/pytest-\d+)", r"\1<name>"),
    )
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run is: its id, and folders by what they are (``repository``, ``worktrees``, ``home`` …)."""

    run: str
    folders: Mapping[str, str]

    def named(self, text: str) -> str:
        """``text`` with names in place of this run's id and folders."""
        return self._replacing({value: name for name, value in self._values().items()})(text)

    def elsewhere(self, other: Places) -> Callable[[str], str]:
        """What translates texts of this run into those of ``other``."""
        there = other._values()
        return self._replacing({v: there[name] for name, v in self._values().items() if name in there})

    def _values(self) -> dict[str, str]:
        """By their names. Programs call folders of their own after others, without the slashes."""
        values = {"<run>": self.run}
        for name, folder in self.folders.items():
            values[f"<{name}>"] = folder
            values[f"<{name}-as-a-name>"] = re.sub(r"[^A-Za-z0-9]", "-", folder)
        return {name: value for name, value in values.items() if len(value) > 1}

    def _replacing(self, texts: Mapping[str, str]) -> Callable[[str], str]:
        """The longest first, because a folder may lie in another one; not where a longer name begins the same."""
        longest = sorted(texts, key=lambda text: (-len(text), text))
        alternatives = (re.escape(text) + (r"(?![\w-])" if text[0] == "/" else "") for text in longest)
        pattern = re.compile("|".join(alternatives) or r"(?!)")
        return lambda text: pattern.sub(lambda found: texts[found[0]], text)


def places(run: str, facts: RepositoryFacts, home: str) -> Places:
    """Those that outputs of agents name."""
    folders = {
        "repository": facts.checkout,
        "git": facts.git_dir,
        "worktrees": facts.worktrees,
        "run-folder": facts.run_dir,
        "home": home,
    }
    return Places(run, {name: folder for name, folder in folders.items() if folder})


def steady(text: str) -> str:
    """``text`` without times, durations, addresses, ports, process ids and names made by chance."""
    for pattern, placeholder in _CHANGING:
        text = pattern.sub(placeholder, text)
    return text


def comparable(body: bytes, rewrite: Callable[[str], str]) -> Any:
    """A request's body as data with every text rewritten; plain text where it is not JSON."""
    text = body.decode(errors="replace")
    try:
        return rewritten(json.loads(text), rewrite, without=_UNCOMPARED)
    except (ValueError, RecursionError):
        return rewrite(text)


def rewritten(value: Any, rewrite: Callable[[str], str], *, without: frozenset[str] = frozenset()) -> Any:
    """Data with every text in it rewritten, and the fields of some names left out."""
    match value:
        case str():
            return rewrite(value)
        case list():
            return [rewritten(inner, rewrite, without=without) for inner in value]
        case dict():
            return {
                rewrite(key): rewritten(inner, rewrite, without=without)
                for key, inner in value.items()
                if key not in without
            }
        case _:
            return value


def digest(*parts: Any) -> str:
    """Of data that JSON can express."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place at which two requests differ, and what stands there."""

    path: str  # messages[2].content[0].text
    recorded: str
    asked: str

    def __str__(self) -> str:
        return f"at {self.path or 'its beginning'}: recorded {self.recorded}, asked {self.asked}"


def difference(recorded: Any, asked: Any, path: str = "") -> Difference | None:
    """None where the two are the same."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for key in sorted(recorded.keys() | asked.keys()):
            inner = f"{path}.{key}" if path else key
            if found := _entry(recorded, asked, key, inner):
                return found
        return None
    if isinstance(recorded, list) and isinstance(asked, list):
        for index in range(min(len(recorded), len(asked))):
            if found := difference(recorded[index], asked[index], f"{path}[{index}]"):
                return found
        if len(recorded) != len(asked):
            return Difference(path, f"{len(recorded)} entries", f"{len(asked)} entries")
        return None
    if type(recorded) is type(asked) and recorded == asked:
        return None
    return Difference(path, *_around(recorded, asked))


def _entry(recorded: Mapping[str, Any], asked: Mapping[str, Any], key: str, path: str) -> Difference | None:
    if key not in recorded:
        return Difference(path, "nothing", _short(asked[key]))
    if key not in asked:
        return Difference(path, _short(recorded[key]), "nothing")
    return difference(recorded[key], asked[key], path)


def _around(recorded: Any, asked: Any) -> tuple[str, str]:
    """Both as they are shown: of long texts only the surroundings of the place where they part."""
    if not (isinstance(recorded, str) and isinstance(asked, str)):
        return _short(recorded), _short(asked)
    pairs = enumerate(zip(recorded, asked, strict=False))
    at = next((n for n, (old, new) in pairs if old != new), min(len(recorded), len(asked)))
    return _cut(recorded, at), _cut(asked, at)


def _cut(text: str, at: int) -> str:
    start, end = max(0, at - _SHOWN), at + _SHOWN
    shown = json.dumps(text[start:end], ensure_ascii=False)
    return f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "…"
