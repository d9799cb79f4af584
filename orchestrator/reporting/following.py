"""What ``spinney follow`` tells, in lines and as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.following import telling
from orchestrator.following.words import Decision
from orchestrator.reporting.times import duration
from shared.forge.port import PullRequest
from shared.model import Usage
from shared.text import first_sentence


def line(record: Mapping[str, Any]) -> str:
    """One line for an event; empty for those that people need not see."""
    pull = f"#{record['pull']}: " if record.get("pull") else ""
    match record["event"]:
        case "follow.decided":
            text = record["text"]
        case "follow.note":
            text = f"note: {record['text']}"
        case "follow.answered":
            done = f"pushed {record['tip'][:10]}" if record["tip"] else "left no commit"
            text = f"round {record['round']} {done}" + (f": {record['reason']}" if record["reason"] else "")
        case "follow.restacked":
            text = f"is on {record['base']} now, at {record['tip'][:10]}"
        case "follow.landed":
            text = record["text"]
        case "follow.held":
            text = f"waits for GitHub: {record['reason']}"
        case "follow.waits":
            text = f"looks again in {duration(record['seconds'])}"
        case _:
            return ""
    return pull + first_sentence(text, 300)


def to_json(
    status: str,
    decisions: Mapping[int, tuple[PullRequest, Decision]],
    rounds: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    usage: Usage,
) -> dict[str, Any]:
    return {
        "status": status,
        "pull_requests": [
            {
                "number": number,
                "url": pull.url,
                "branch": pull.head,
                "title": pull.title,
                "decision": type(decision).__name__.lower(),
                "text": telling.line(decision),
            }
            for number, (pull, decision) in sorted(decisions.items())
        ],
        "rounds": [
            {
                "pull": r["pull"],
                "round": r["round"],
                "run": r["run"],
                "commit": r["tip"],
                "reason": r["reason"],
            }
            for r in rounds
        ],
        "notes": list(notes),
        "tokens": usage.tokens.total,
        "cost_usd": usage.cost_usd,
    }
