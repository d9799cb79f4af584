"""The GraphQL side: questions are read, counted and held against the published schema, then carried out."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.github import (
    answering,
    graph_checks,  # noqa: F401 its fields
)
from tests.support.github.asking import Answer, Problem
from tests.support.github.calls import Call
from tests.support.github.graph_fields import View, resolve, resolve_type
from tests.support.github.graph_mutations import CREATING
from tests.support.github.settling import settle
from tests.support.github.state import Token

if TYPE_CHECKING:
    from tests.support.github.answering import Request
    from tests.support.github.standin import GitHub

MOST_NODES = 500_000
_UNKNOWN = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")


@dataclass(slots=True)
class Question:
    text: str
    variables: Mapping[str, Any]
    name: str | None
    document: Any = None  # None where it is no GraphQL
    problem: str = ""
    mutates: bool = False
    creates: bool = False
    cost: int = 1  # points of the primary limit


@functools.cache
def _text() -> str:
    return (Path(__file__).parent / "schema.graphql").read_text()


@functools.cache
def schema(hidden: frozenset[str] = frozenset()) -> Any:
    """The published schema, without the ``hidden`` fields."""
    from graphql import build_schema

    built = build_schema(_text(), assume_valid=True)
    for name in hidden:
        kind, _, field = name.partition(".")
        del built.type_map[kind].fields[field]  # type: ignore[attr-defined]
    return built


@functools.lru_cache(64)
def _parsed(text: str) -> Any:
    from graphql import parse

    return parse(text)


@functools.lru_cache(64)
def _mistakes(hidden: frozenset[str], text: str) -> Any:
    """What the schema does not allow in a question; the same one is asked often."""
    from graphql import OverlappingFieldsCanBeMergedRule, specified_rules, validate

    # GitHub's server lets fields of one name differ in type between types, and its own program relies on that.
    rules = [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]
    return validate(schema(hidden), _parsed(text), rules)


def admit(github: GitHub, request: Request, call: Call) -> tuple[Token, Question]:
    """Raises Problem where the request is refused before it is looked at."""
    from graphql import GraphQLError
    from graphql.language import OperationDefinitionNode, OperationType

    token = answering.authenticate(github, request.headers.get("authorization", ""))
    if token is None:
        raise Problem(401, "This endpoint requires you to be authenticated.")
    call.user = token.user.login
    try:
        body = json.loads(request.body)
        question = Question(body["query"], body.get("variables") or {}, body.get("operationName"))
    except (ValueError, KeyError, TypeError):
        github.violated("a GraphQL request without a query")
        raise Problem(400, "Problems parsing JSON") from None
    call.body = body
    try:
        question.document = _parsed(question.text)
    except GraphQLError as error:
        question.problem = error.message
        github.violated(f"GraphQL: {error.message}")
        return token, question
    operations = [one for one in question.document.definitions if isinstance(one, OperationDefinitionNode)]
    question.mutates = any(one.operation is OperationType.MUTATION for one in operations)
    fields = [s.name.value for one in operations for s in one.selection_set.selections if hasattr(s, "name")]
    question.creates = question.mutates and any(name in CREATING for name in fields)
    call.method = "MUTATION" if question.mutates else "QUERY"
    named = next((one.name.value for one in operations if one.name), "")
    call.path = named or " ".join(fields)
    question.cost = points(question)
    return token, question


def answer(github: GitHub, token: Token, question: Question, base: str) -> Answer:
    from graphql import ExecutionResult, GraphQLError, execute

    if question.document is None:
        return _errors([{"message": question.problem}])
    built = schema(frozenset(github.hidden_fields))
    if errors := _mistakes(frozenset(github.hidden_fields), question.text):
        for error in errors:
            if not _hidden(github, error.message):
                github.violated(f"GraphQL: {error.message}")
        return _errors([_invalid(error) for error in errors])
    _, nodes = _weight(question)
    if nodes > MOST_NODES:
        message = f"This query requests up to {nodes:,} possible nodes which exceeds the maximum limit of {MOST_NODES:,}."
        github.violated(f"GraphQL: {message}")
        return _errors([{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": message}])
    for repository in github.world.repositories.values():
        settle(repository, github.clock.now())
    view = View(github, token, base)
    result = execute(
        built, question.document, context_value=view, variable_values=dict(question.variables),
        operation_name=question.name, field_resolver=resolve, type_resolver=resolve_type,
    )  # fmt: skip
    assert isinstance(result, ExecutionResult)
    data: dict[str, Any] = {"data": result.data}
    if result.errors:
        data["errors"] = [_failed(github, error) for error in result.errors]
        if result.data is None and all(isinstance(e, GraphQLError) and e.path is None for e in result.errors):
            del data["data"]  # its variables were no good
    return Answer(data)


def _errors(errors: list[dict[str, Any]]) -> Answer:
    return Answer({"errors": errors})


def _hidden(github: GitHub, message: str) -> bool:
    match = _UNKNOWN.search(message)
    return bool(match and f"{match[2]}.{match[1]}" in github.hidden_fields)


def _invalid(error: Any) -> dict[str, Any]:
    """As GitHub says what its schema has not."""
    locations = [{"line": one.line, "column": one.column} for one in error.locations or ()]
    if match := _UNKNOWN.search(error.message):
        extensions = {"code": "undefinedField", "typeName": match[2], "fieldName": match[1]}
        message = f"Field '{match[1]}' doesn't exist on type '{match[2]}'"
        return {"path": ["query"], "extensions": extensions, "locations": locations, "message": message}
    return {"locations": locations, "message": error.message}


def _failed(github: GitHub, error: Any) -> dict[str, Any]:
    original = error.original_error
    shown: dict[str, Any] = {"message": error.message}
    if error.path:
        shown["path"] = list(error.path)
    if error.locations:
        shown["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    kind = getattr(original, "kind", None)
    if isinstance(original, Problem):
        kind = "FORBIDDEN" if original.status == 403 else "UNPROCESSABLE"
        errors = original.answer.data.get("errors") or [{}]
        shown["message"] = errors[0].get("message") or str(original)
    if kind is None:  # variables, or a mistake of the stand-in's own
        github.violated(f"GraphQL: {error.message}")
        return shown
    if kind in ("MISSING_PAGINATION_BOUNDARIES", "EXCESSIVE_PAGINATION"):
        github.violated(f"GraphQL: {error.message}")
    return {"type": kind, **shown}


# --- what a question costs: GitHub counts the requests and the nodes that its connections may need


def points(question: Question) -> int:
    requests, _nodes = _weight(question)
    return max(1, round(requests / 100))


def _weight(question: Question) -> tuple[int, int]:
    from graphql.language import FragmentDefinitionNode

    fragments = {
        one.name.value: one
        for one in question.document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    requests = nodes = 0

    def walk(selections: Any, times: int) -> None:
        nonlocal requests, nodes
        for one in selections:
            if one.kind == "fragment_spread":
                if one.name.value in fragments:
                    walk(fragments[one.name.value].selection_set.selections, times)
                continue
            size = _size(one, question.variables) if one.kind == "field" else None
            if size is not None:
                requests += times
                nodes += times * size
            if one.selection_set:
                walk(one.selection_set.selections, times * (size or 1))

    for definition in question.document.definitions:
        if definition.kind == "operation_definition":
            walk(definition.selection_set.selections, 1)
    return requests, nodes


def _size(field: Any, variables: Mapping[str, Any]) -> int | None:
    """How many nodes it asks for; None where it is no connection."""
    for argument in field.arguments or ():
        if argument.name.value in ("first", "last"):
            value = argument.value
            number = (
                variables.get(value.name.value) if value.kind == "variable" else getattr(value, "value", None)
            )
            return int(number) if number is not None and str(number).isdigit() else 1
    return None
