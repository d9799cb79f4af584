"""GitHub: what can be measured of its limits without a network, on a clock that is only counted."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from graphql import parse

from orchestrator.following.polling import Pace
from shared.forge.github import queries, watch_queries
from shared.forge.github.limits import Kind
from tests.benchmarks.measure import Figure
from tests.support.following import Following
from tests.support.github import graph
from tests.support.github_limits import Limits, Outcome, ideal, simulate

_TASKS, _ROUNDS = 100, 9
_READ, _WRITE, _CREATE = Kind(), Kind(points=5), Kind(points=5, creates=True)
# Comment made, pull request looked up and opened, labels, status, comment edited.
_TASK = (_CREATE, _READ, _CREATE, _WRITE, _WRITE, _WRITE)


def limits(_: Path) -> Figure:
    """A batch of 100 tasks, all at once, against GitHub's real limits; answers take 0.1 to 1 second."""
    tasks = [_TASK] * _TASKS
    done: list[Outcome] = []
    tripped = 0
    for seed in range(_ROUNDS):
        server = Limits()
        done.append(simulate(tasks, server, seed))
        tripped += len(server.trespasses)
    assert not tripped, f"{tripped} limits were hit"
    seconds, best = statistics.median(one.seconds for one in done), ideal(tasks)
    detail = (
        f"{seconds:.0f} s where the ideal is {best:.0f} s; {len(tasks) * len(_TASK)} requests, no limit hit"
    )
    return Figure(
        f"GitHub: {_TASKS} tasks against its real limits, by the ideal schedule",
        seconds / best,
        1.1,
        "×",
        detail,
    )


def following(_: Path) -> Figure:
    """Twelve pull requests, stacked by threes, that nothing happens to for an hour; fetches of git do not count."""
    world, pace, looks = Following(), Pace(), 0
    for number in range(1, 13):
        world.hub.pull(number, base=f"spinney/issue-{number - 1}" if number % 3 != 1 else "main")
    follower, end = world.follower(), world.clock.now() + 3600
    while world.clock.now() < end:
        looks += 1
        turn = follower.turn()
        pace = pace.after(changed=turn.changed, soon=turn.soon)
        world.clock.advance(pace.seconds)
    questions = sum(world.hub.asked.values())
    points = looks * (_points(queries.PULLS) + _points(watch_queries.standings(range(1, 13))))
    name = "GitHub: idle follow-up of 12 pull requests for an hour, requests that count"
    return Figure(name, questions, 200, "", f"{looks} looks; {points} points of GraphQL's 5,000")


def _points(question: str) -> int:
    return graph.points(graph.Question(question, {}, None, document=parse(question)))


ALL: dict[str, Callable[[Path], Figure]] = {"github-limits": limits, "github-following": following}
