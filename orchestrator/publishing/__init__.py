"""What a run shows outside: branches, pull requests, and how its tasks go, each told once."""

from orchestrator.publishing.delivery import Delivery, Elsewhere
from orchestrator.publishing.drafts import batch_draft, body, draft_for, marker, sought
from orchestrator.publishing.publisher import Publisher

__all__ = [
    "Delivery",
    "Elsewhere",
    "Publisher",
    "batch_draft",
    "body",
    "draft_for",
    "marker",
    "sought",
]
