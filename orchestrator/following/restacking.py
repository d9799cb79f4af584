"""When a stacked pull request has to move: its parent changed or landed. Pure.

A branch is stacked where commits of other tasks lie between its own and its base, or where its base is a branch of
ours. After a merge that keeps the parent's commits, only the base is another; after a squash or a rebase, the branch
would show the parent's changes a second time, and its own commits are brought onto what the parent has become.
"""

from __future__ import annotations

from orchestrator.following.words import Left, Restack, Seen, Wait
from shared.forge.port import PullRequest, PullState

OURS = "spinney/"
_DEEPEST = 100  # a stack; more would be a circle


def restacking(seen: Seen) -> Restack | Left | Wait | None:
    """None: it stands where it should."""
    pull, branch = seen.pull, seen.branch
    assert branch is not None
    target, landed = _base(pull.base, seen)
    if target is None:
        return Left(f"its base {pull.base} was closed without being merged", told=True)
    if target != pull.base:
        return _unless_merges(seen, Restack(target, f"{landed} is merged"))
    if seen.standing.base_tip is None:
        return Left(f"its base {pull.base} is gone", told=True)
    if pull.base.startswith(OURS):
        return None if branch.based else _unless_merges(seen, Restack(target, f"{target} has changed"))
    return _landed_below(seen)


def _base(base: str, seen: Seen) -> tuple[str | None, str]:
    """The branch that it has to go into now, and the last of its parents that were merged; None: nowhere."""
    landed = ""
    for _ in range(_DEEPEST):
        parent = seen.parents.get(base)
        if not base.startswith(OURS) or parent is None or parent.state is PullState.OPEN:
            return base, landed
        if parent.state is PullState.CLOSED:
            return None, landed
        base, landed = parent.base, f"#{parent.number}"
    return None, landed


def _landed_below(seen: Seen) -> Restack | Left | Wait | None:
    """Its base is nobody's pull request; commits of merged ones may still lie below its own."""
    branch = seen.branch
    assert branch is not None
    known = {task: seen.parents.get(f"{OURS}{task}") for task in sorted(branch.below)}
    merged = [pull for pull in known.values() if pull is not None and pull.state is PullState.MERGED]
    if not merged:
        return None
    if len(merged) < len(known):
        others = ", ".join(task for task, pull in known.items() if not _is_merged(pull))
        return Wait(f"it stands on {others}, too, which is not merged yet")
    names = ", ".join(f"#{pull.number}" for pull in merged)
    return _unless_merges(
        seen, Restack(seen.pull.base, f"{names} {'is' if len(merged) == 1 else 'are'} merged")
    )


def _is_merged(pull: PullRequest | None) -> bool:
    return pull is not None and pull.state is PullState.MERGED


def _unless_merges(seen: Seen, restack: Restack) -> Restack | Left:
    """Merges that somebody made on the branch cannot be replayed without losing what was decided in them."""
    assert seen.branch is not None
    if not seen.branch.merges:
        return restack
    return Left(
        f"{restack.why}, and its branch holds merges: bring it onto {restack.base} by hand", told=True
    )
