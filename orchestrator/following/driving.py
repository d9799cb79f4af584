"""Looking again and again, or once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.following.follower import Follower
from orchestrator.following.polling import IDLE, SLOW, Pace
from shared.errors import Interrupted, RepositoryHeld, SpinneyError, UserError

_MOST = 1000  # looks in a row; each of them led to something
_FAILURES = 12  # looks in a row that fail before it is given up

Wait = Callable[[float], bool]  # False where it was stopped meanwhile


def once(follower: Follower) -> None:
    """One look with what follows from it, and further ones until nothing follows any more. Raises SpinneyError."""
    for _ in range(_MOST):
        if not follower.turn().again:
            break


def always(follower: Follower, pace: Pace, wait: Wait, tell: Callable[[str, dict[str, Any]], None]) -> bool:
    """Until nothing is open any more; False where it was stopped. Raises SpinneyError where looking keeps failing."""
    failures, said = 0, ""
    while True:
        seconds = SLOW
        try:
            turn = follower.turn()
            if not turn.open:
                return True
            if turn.again:
                continue
            pace = pace.after(changed=turn.changed, soon=turn.soon)
            failures, said, seconds = 0, "", pace.seconds
        except UserError:
            raise
        except RepositoryHeld as error:
            said = _once(said, error.message, tell)
        except SpinneyError as error:
            failures += 1
            if failures >= _FAILURES or isinstance(error, Interrupted):
                raise
            said, seconds = _once(said, error.message, tell), IDLE
        tell("follow.waits", {"seconds": seconds})
        if not wait(seconds):
            return False


def _once(said: str, text: str, tell: Callable[[str, dict[str, Any]], None]) -> str:
    if text != said:
        tell("follow.note", {"pull": None, "text": f"{text}; it is looked again"})
    return text
