"""Cuts GitHub's published descriptions down to what the stand-in serves; run by hand when they change.

    npm install --prefix /tmp/published --ignore-scripts @octokit/openapi@23.0.2 @octokit/graphql-schema \
        @octokit/webhooks-examples
    python -m tests.support.github.cutting /tmp/published

Writes ``openapi.json`` and ``schema.graphql``, structure only, no examples and no descriptions, and ``events/``, GitHub's
own examples of what it tells about events, without the many addresses in them. What OpenAPI 3.0 says
in its own way (``nullable``) is said as JSON Schema does, so that an ordinary validator reads it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import DocumentNode, parse, print_ast
from graphql.language import ast

from tests.support.github.wanted import EVENTS, GRAPHQL_TYPES, OPERATIONS

# The package's schema is older than dependencies between issues, which GitHub's change log of 2025-07-30 names.
ADDED = """
extend type Issue {
  blockedBy(after: String, before: String, first: Int, last: Int, orderBy: IssueDependencyOrder): IssueConnection!
  blocking(after: String, before: String, first: Int, last: Int, orderBy: IssueDependencyOrder): IssueConnection!
  issueDependenciesSummary: IssueDependenciesSummary!
}
type IssueDependenciesSummary {
  blockedBy: Int!
  blocking: Int!
  totalBlockedBy: Int!
  totalBlocking: Int!
}
input IssueDependencyOrder {
  direction: OrderDirection!
  field: IssueDependencyOrderField!
}
enum IssueDependencyOrderField {
  CREATED_AT
  DEPENDENCY_ADDED_AT
}
"""
HERE = Path(__file__).parent
_WORDS = {"description", "summary", "example", "examples", "externalDocs", "tags", "title", "deprecated", "readOnly",
          "servers", "security", "callbacks"}  # fmt: skip
# API version 2026-03-10 has taken these out; the description is of the version before, and the stand-in serves both.
_GONE = {
    "pull-request": {"merge_commit_sha", "assignee"},
    "pull-request-simple": {"merge_commit_sha", "assignee"},
    "rate-limit-overview": {"rate"},
}


def cut_openapi(whole: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    found = set()
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            name = operation.get("operationId") if isinstance(operation, dict) else None
            if name in OPERATIONS:
                found.add(name)
                paths.setdefault(path, {})[method] = _operation(operation)
    if missing := set(OPERATIONS) - found:
        raise SystemExit(f"not described: {', '.join(sorted(missing))}")
    components: dict[str, dict[str, Any]] = {}
    waiting = list(_references(paths))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            part = _cut(whole["components"][kind][name])
            components[kind][name] = part
            waiting.extend(_references(part))
    schemas = components["schemas"]
    for name, gone in _GONE.items():
        schemas[name]["required"] = [key for key in schemas[name]["required"] if key not in gone]
    # GitHub's answers have null here, as the description has it in the other places where labels are.
    label = schemas["pull-request-simple"]["properties"]["labels"]["items"]["properties"]
    label["description"] = {"type": ["string", "null"]}
    ordered = {kind: dict(sorted(parts.items())) for kind, parts in sorted(components.items())}
    return {"version": whole["info"]["version"], "paths": paths, "components": ordered}


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: operation[key]
        for key in ("operationId", "parameters", "requestBody", "responses")
        if key in operation
    }
    return _cut(kept)


def _cut(node: Any, *, names: bool = False) -> Any:
    """``names``: the keys of ``node`` are names that people gave, such as a property called title."""
    if isinstance(node, list):
        return [_cut(one) for one in node]
    if not isinstance(node, dict):
        return node
    cut = {
        key: _cut(value, names=key in ("properties", "schemas", "patternProperties") and not names)
        for key, value in node.items()
        if names or (key not in _WORDS and not key.startswith("x-"))
    }
    return cut if names else _nullable(cut)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.pop("nullable", None) is not True:
        return schema
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        return schema
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def cut_graphql(text: str) -> str:
    """The wanted types with those of their fields that need no other."""
    document = parse(text, no_location=True)
    known = {d.name.value for d in document.definitions if isinstance(d, ast.TypeDefinitionNode)}
    if missing := set(GRAPHQL_TYPES) - known:
        raise SystemExit(f"not in the schema: {', '.join(sorted(missing))}")
    wanted = {"Int", "String", "Boolean", "Float", "ID", *GRAPHQL_TYPES}
    kept = []
    for definition in document.definitions:
        if isinstance(definition, ast.TypeDefinitionNode) and definition.name.value in wanted:
            kept.append(_type(definition, wanted))
    return print_ast(DocumentNode(definitions=_silent(tuple(kept)))) + "\n" + ADDED


def _silent(node: Any) -> Any:
    """Without descriptions and directives."""
    if isinstance(node, tuple):
        return tuple(_silent(one) for one in node)
    if not isinstance(node, ast.Node):
        return node
    fields = {one.name: _silent(getattr(node, one.name)) for one in dataclasses.fields(node) if one.init}
    for name, empty in (("description", None), ("directives", ())):
        if name in fields:
            fields[name] = empty
    return dataclasses.replace(node, **fields)


def _type(definition: Any, wanted: set[str]) -> Any:
    changed: dict[str, Any] = {}
    if isinstance(definition, ast.UnionTypeDefinitionNode):
        changed["types"] = tuple(one for one in definition.types if one.name.value in wanted)
    if getattr(definition, "interfaces", None):
        changed["interfaces"] = tuple(one for one in definition.interfaces if one.name.value in wanted)
    if getattr(definition, "fields", None):
        kept = [field for field in definition.fields if _plain(field.type) in wanted]
        changed["fields"] = tuple(_field(field, wanted) for field in kept)
    return dataclasses.replace(definition, **changed)


def _field(field: Any, wanted: set[str]) -> Any:
    if not getattr(field, "arguments", None):
        return field
    arguments = tuple(one for one in field.arguments if _plain(one.type) in wanted)
    return dataclasses.replace(field, arguments=arguments)


def _plain(node: Any) -> str:
    while not hasattr(node, "name"):
        node = node.type
    return str(node.name.value)


def cut_event(node: Any) -> Any:
    """Without addresses of the API, which nobody follows from an event."""
    if isinstance(node, dict):
        return {
            key: cut_event(value)
            for key, value in node.items()
            if not key.endswith("_url") or key == "html_url"
        }
    return [cut_event(one) for one in node] if isinstance(node, list) else node


def main(published: Path) -> None:
    packages = published / "node_modules" / "@octokit"
    whole = json.loads((packages / "openapi" / "generated" / "api.github.com.json").read_text())
    (HERE / "openapi.json").write_text(json.dumps(cut_openapi(whole), separators=(",", ":")) + "\n")
    schema = (packages / "graphql-schema" / "schema.graphql").read_text()
    (HERE / "schema.graphql").write_text(cut_graphql(schema))
    told = json.loads((packages / "webhooks-examples" / "api.github.com" / "index.json").read_text())
    (HERE / "events").mkdir(exist_ok=True)
    for name, action in EVENTS:
        examples = next(one["examples"] for one in told if one["name"] == name)
        chosen = next(one for one in examples if one.get("action") == action)
        text = json.dumps(cut_event(chosen), separators=(",", ":"))
        (HERE / "events" / f"{name}.{action}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
