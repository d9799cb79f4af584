"""The resource profile that a run asks for, against what its workflows define and the machine has. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.config.document import suggestion
from shared.model import Machine, Workflow
from shared.profiles import too_large


def mistake(name: str, workflows: Sequence[Workflow], machine: Machine | None) -> tuple[str, str] | None:
    """What to say, with a hint, of the profile ``name``: none of ``workflows`` defines it, or it is too large."""
    defining = [w for w in workflows if any(profile.name == name for profile in w.profiles)]
    if not defining:
        known = [profile.name for workflow in workflows for profile in workflow.profiles]
        hint = suggestion(name, known) or "the workflows of this batch have no profiles"
        return f"unknown profile {name!r}", hint
    if machine is None:
        return None
    found = (too_large(name, workflow.profiles, machine) for workflow in defining)
    return next(filter(None, found), None)
