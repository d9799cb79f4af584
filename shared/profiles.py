"""Resource profiles against the machine. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.model import Machine, Profile


def too_large(name: str, profiles: Sequence[Profile], machine: Machine) -> tuple[str, str] | None:
    """What to say, with a hint, where the profile called ``name`` asks for more than the machine has."""
    chosen = next((profile for profile in profiles if profile.name == name), None)
    if chosen is None or _fits(chosen, machine):
        return None
    if chosen.memory > machine.memory:
        wants = f"{_gigabytes(chosen.memory)} of memory, and this machine has {_gigabytes(machine.memory)}"
    else:
        wants = f"{chosen.cpu_per_agent:g} processors an agent, and this machine has {machine.processors}"
    fitting = ", ".join(profile.name for profile in profiles if _fits(profile, machine))
    return f"the profile {name!r} wants {wants}", f"these fit: {fitting}" if fitting else "none of them fits"


def _fits(profile: Profile, machine: Machine) -> bool:
    return profile.memory <= machine.memory and profile.cpu_per_agent <= machine.processors


def _gigabytes(count: int) -> str:
    return f"{count / 1024**3:.1f}".removesuffix(".0") + " GB"
