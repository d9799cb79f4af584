"""What a tool is: a name, a schema for its input, and what it does; its mistakes are data, not exceptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.text import first_sentence
from workflow_manager.backends.anthropic.conversation import ToolResult, ToolUse

_TELLING = ("command", "path", "pattern", "agent", "file")  # what of an input says what a call is about
_MISTAKES = 5  # of one input that are told


class Input(BaseModel):
    """What a model passes to a tool; anything that nobody asked for is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolError(Exception):
    """The tool could not do it; the text is for the model."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``run`` takes an instance of ``takes`` and raises ToolError, Unreachable or OSError where it cannot."""

    name: str
    description: str
    takes: type[Input]
    run: Callable[[Any], str]
    changes: Callable[[Any], bool] = lambda given: False  # files, or what later calls depend on
    native: str = ""  # the SDK's type of this tool, which its own models know without a schema

    def spec(self, model: str) -> dict[str, Any]:
        """How the tool is offered to ``model``."""
        if self.native and model.startswith("claude-"):
            return {"type": self.native, "name": self.name}
        return {"name": self.name, "description": self.description, "input_schema": schema(self.takes)}


def schema(takes: type[Input]) -> dict[str, Any]:
    """The JSON schema of ``takes`` without the names that pydantic gives to everything."""
    made = takes.model_json_schema()
    return {key: _untitled(value) for key, value in made.items() if key not in ("title", "description")}


def _untitled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _untitled(v) for k, v in value.items() if k != "title" or not isinstance(v, str)}
    return [_untitled(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Checked:
    """A tool call whose input fits."""

    use: ToolUse
    tool: Tool
    given: Input

    @property
    def changes(self) -> bool:
        return self.tool.changes(self.given)

    @property
    def shown(self) -> str:
        """The call in a line, for people."""
        said = (str(self.use.input[key]) for key in _TELLING if self.use.input.get(key))
        return first_sentence(f"{self.tool.name} {' '.join(said)}", 200).strip()


def checked(tools: Mapping[str, Tool], use: ToolUse) -> Checked | ToolResult:
    """The call with its input checked, or what is wrong with it, to be told to the model."""
    tool = tools.get(use.name)
    if tool is None:
        return ToolResult(use.id, f"there is no tool {use.name!r}; there are {', '.join(tools)}", error=True)
    try:
        return Checked(use, tool, tool.takes.model_validate(dict(use.input)))
    except ValidationError as error:
        return ToolResult(use.id, f"the input does not fit: {mistakes(error)}", error=True)


def mistakes(error: ValidationError) -> str:
    """What pydantic found, in one line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in found[:_MISTAKES]]
    return "; ".join(told) + (f"; and {len(found) - _MISTAKES} more" if len(found) > _MISTAKES else "")
