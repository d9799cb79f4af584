"""The part of GitHub's expressions that our files use. What is not known is an error, not an empty string."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<mark>==|!=|&&|\|\||[!().,]))"
)
_WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
# Of these a missing property is null at GitHub's, too: events differ, and nobody has to set a secret.
_OPEN = ("github.event", "secrets", "vars", "matrix")


class Unknown(Exception):
    """An expression that this does not read, or that names nothing."""


def filled(value: Any, contexts: Mapping[str, Any]) -> Any:
    """A value of `env`, `with` or `outputs` with its expressions evaluated; an expression alone keeps its kind."""
    if not isinstance(value, str):
        return value
    whole = _WHOLE.fullmatch(value.strip())
    if whole:
        return evaluate(whole[1], contexts)
    return _WHOLE.sub(lambda found: text(evaluate(found[1], contexts)), value)


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def condition(value: str, contexts: Mapping[str, Any]) -> Any:
    """An `if`, with or without the marks of an expression."""
    whole = _WHOLE.fullmatch(value.strip())
    return evaluate(whole[1] if whole else value, contexts)


def evaluate(source: str, contexts: Mapping[str, Any]) -> Any:
    reader = _Reader(source, contexts)
    value = reader.either()
    if reader.at != len(reader.tokens):
        raise Unknown(source)
    return value


class _Reader:
    def __init__(self, source: str, contexts: Mapping[str, Any]) -> None:
        self.contexts, self.tokens, self.at = contexts, [], 0
        position = 0
        source = source.rstrip()
        while position < len(source):
            found = _TOKEN.match(source, position)
            if found is None:
                raise Unknown(source)
            kind = str(found.lastgroup)
            self.tokens.append((kind, found[kind]))
            position = found.end()

    def take(self, *marks: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in [("mark", mark) for mark in marks]:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def must(self, mark: str) -> None:
        if self.take(mark) is None:
            raise Unknown(f"{mark!r} is missing")

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> Any:
        value = self.one()
        while mark := self.take("==", "!="):
            same = text(value).lower() == text(self.one()).lower()  # GitHub knows no case here
            value = same if mark == "==" else not same
        return value

    def one(self) -> Any:
        if self.take("!"):
            return not self.one()
        if self.take("("):
            value = self.either()
            self.must(")")
            return value
        if self.at == len(self.tokens):
            raise Unknown("it ends too early")
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind == "string":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return int(word)
        if kind != "name":
            raise Unknown(word)
        return self.called(word) if self.take("(") else self.found(word)

    def called(self, name: str) -> Any:
        arguments = []
        while not self.take(")"):
            arguments.append(self.either())
            self.take(",")
        match name, arguments:
            case "contains", [list() as items, part]:
                return text(part).lower() in [text(item).lower() for item in items]
            case "contains", [inside, part]:
                return text(part).lower() in text(inside).lower()
            case "startsWith", [inside, part]:
                return text(inside).lower().startswith(text(part).lower())
            case "fromJSON", [source]:
                return json.loads(source)
            case "always", []:
                return True
            case "cancelled" | "failure", []:
                return self.contexts["job"]["status"] == name.replace("cancelled", "cancelled")
            case _:
                raise Unknown(f"{name}({arguments})")

    def found(self, name: str) -> Any:
        if name in ("true", "false"):
            return name == "true"
        if name not in self.contexts:
            raise Unknown(name)
        path, value = name, self.contexts[name]
        while self.take("."):
            _, part = self.tokens[self.at]
            self.at += 1
            if not isinstance(value, Mapping) or part not in value:
                if not path.startswith(_OPEN):
                    raise Unknown(f"{path}.{part}")
                value = None
            else:
                value = value[part]
            path = f"{path}.{part}"
        return value
