"""A conversation that has become too long, in short: the task, a summary of what was done, and the latest steps.

The latest steps are told as text. Taken over as they were, they would carry thoughts that are bound to the conversation
that is left behind, and the API would refuse them. Pure, but for asking the model for the summary.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import assert_never

from shared.model import ModelSettings
from workflow_manager.backends.anthropic.bounds import bounded
from workflow_manager.backends.anthropic.conversation import (
    Message,
    Opaque,
    Text,
    ToolResult,
    ToolUse,
    said_by_user,
)

# Tokens of a request beyond which the next one is a summary: each later request would pay for all of them again.
_AT_MOST = 200_000
_LATEST = 12  # messages that are told as they were
_BLOCK = 2_000  # characters of one block in what is told
_WHOLE = 300_000  # characters that are summarised: less than a tenth of any current model's window
SUMMARY_TOKENS = 8_000
SUMMARY_SYSTEM = (
    "You summarise the work of a software agent for the agent itself, which will remember nothing else. Say what was"
    " found out, what was decided and why, which files were changed and how, what was tried and failed, what is left"
    " to do. Name paths, names and commands exactly. Do not go on with the work."
)


def full_at(models: ModelSettings, model: str) -> int:
    """How many tokens a request to ``model`` may have before the conversation is shortened.

    Where a model costs more beyond some length, that is where it ends.
    """
    dearer = [price.above for price in models.prices if price.model == model and price.above]
    return min([_AT_MOST, *dearer])


def told(messages: Iterable[Message]) -> str:
    """``messages`` as text, without what only the API understands."""
    lines = []
    for message in messages:
        who = "agent" if message.role == "assistant" else "result"
        lines += [f"[{who}] {bounded(shown, _BLOCK)}" for block in message.blocks if (shown := _shown(block))]
    return "\n".join(lines)


def _shown(block: Text | ToolUse | ToolResult | Opaque) -> str:
    match block:
        case Text(text):
            return text
        case ToolUse(_, name, given):
            return f"{name} {json.dumps(dict(given), ensure_ascii=False)}"
        case ToolResult(_, text, error):
            return f"(error) {text}" if error else text
        case Opaque():
            return ""
        case _:
            assert_never(block)


def question(messages: Sequence[Message]) -> Message:
    """What the model is asked for: a summary of everything after the first message."""
    return said_by_user(
        Text(
            f"The task:\n\n{told(messages[:1])}\n\nThe work so far:\n\n{bounded(told(messages[1:]), _WHOLE)}"
        ),
        Text("Summarise the work so far."),
    )


def compressed(prompt: str, messages: Sequence[Message], summary: str) -> Message:
    """The message that the conversation begins anew with."""
    latest = told(messages[1:][-_LATEST:])
    return said_by_user(
        Text(prompt),
        Text(
            f"You have been at this for a while. What you did, in short:\n\n{summary}\n\n"
            f"Your latest steps, with long texts cut:\n\n{latest}\n\nGo on from there."
        ),
    )
