"""Shorter forms of what agents read, made without a model: what a text demands, offers and decides. Pure.

Every form is deterministic, never larger than the original in characters or tokens, and takes time in
proportion to the text, whatever an agent has put there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from shared.tokens import estimate

Kind = Literal["task", "events", "output", "decisions", "artifacts"]

_EVENTS = 10  # the last ones that are kept
_CODE_LINES = 2  # of a code fence that are kept
_LINE = 300  # characters of a sentence or a line
_ENTRY = 90  # characters of an entry of a list
_ENTRIES = 3  # of a list
_GIST = 200  # characters, about 60 tokens

_HEADING = re.compile(r"#{1,6} \S")
_ITEM = re.compile(r"\s{0,12}(?:[-*+]|\d{1,3}[.)]) +(?:\[[ xX]\] +)?\S")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_TABLE_RULE = re.compile(r"[\s:|-]*\Z")
_QUOTE = re.compile(r"(?:> ?){1,8}")
_SENTENCE = re.compile(r"(?<=[^\d\s][.!?;]) +")  # not after the number of a list item
_DEMAND = re.compile(
    r"\b(?:must|shall|should|do not|don't|avoid|never|always|only|required?|requires|cannot|can't|may not|needs? to"
    r"|at least|at most|no more than|no less than|(?:fewer|less|more|larger|smaller|faster) than|exactly|without"
    r"|instead of)\b"
    r"|\d ?(?:%|(?:ms|s|sec|seconds?|min|minutes?|h|hours?|days?|weeks?|[KMGT]i?B|bytes?|characters?|lines?|px"
    r"|tokens?|users?|requests?|times|entries|files?)\b)"
    r"|[<>≤≥] ?\d",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"\s{0,16}(?:(?:export|public|private|protected|static|async|abstract|final|pub|default|override) +){0,4}"
    r"(?:def|class|fn|func|function|interface|type|struct|enum|trait|message|service|rpc|impl|protocol|module) +\w"
    r"|\s{0,16}(?:create|alter) (?:table|view|index|type)\b"
    r"|\s{0,16}\w{1,60}\([^()\n]{0,200}\) ?(?:->|:|=>)",
    re.IGNORECASE,
)
_ENDPOINT = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|WS|SSE) +[`\"']?/\S")
_DECISION = re.compile(
    r"\b(?:decisions?|decided?|chosen|chose|choose|instead of|rather than|rejected|trade-?offs?|adr)\b",
    re.IGNORECASE,
)


def compress(text: str, kind: Kind) -> str:
    """The shorter form of ``text``; ``text`` itself where that form would not be shorter."""
    shorter = _FORMS[kind](text)
    smaller = len(shorter) < len(text) and estimate(shorter) < estimate(text)
    return shorter if smaller else text


def gist(text: str, kind: Kind) -> str:
    """The first lines of the shorter form, for a budget that nothing longer fits in; never larger than that."""
    shorter = compress(text, kind)
    kept, left = [], _GIST
    for line in shorter.splitlines():
        if left <= 0:
            break
        kept.append(_cut(line, left))
        left -= len(line) + 1
    cut = "\n".join(kept) + "\n"
    return cut if len(cut) < len(shorter) and estimate(cut) < estimate(shorter) else shorter


def key_requirements(text: str) -> str:
    """Of Markdown: the first sentence, headings, list items, table heads, and sentences that demand something."""
    first = next((line for line in text.splitlines() if line.strip() and not _HEADING.match(line)), "")
    opening = "" if _ITEM.match(first) or _FENCE.match(first) else _cut(next(_sentences(first), ""), _LINE)
    return _kept(text, lambda line, in_code: _demands(line, in_code, opening))


def interfaces(text: str) -> str:
    """Of a design: headings, signatures, endpoints, decisions and table heads."""
    return _kept(text, _offers)


def last_events(text: str) -> str:
    """The last ten lines."""
    lines = text.splitlines()
    return "\n".join(_cut(line, _LINE) for line in lines[-_EVENTS:]) + "\n"


def _demands(line: str, in_code: int, opening: str) -> str:
    if in_code:
        return _cut(line, _LINE) if in_code <= _CODE_LINES else ""
    if _HEADING.match(line) or (_ITEM.match(line) and len(line) <= _LINE):
        return _cut(line, _LINE)
    parts = [_cut(part, _LINE) for part in _sentences(line)]
    always = {opening, parts[0] if parts and _ITEM.match(line) else opening}
    return " ".join(part for part in parts if part in always or _DEMAND.search(part))


def _offers(line: str, in_code: int) -> str:
    if _SIGNATURE.match(line) or _ENDPOINT.search(line) or (not in_code and _HEADING.match(line)):
        return _cut(line, _LINE)
    if in_code:
        return ""
    return " ".join(_cut(part, _LINE) for part in _sentences(line) if _DECISION.search(part))


def _kept(text: str, choose: Callable[[str, int], str]) -> str:
    """The chosen parts of each line; ``choose`` gets a line and its number inside a code fence, or 0."""
    kept: list[str] = []
    before = fence = ""
    inside = dropped = 0
    for line in filter(None, text.splitlines()):
        line = _QUOTE.sub("", line, count=1) if line.startswith(">") else line
        opening = _FENCE.match(line)
        if fence:
            inside += 1
            if opening and opening[1].startswith(fence) and not line.strip(" `~"):
                kept.append("…" if dropped else "")
                fence, inside = "", 0
            elif found := choose(line, inside):
                kept.append(found)
            else:
                dropped += 1
        elif opening:
            fence, dropped = opening[1], 0
        elif "|" in before and "-" in line and _TABLE_RULE.match(line):
            kept += [_cut(before, _LINE)] if kept[-1:] != [before] else []
        elif found := choose(line, 0):
            kept.append(found)
        before = line
    return "\n".join(filter(None, kept)) + "\n"


def _output(text: str) -> str:
    """An agent's ``output.json`` as a list; what is no such file is taken as a design in Markdown."""
    data = _parsed(text)
    if not isinstance(data, dict):
        return interfaces(text)
    return "".join(_entry(_shown(key), value) for key, value in data.items() if value)


def _entry(key: str, value: Any) -> str:
    match value:
        case str():
            return f"- {key}: {_essence(value)}\n"
        case list():
            return f"- {key}: {_listed([_shown(item) for item in value])}\n"
        case dict():
            return (
                f"- {key}: {_listed([f'{_shown(name)} = {_shown(item)}' for name, item in value.items()])}\n"
            )
        case _:
            return f"- {key}: {_shown(value)}\n"


def _essence(text: str) -> str:
    """A text's first sentence and its interfaces."""
    first = _cut(next(_sentences(text), ""), 2 * _ENTRY)
    lines = [line for line in interfaces(text).splitlines() if line and not first.startswith(line)]
    return "\n  ".join([first, *lines])


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (part for part in _SENTENCE.split(line.strip()) if part)


def _listed(entries: Sequence[str]) -> str:
    more = len(entries) - _ENTRIES
    return "; ".join(entries[:_ENTRIES]) + (f"; and {more} more" if more > 0 else "")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return _cut(" ".join(value[: 4 * _ENTRY].split()), _ENTRY)
    if isinstance(value, list | dict):
        return f"{len(value)} entries"
    return _cut(str(value)[:_ENTRY], _ENTRY)


def _decisions(text: str) -> str:
    data = _parsed(text)
    if not isinstance(data, dict):
        return interfaces(text)
    return "".join(f"- {_shown(key)}: {_decision(value)}\n" for key, value in data.items())


def _decision(value: Any) -> str:
    if isinstance(value, list):
        return _listed([_shown(item) for item in value])
    return _cut(next(_sentences(value), ""), _ENTRY) if isinstance(value, str) else _shown(value)


def _artifacts(text: str) -> str:
    """Paths by folder: the first ones, and how many there are."""
    data = _parsed(text)
    if not isinstance(data, list):
        return interfaces(text)
    folders: dict[str, list[str]] = {}
    for path in data:
        folder, _, name = str(path)[: 2 * _LINE].rpartition("/")
        folders.setdefault(_cut(folder or ".", _ENTRY), []).append(_cut(name, _ENTRY))
    return "".join(f"- {folder}/: {_listed(names)}\n" for folder, names in folders.items())


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


_FORMS: dict[Kind, Callable[[str], str]] = {
    "task": key_requirements,
    "events": last_events,
    "output": _output,
    "decisions": _decisions,
    "artifacts": _artifacts,
}
