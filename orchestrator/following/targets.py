"""Which pull requests ``follow`` is asked for: by number, by address, or by the run that made them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from orchestrator.following.looking import task_of
from shared.errors import UserError
from shared.forge.port import Forge, PullRequest

_NUMBER = re.compile(r"#?(\d{1,9})\Z")
_ADDRESS = re.compile(r"(https?://[^\s/]+/([^\s/]+/[^\s/]+)/pull/(\d{1,9}))(?:[/?#]\S*)?\Z")
_LOOK = "look at those that Spinney made: spinney pr list --forge github"


def wanted(
    targets: Sequence[str], branches: Callable[[str], Collection[str]]
) -> Callable[[PullRequest], bool]:
    """Which pull requests are meant; ``branches`` are those of a run, and it raises UserError where there is none."""
    numbers: set[int] = set()
    urls: set[str] = set()
    heads: set[str] = set()
    for target in targets:
        if match := _NUMBER.match(target):
            numbers.add(int(match[1]))
        elif match := _ADDRESS.match(target):
            urls.add(match[1].casefold())
        else:
            heads.update(branches(target))
    if not targets:
        return lambda pull: True
    return lambda pull: pull.number in numbers or pull.url.casefold() in urls or pull.head in heads


def check(targets: Sequence[str], forge: Forge, repository: str) -> None:
    """Raises UserError where a number or an address is none of a pull request that can be followed in ``repository``
    (owner/name); one question for each. One that is over already is fine."""
    for target in targets:
        if match := _NUMBER.match(target):
            _made_here(forge.get(int(match[1])))
        elif match := _ADDRESS.match(target):
            if match[2].casefold() != repository.casefold():
                raise _elsewhere(target, repository)
            pull = forge.get(int(match[3]))
            if pull.url.casefold() != match[1].casefold():
                raise _elsewhere(target, repository)
            _made_here(pull)


def _made_here(pull: PullRequest) -> None:
    if not task_of(pull):
        raise UserError(
            f"#{pull.number} is no pull request that Spinney made for a task: it cannot be followed", _LOOK
        )


def _elsewhere(target: str, repository: str) -> UserError:
    return UserError(f"{target} is not in {repository} here, whose pull requests are followed", _LOOK)
