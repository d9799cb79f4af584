"""The kinds of values that keys take, each with the sentence for what is not one."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

POINTER_TOKENS = 100  # what every agent is given, at most
ROLE = r"^[A-Z][A-Z0-9_]{0,39}$"
WORD = r"^[a-z][a-z0-9-]{0,39}$"
SIZE = r"^[0-9]{1,9}(\.[0-9]{1,3})? ?(MB|GB)$"
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"
COUNT = r"^[0-9]{1,12}$"
PATTERNS = {  # what a text that does not match is not
    ROLE: "an agent's name: capitals, digits and underscores, such as CODER",
    WORD: "a name: lower case, digits and dashes, beginning with a letter",
    SIZE: "a size, such as 8GB or 512MB",
    MODEL: "a model's name, such as claude-sonnet-5-5",
    COUNT: "a number of tokens, such as 100000",
}


def _inside(pattern: str) -> str:
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts:
        raise ValueError("a path pattern is relative to the repository and stays inside it")
    if len(parts) > 24 or len(pattern) > 512 or not pattern.strip():
        raise ValueError("a path pattern has 1 to 24 components and at most 512 characters")
    return pattern


def _enough(tokens: int) -> int:
    if tokens < POINTER_TOKENS:
        raise ValueError(
            f"a budget of at least {POINTER_TOKENS} tokens is needed: the pointer to the task costs that"
        )
    return tokens


Glob = Annotated[str, AfterValidator(_inside)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]
Role = Annotated[str, Field(pattern=ROLE)]
Word = Annotated[str, Field(pattern=WORD)]
Size = Annotated[str, Field(pattern=SIZE)]
Tokens = Annotated[int, AfterValidator(_enough), Field(json_schema_extra={"minimum": POINTER_TOKENS})]
Change = Literal["documentation", "typo", "configuration", "tests", "full"]
Verdict = Literal["approve", "request-changes"]


def size_in_bytes(size: str) -> int | None:
    """Bytes of a ``Size``; None where it is not one."""
    if not re.fullmatch(SIZE, size):
        return None
    return int(float(size[:-2]) * 1024 ** {"MB": 2, "GB": 3}[size[-2:]])
