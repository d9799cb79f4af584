"""One look at all pull requests that are followed: the open ones, how they stand, and what they are stacked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.following.port import Branches, Looked
from orchestrator.following.restacking import OURS
from orchestrator.following.words import Seen
from orchestrator.waits import SILENT, Waits
from shared.forge.port import Forge, PullRequest, PullState, Sought
from shared.forge.watching import Standing, Watched

_MARKER = "spinney-task:"
_DEEPEST = 20  # parents of parents that are looked up


def task_of(pull: PullRequest) -> str:
    """The task that a pull request was made for; empty where it is not one of ours, or one of a whole batch."""
    task = pull.marker.removeprefix(_MARKER)
    return task if pull.marker.startswith(_MARKER) and pull.head == OURS + task else ""


@dataclass(slots=True)
class Looking:
    """``wanted`` picks among the open pull requests that Spinney made."""

    forge: Forge
    watched: Watched
    branches: Branches
    wanted: Callable[[PullRequest], bool]
    default_branch: str
    waits: Waits = SILENT
    _over: dict[str, PullRequest] = field(default_factory=dict)  # by branch, pull requests that are not open
    _swept: bool = False

    def look(self, spent: str) -> tuple[Seen, ...]:
        """By number; ``spent`` is why no round may be paid for. Two questions, and one for each generation of parents
        that is not known yet."""
        with self.waits.during("asking GitHub for pull requests"):
            return self._look(spent)

    def _look(self, spent: str) -> tuple[Seen, ...]:
        every = [pull for pull in self.forge.list(PullState.OPEN) if task_of(pull)]
        if not self._swept:
            self._swept = True
            self.branches.sweep([task_of(pull) for pull in every])
        numbers = sorted(pull.number for pull in every if self.wanted(pull))
        if not numbers:
            return ()
        by_number = {pull.number: pull for pull in every}
        answers = self.watched.standing(numbers)
        found = [_named(answers[number], by_number[number]) for number in numbers if number in answers]
        looked = self.branches.look(found)
        parents = self._parents(every, found, looked)
        return tuple(self._seen(one, looked[one.pull.number], parents, spent) for one in found)

    def end_of(self, pull: PullRequest) -> PullRequest:
        """How one stands that was open, and is not among the open ones any more."""
        return replace(self.forge.get(pull.number), marker=pull.marker)

    def _seen(
        self, standing: Standing, looked: Looked, parents: Mapping[str, PullRequest], spent: str
    ) -> Seen:
        chosen = {pull.meant for pull in (standing.pull, *parents.values())} - {""}
        bases = frozenset({self.default_branch, *chosen, *parents})
        return Seen(
            standing, looked.branch, looked.record, parents, looked.trouble, looked.unsent, spent, bases
        )

    def _parents(
        self, every: Sequence[PullRequest], found: Sequence[Standing], looked: Mapping[int, Looked]
    ) -> Mapping[str, PullRequest]:
        """By branch: pull requests that others are stacked on, and what these are stacked on."""
        open_ones = {pull.head: pull for pull in every} | {one.pull.head: one.pull for one in found}
        # GitHub itself gives a pull request another base where the branch below it was deleted.
        wanted = {base for one in found for base in (one.pull.base, one.pull.meant)} - {""}
        wanted |= {f"{OURS}{task}" for one in looked.values() if one.branch for task in one.branch.below}
        for _ in range(_DEEPEST):
            self._find(head for head in wanted if head.startswith(OURS) and head not in open_ones)
            known = self._over | open_ones
            further = wanted | {known[head].base for head in wanted if head in known}
            if further == wanted:
                break
            wanted = further
        return self._over | open_ones

    def _find(self, heads: Iterable[str]) -> None:
        missing = sorted(set(heads) - set(self._over))
        if missing:
            sought = [Sought(head, _MARKER + head.removeprefix(OURS)) for head in missing]
            self._over |= {pull.head: pull for pull in self.forge.find(sought).values()}


def _named(standing: Standing, pull: PullRequest) -> Standing:
    """With what is known of ours only, which a look at checks and reviews need not bring along."""
    return replace(standing, pull=replace(standing.pull, marker=pull.marker, meant=pull.meant))
