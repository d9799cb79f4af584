"""Holds requests and answers against GitHub's published OpenAPI description (``openapi.json``, cut by ``cutting``)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

_URI = "urn:github"
# What any operation may answer, whether it is described there or not.
_ALWAYS = frozenset(
    {301, 302, 304, 307, 400, 401, 403, 404, 405, 409, 410, 415, 422, 429, 500, 502, 503, 504}
)


@functools.cache
def _description() -> tuple[dict[str, Any], Any]:
    whole = json.loads((Path(__file__).parent / "openapi.json").read_text())
    for operations in whole["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["schema"] = _strict(content["schema"])
    resource = {"components": whole["components"]}
    return whole, jsonschema_rs.Registry([(_URI, resource)], draft=jsonschema_rs.Draft202012)


def _strict(schema: Any) -> Any:
    """Without room for properties that are not described."""
    if not isinstance(schema, dict):
        return schema
    made = {
        key: _strict(value) if key in ("items", "additionalProperties") else value
        for key, value in schema.items()
    }
    for key in ("oneOf", "anyOf"):
        if key in made:
            made[key] = [_strict(one) for one in made[key]]
    if "properties" in made:
        made["properties"] = {name: _strict(one) for name, one in made["properties"].items()}
        made.setdefault("additionalProperties", False)
    return made


def _absolute(node: Any) -> Any:
    """References that are found in the registry."""
    if isinstance(node, dict):
        return {key: _URI + value if key == "$ref" else _absolute(value) for key, value in node.items()}
    return [_absolute(one) for one in node] if isinstance(node, list) else node


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        node = _description()[0]["components"][kind][name]
    return node


@functools.cache
def _operation(method: str, template: str) -> dict[str, Any] | None:
    return _description()[0]["paths"].get(template, {}).get(method.lower())


@functools.cache
def _validator(method: str, template: str, part: str) -> Any:
    """Of ``part``: ``body``, or the status of an answer; None where nothing is said."""
    operation = _operation(method, template)
    assert operation is not None
    holder = operation.get("requestBody") if part == "body" else operation["responses"].get(part)
    if holder is None:
        return None
    content = _resolved(holder).get("content", {})
    schema = next((one["schema"] for kind, one in content.items() if "json" in kind), None)
    if schema is None:
        return None
    return _compiled(json.dumps(_absolute(schema)))


@functools.cache
def _compiled(schema: str) -> Any:
    registry = _description()[1]
    return jsonschema_rs.Draft202012Validator(json.loads(schema), registry=registry, validate_formats=True)


def request_problems(method: str, template: str, query: Mapping[str, str], body: Any) -> list[str]:
    """What the description does not allow in a request."""
    operation = _operation(method, template)
    if operation is None:
        return [f"{method} {template} is not described"]
    name = f"{operation['operationId']}: "
    problems = [name + problem for problem in _query_problems(operation, query)]
    validator = _validator(method, template, "body")
    if body is None:
        required = operation.get("requestBody", {}).get("required", False)
        return [*problems, f"{name}it has no body"] if required else problems
    if validator is None:
        return [*problems, f"{name}it has a body"]
    return problems + [name + _said(error) for error in validator.iter_errors(body)]


def _query_problems(operation: dict[str, Any], query: Mapping[str, str]) -> list[str]:
    known = {
        one["name"]: one for one in map(_resolved, operation.get("parameters", [])) if one["in"] == "query"
    }
    problems = [f"no such query parameter: {name}" for name in query if name not in known]
    problems += [
        f"query parameter {name} is missing"
        for name, one in known.items()
        if one.get("required") and name not in query
    ]
    for name in set(query) & set(known):
        validator = _compiled(json.dumps(_absolute(known[name]["schema"])))
        values = _readings(query[name])
        if not any(validator.is_valid(value) for value in values):
            problems.append(f"query parameter {name} cannot be {query[name]!r}")
    return problems


def _readings(text: str) -> list[Any]:
    readings: list[Any] = [text]
    if text.lstrip("-").isdigit():
        readings.append(int(text))
    if text in ("true", "false"):
        readings.append(text == "true")
    return readings


def answer_problems(method: str, template: str, status: int, data: Any) -> list[str]:
    """What the description does not allow in an answer."""
    operation = _operation(method, template)
    if operation is None:
        return []
    name = f"{operation['operationId']}, answer {status}: "
    described = operation["responses"].get(str(status))
    if described is None:
        return [] if status in _ALWAYS else [f"{name}not described"]
    validator = _validator(method, template, str(status))
    if validator is None or (data is None and status in (204, 302, 304)):
        return []
    return [name + _said(error) for error in validator.iter_errors(data)]


def _said(error: Any) -> str:
    path = "/".join(str(part) for part in error.instance_path)
    return f"{path or 'the whole'}: {error.message[:300]}"
