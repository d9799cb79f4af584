"""Values against models, with every mistake told at its place and in words."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml.scalarbool import ScalarBoolean

from shared.config.document import Path, Source, nearest
from shared.config.fields import PATTERNS


class Strict(BaseModel):
    """A mapping of an input file. Validators are built when the first one is read: runs read few kinds of files."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


_MESSAGES = {
    "missing": "{what} is missing",
    "string_type": "expected text, found {found}",
    "int_type": "expected a whole number, found {found}",
    "float_type": "expected a number, found {found}",
    "bool_type": "expected true or false, found {found}",
    "list_type": "expected a list, found {found}",
    "dict_type": "expected a mapping, found {found}",
    "model_type": "expected a mapping, found {found}",
    "too_short": "at least one entry is needed",
}
_BRANCH = re.compile(r"(str|\w+Model|list\[.*|function-.*)\Z")  # how the validator names those of a union
_KINDS: list[tuple[type | tuple[type, ...], str]] = [
    (bool, "true or false"), ((int, float), "a number"), (str, "text"), (list, "a list"), (dict, "a mapping"),
    (date, "a date"),
]  # fmt: skip


M = TypeVar("M", bound="Strict")


def validate(source: Source, model: type[M], value: Any, path: Path = ()) -> M | None:
    """``value``, found at ``path`` of ``source``, as ``model``; None after reporting every mistake."""
    if not isinstance(value, dict):
        source.problem(path, f"expected a mapping of keys, found {_kind(value)}")
        return None
    made = plain(value)
    try:
        return model.model_validate(made)
    except ValidationError as error:
        for location, detail in _meant(error, made):
            _report(source, model, path, location, detail)
        return None


def _meant(error: ValidationError, value: Any) -> list[tuple[Path, Any]]:
    """The mistakes with their places; of a union only those of the kind that the value is of."""
    meant: list[tuple[Path, Any]] = []
    others: list[tuple[Path, Any]] = []
    for detail in error.errors(include_url=False):
        location, fits = _place(detail["loc"], value)
        (meant if fits else others).append((location, detail))
    for location, detail in others:
        if not any(told[: len(location)] == location for told, _ in meant):
            meant.append((location, detail))
    return meant


def _place(loc: Path, value: Any) -> tuple[Path, bool]:
    """``loc`` without the names of unions' branches, and whether the value is of the branches' kinds."""
    location: list[str | int] = []
    fits = True
    for part in loc:
        if isinstance(part, str) and _BRANCH.match(part) and not (isinstance(value, dict) and part in value):
            fits = fits and _is_kind_of(value, part)
            continue
        location.append(part)
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):  # what is missing
            value = None
    return tuple(location), fits


def _is_kind_of(value: Any, branch: str) -> bool:
    match value:
        case dict():
            return branch.endswith("Model")
        case list():
            return branch.startswith("list[")
        case _:
            return not branch.endswith("Model") and not branch.startswith("list[")


def _report(source: Source, model: type[Strict], path: Path, location: Path, detail: Any) -> None:
    at_key = location[-1:] == ("[key]",)  # how the validator says that a name is wrong, not what it names
    where: Path = (*path, *(location[:-1] if at_key else location))
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        source.unknown_key(where, _keys_at(model, location[:-1]), "key")
    elif kind == "missing":
        source.problem(where[:-1], f"{str(where[-1])!r} is missing")
    elif kind == "literal_error":
        expected = str(context.get("expected", "")).replace(" or ", ", ").removeprefix("'', ")
        hint = nearest(found, re.findall("'([^']+)'", expected)) if isinstance(found, str) else ""
        source.problem(where, f"{found!r} is not one of: {expected}", hint, at_key=at_key)
    elif kind == "string_pattern_mismatch":
        source.problem(where, f"{found!r} is not {PATTERNS[context['pattern']]}", at_key=at_key)
    elif kind in _MESSAGES:
        message = _MESSAGES[kind].format(what=where[-1] if where else "", found=_kind(found))
        quotes = kind == "string_type" and isinstance(found, bool | int | float | date)
        source.problem(where, message, "put it in quotes" if quotes else "")
    else:
        message = str(detail["msg"]).removeprefix("Value error, ")
        source.problem(where, message[:1].lower() + message[1:])


def _keys_at(model: type[BaseModel], location: Path) -> list[str]:
    """The keys that are valid at ``location`` below ``model``."""
    here: type[BaseModel] = model
    named = False  # the next part is a name that the user chose
    for part in location:
        if isinstance(part, int) or named:
            named = False
            continue
        field = here.model_fields.get(part)
        found = _model_in(field.annotation) if field else None
        if field is None or found is None:
            return []
        here, named = found, getattr(field.annotation, "__origin__", None) is dict
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if found := _model_in(inner):
            return found
    return None


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), type(value).__name__)


def plain(value: Any) -> Any:
    """Round-trip containers and scalars as the built-in ones that strict validation wants."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, ScalarBoolean):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else value
