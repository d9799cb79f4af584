"""Prompts that a workflow keeps in Markdown files beside itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from shared.config.document import Document, decode_text, nearest
from shared.config.document import Path as Keys

MAXIMUM_BYTES = 256 * 1024


def is_path(prompt: str) -> bool:
    """Whether a prompt names a file: one line that ends with ``.md``."""
    return prompt.endswith(".md") and "\n" not in prompt


def with_prompts(document: Document, value: Any, folder: Path, path: Keys = ()) -> Any:
    """``value``, found at ``path`` of ``document``, with the text of each prompt's file in place of its name."""
    if isinstance(value, list):
        return [with_prompts(document, item, folder, (*path, i)) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    read = {key: with_prompts(document, item, folder, (*path, key)) for key, item in value.items()}
    prompt = read.get("prompt")
    if isinstance(prompt, str) and is_path(prompt):
        text, wrong, hint = _read(folder, prompt)
        if wrong:
            document.problem((*path, "prompt"), f"the prompt file {prompt!r} {wrong}", hint)
        read["prompt"] = text
    return read


def _read(folder: Path, name: str) -> tuple[str, str, str]:
    """The file's text, which ends with a newline; or what is wrong with it, and a hint."""
    path, inside = Path(os.path.realpath(folder / name)), Path(os.path.realpath(folder))
    if not path.is_relative_to(inside):
        return "", "is outside the workflow's folder", "keep it beside the workflow file or below that"
    if path.exists() and not path.is_file():
        return "", "is not a file", ""
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        hint = nearest(path.name, (other.name for other in path.parent.glob("*.md")))
        return "", "does not exist", hint or "a text that ends with .md goes below `prompt: |`"
    except OSError as error:
        return "", f"cannot be read: {error.strerror}", ""
    text, wrong = decode_text(data)
    if len(data) > MAXIMUM_BYTES:
        return "", f"is larger than {MAXIMUM_BYTES // 1024} KiB", ""
    if wrong:
        return "", f"cannot be read: {wrong}", "save the file as UTF-8"
    return (text.strip() + "\n", "", "") if text.strip() else ("", "is empty", "")
