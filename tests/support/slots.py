"""What must hold of slots in every journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def check_slots(records: Iterable[Mapping[str, Any]], *, all_back: bool = False) -> int:
    """No slot is given out beyond the sizes that hold then, to who has one, or to who did not ask.

    Slots that are held when there come to be fewer stay held. With ``all_back`` none is held at the end.
    Returns how many were held at once, at most.
    """
    sizes: Mapping[str, Any] = {}
    held: dict[tuple[str, str], str] = {}
    wanted: set[tuple[str, str]] = set()
    most = 0
    for record in records:
        key = record.get("task", ""), record.get("agent", "")
        match record["event"]:
            case "run.resumed":  # who held one was killed with the orchestrator
                held.clear()
                wanted.clear()
            case "slots.sized":
                sizes = record
            case "slot.wanted":
                wanted.add(key)
            case "slot.granted":
                assert key in wanted, f"{key} did not ask"
                assert key not in held, f"{key} has a slot"
                wanted.discard(key)
                held[key] = record["kind"]
                _check_sizes(held, sizes, record["kind"])
                most = max(most, len(held))
            case "slot.returned":
                assert key in held, f"{key} has no slot"
                assert held.pop(key) == record["kind"]
            case _:
                pass
    assert not (all_back and held), f"never returned: {held}"
    return most


def _check_sizes(held: Mapping[tuple[str, str], str], sizes: Mapping[str, Any], kind: str) -> None:
    used = Counter(held.values())
    assert used[kind] <= sizes[kind], f"{used} with {sizes}"
    if kind != "gate":
        assert used["cpu"] + used["model"] <= sizes["total"], f"{used} with {sizes}"
