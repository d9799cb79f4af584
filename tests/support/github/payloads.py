"""GitHub's own examples of what it tells about events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_EVENTS = Path(__file__).parent / "events"


def names() -> list[str]:
    """Such as ``issues.labeled``: the event, and what was done."""
    return sorted(path.stem for path in _EVENTS.glob("*.json"))


def recorded(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((_EVENTS / f"{name}.json").read_text())
    return payload
