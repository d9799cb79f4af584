"""How many slots a run has, and how their number follows what the machine bears. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.broker import Sizes
from shared.model import Machine, Profile

AGENT_BYTES = 512 * 1024 * 1024  # memory set aside for an agent of which nothing is known
SPARE_BYTES = 256 * 1024 * 1024  # disk that is left free
_MODELS_PER_PROCESSOR = 4  # an agent that asks a model mostly waits for it
_GROWTH = 2  # how far a run without --jobs may grow beyond its first sizes
_SHORT, _AMPLE = 0.08, 0.25  # shares of memory: below the first slots go, above the second they may come
_AMPLE_DISK = 2 * SPARE_BYTES  # below it none come back that a full disk took away
_IDLE = 0.75  # load a processor below which commands may get more slots


@dataclass(frozen=True, slots=True)
class Load:
    """What the machine bears now."""

    memory_free: int  # bytes available without swapping
    memory_total: int  # bytes
    per_processor: float  # processes that want to run, a processor; the last minute's mean
    disk_free: int  # bytes where the worktrees are
    limited: bool = False  # a model or forge said to slow down


@dataclass(frozen=True, slots=True)
class Range:
    """The sizes of a run at its start, and the most they may become."""

    first: Sizes
    most: Sizes


def sizes_for(machine: Machine, jobs: int, profile: Profile | None) -> Range:
    """By ``--jobs``, which is obeyed; by a profile; or by the machine, whose limits are felt on the way."""
    if jobs:
        return _fixed(jobs)
    if profile is not None:
        cpu = max(1, int(machine.processors / profile.cpu_per_agent))
        return _fixed(profile.agents, min(profile.agents, cpu))
    bearable = max(1, machine.memory // AGENT_BYTES)
    cpu = min(machine.processors, bearable)
    model = min(machine.processors * _MODELS_PER_PROCESSOR, bearable)
    first = Sizes(total=max(cpu, model), model=model, cpu=cpu)
    most = Sizes(*(min(count * _GROWTH, bearable) for count in (first.total, model, cpu)))
    return Range(first, most)


def _fixed(total: int, cpu: int | None = None) -> Range:
    sizes = Sizes(total=total, model=total, cpu=total if cpu is None else cpu)
    return Range(sizes, sizes)


def adjusted(now: Sizes, bounds: Range, load: Load, *, crowded: tuple[bool, bool]) -> tuple[Sizes, str]:
    """The sizes to go on with, and why they change; an empty reason where they do not.

    ``crowded`` says whether agents wait for slots of kind model, cpu while all are held. Down by half, since trouble
    grows while one looks; up by one, since nobody waits for long.
    """
    if load.disk_free < SPARE_BYTES:
        return _changed(now, Sizes(1, 1, 1), "the disk is nearly full")
    if load.memory_free < load.memory_total * _SHORT:
        return _changed(now, _half(now), f"memory is short: {load.memory_free // 1024**2} MB available")
    if load.limited:
        return _changed(now, replace(now, model=max(1, now.model // 2)), "a rate limit")
    return _grown(now, bounds, load, crowded)


def _grown(now: Sizes, bounds: Range, load: Load, crowded: tuple[bool, bool]) -> tuple[Sizes, str]:
    for_models, for_commands = crowded
    calm = load.per_processor <= _IDLE
    # What was taken away under pressure comes back on a busy machine as well: it was bearable once.
    for_commands = for_commands and (calm or now.cpu < bounds.first.cpu)
    scarce = load.memory_free < max(load.memory_total * _AMPLE, AGENT_BYTES) or load.disk_free < _AMPLE_DISK
    if scarce or not (for_models or for_commands):
        return now, ""
    wider = Sizes(
        total=min(now.total + 1, bounds.most.total),
        model=min(now.model + for_models, bounds.most.model),
        cpu=min(now.cpu + for_commands, bounds.most.cpu),
    )
    recovering = now.total < bounds.first.total or now.model < bounds.first.model
    return _changed(now, wider, "there is room again" if recovering else "the machine is idle")


def _half(now: Sizes) -> Sizes:
    return Sizes(*(max(1, count // 2) for count in (now.total, now.model, now.cpu)))


def _changed(now: Sizes, then: Sizes, reason: str) -> tuple[Sizes, str]:
    return (then, reason) if then != now else (now, "")
