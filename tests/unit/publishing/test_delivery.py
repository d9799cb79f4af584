"""Wishes carried out on a forge that loses answers, and on which people do things meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.publishing.delivery import Delivery, Elsewhere
from orchestrator.publishing.links import NUMBER, link
from orchestrator.publishing.outbox import Look, Mark, Open, Push, Say
from shared.errors import GitError, Interrupted
from shared.forge.port import Draft, PullState, Sent, Sought
from shared.model import Oid, TaskId
from tests.support.build import oid
from tests.support.forges import ElsewhereForge, Faults, MemoryTracker

A = TaskId("a")
REF = "refs/heads/spinney/a"
DRAFT = Draft("spinney/a", "main", "Do A", "Body\n", "spinney-task:a")
SAY = Say(A, 7, "spinney-issue:7", "At work", "at work")
MARK = Mark(A, oid(1), "success", "1 phase")


class Scene:
    def __init__(self, forge: ElsewhereForge | None = None, **elsewhere: Any) -> None:
        self.forge = forge or ElsewhereForge()
        self.tracker = MemoryTracker(self.forge.faults)
        self.told: list[tuple[str, dict[str, Any]]] = []
        place = {"contains": lambda old, new: old < new} | elsewhere
        self.delivery = Delivery(
            self.forge,
            lambda event, fields: self.told.append((event, fields)),
            [Sought(DRAFT.head, DRAFT.marker)],
            Elsewhere(self.tracker, **place),
        )

    def do(self, *jobs: Push | Open | Say | Mark | Look) -> Scene:
        for job in jobs:
            self.delivery.do((job,) if isinstance(job, Push) else job)
        return self

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.told]

    @property
    def notes(self) -> list[str]:
        return [fields["text"] for event, fields in self.told if event == "note"]

    @property
    def calls(self) -> list[str]:
        return self.forge.faults.calls


def push(number: int) -> Push:
    return Push(REF, oid(number), A)


def opened(number: int = 1, **fields: Any) -> Open:
    return Open(A, replace(DRAFT, **fields), oid(number))


def test_branch_then_pull_request_and_each_is_told() -> None:
    scene = Scene().do(push(1), opened())
    assert scene.events == ["branch.sent", "pull.opened"]
    assert scene.told[1][1] == {"task": "a", "number": 1, "url": scene.forge.get(1).url, "state": "open"}
    assert scene.calls == ["tips", "send", "find", "open"]


def test_text_names_the_numbers_of_those_that_are_open() -> None:
    scene = Scene().do(push(1), opened())
    body = link(DRAFT.marker, f"Builds on {NUMBER}.", "Builds on `spinney/a`.")
    for name, place in (("b", 2), ("c", 3)):
        draft = Draft(f"spinney/{name}", "main", "Next", body, f"spinney-task:{name}")
        scene.do(Push(f"refs/heads/spinney/{name}", oid(place)), Open(TaskId(name), draft, oid(place)))
        if name == "b":
            scene.forge.pulls.close(1)
            scene.delivery._looked = False  # as after an answer was lost
    assert [scene.forge.get(number).body for number in (2, 3)] == ["Builds on #1.", "Builds on `spinney/a`."]


def test_several_pull_requests_are_looked_up_in_one_question() -> None:
    scene = Scene()
    scene.delivery.sought = [Sought(f"spinney/{name}", f"spinney-task:{name}") for name in "ab"]
    other = replace(DRAFT, head="spinney/b", marker="spinney-task:b")
    scene.do(push(1), opened(), Push("refs/heads/spinney/b", oid(2)), Open(TaskId("b"), other, oid(2)))
    assert scene.calls.count("find") == 1


def test_branch_that_is_there_is_not_pushed_again() -> None:
    scene = Scene().do(push(1), push(1))
    assert scene.calls == ["tips", "send"]
    assert scene.events == ["branch.sent", "branch.sent"]


def test_later_commit_is_pushed_from_where_the_branch_was_seen() -> None:
    scene = Scene().do(push(1), push(2))
    assert scene.forge.refs == {REF: oid(2)}


def test_branch_that_somebody_moved_stays_and_its_pull_request_is_not_touched() -> None:
    scene = Scene().do(push(1))
    scene.forge.refs[REF] = oid(9)  # force-pushed during the run
    scene.do(push(2), opened(2))
    assert scene.forge.refs == {REF: oid(9)}
    assert scene.forge.list() == ()
    assert scene.events == ["branch.sent", "note", "pull.failed", "note"]
    assert "stays where it is: somebody else moved it" in scene.notes[0]


def test_branch_that_was_moved_before_we_came_stays() -> None:
    forge = ElsewhereForge()
    forge.refs[REF] = oid(9)
    scene = Scene(forge).do(push(2))
    assert (forge.refs[REF], scene.calls) == (oid(9), ["tips"])
    reason = "it has commits of somebody else, which a run with --fresh keeps aside"
    assert scene.notes == [f"spinney/a on the forge stays where it is: {reason}"]


def test_branch_that_is_started_anew_is_replaced_where_it_was_seen() -> None:
    forge = ElsewhereForge()
    forge.refs[REF] = oid(9)
    Scene(forge, replaces={REF: oid(9)}).do(push(2))
    assert forge.refs[REF] == oid(2)


def test_branch_is_replaced_only_when_what_it_was_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = ElsewhereForge()
    forge.refs[REF] = oid(9)
    scene = Scene(forge, replaces={REF: oid(9)})
    kept = "refs/spinney/archive/a/1"

    def refuse(refs: Sequence[Sent]) -> Mapping[str, str]:
        raise GitError("no")

    with monkeypatch.context() as patch:
        patch.setattr(forge, "send", refuse)
        scene.delivery.do((Push(kept, oid(9)), push(1)))
    assert forge.refs == {REF: oid(9)}
    assert scene.notes[1] == "spinney/a on the forge stays where it is: what it was could not be kept first"
    scene.do(push(1))
    assert (forge.refs, forge.sends) == ({REF: oid(1), kept: oid(9)}, [(kept,), (REF,)])


def test_lock_that_is_lost_while_pull_requests_are_looked_up_opens_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: list[bool] = []

    def check() -> None:
        if lost:
            raise Interrupted("another run has taken over")

    scene = Scene(check=check).do(push(1))
    monkeypatch.setattr(scene.forge, "find", lambda sought: lost.append(True) or {})
    scene.do(opened())
    assert (scene.forge.list(), scene.events) == ((), ["branch.sent"])


def test_deleted_branch_is_not_made_again() -> None:
    scene = Scene().do(push(1))
    del scene.forge.refs[REF]
    scene.do(push(2))
    assert scene.forge.refs == {}
    assert "stays where it is" in scene.notes[0]


def test_pull_request_that_is_open_is_brought_up_to_date() -> None:
    scene = Scene().do(push(1), opened(), push(2), opened(2, title="Better"))
    assert [pull.title for pull in scene.forge.list()] == ["Better"]


@pytest.mark.parametrize("state", [PullState.CLOSED, PullState.MERGED])
def test_pull_request_that_somebody_ended_is_neither_reopened_nor_made_again(state: PullState) -> None:
    scene = Scene().do(push(1), opened())
    if state is PullState.CLOSED:
        scene.forge.close(1)
    else:
        scene.forge.pulls.merged(1, oid(5))
    scene.do(push(2), opened(2))
    assert [pull.state for pull in scene.forge.list()] == [state]
    assert scene.notes == [f"pull request #1 was {state} by somebody else and stays so"]
    again = Scene(scene.forge).do(push(2), opened(2))  # the run goes on in another process
    assert [pull.state for pull in scene.forge.list()] == [state]
    assert dict(again.told)["pull.opened"]["state"] == state


def test_pull_request_that_was_closed_before_the_run_is_made_anew() -> None:
    first = Scene().do(push(1), opened())
    first.forge.close(1)
    Scene(first.forge, before={DRAFT.marker: 1}).do(push(2), opened(2))
    assert [pull.state for pull in first.forge.list()] == [PullState.CLOSED, PullState.OPEN]


def test_stacked_one_goes_where_its_parent_went() -> None:
    scene = Scene().do(push(1), opened())
    child = replace(DRAFT, head="spinney/b", base="spinney/a", marker="spinney-task:b")
    wish = Open(TaskId("b"), child, oid(2), stands_on=DRAFT.marker)
    scene.do(Push("refs/heads/spinney/b", oid(2)), wish)
    scene.forge.pulls.merged(1, oid(5))
    third = replace(child, head="spinney/c", marker="spinney-task:c")
    scene.do(Push("refs/heads/spinney/c", oid(3)), Open(TaskId("c"), third, oid(3), stands_on=DRAFT.marker))
    assert [pull.base for pull in scene.forge.list()] == ["main", "spinney/a", "main"]


def test_what_is_refused_is_told_and_nothing_else_is_held_up() -> None:
    scene = Scene(ElsewhereForge(Faults({4: "refused"}))).do(push(1), opened(), SAY, MARK)
    assert scene.events == ["branch.sent", "pull.failed", "note", "issue.told", "commit.marked"]
    assert scene.notes == ["the pull request of a could not be published: the forge says no"]


def test_comment_and_mark_that_fail_are_noted_once() -> None:
    scene = Scene(ElsewhereForge(Faults({1: "refused", 2: "refused", 3: "refused"}))).do(SAY, SAY, MARK)
    assert scene.events == ["note", "note"]


def test_mark_carries_the_address_of_the_job() -> None:
    scene = Scene(job="https://forge.example/run/1").do(MARK)
    assert scene.tracker.marks == [(oid(1), "spinney", "success", "1 phase", "https://forge.example/run/1")]


def test_run_that_lost_its_lock_calls_nothing() -> None:
    def lost() -> None:
        raise Interrupted("another run has taken over")

    scene = Scene(check=lost).do(push(1), opened(), SAY, MARK)
    assert (scene.calls, scene.told) == ([], [])


@pytest.mark.parametrize("fault", ["before", "lost"])
@pytest.mark.parametrize("number", range(1, 9))
def test_lost_answer_doubles_nothing_and_loses_nothing(number: int, fault: str) -> None:
    scene = Scene(ElsewhereForge(Faults({number: fault}))).do(
        push(1), opened(), push(2), opened(2), SAY, MARK
    )
    reading = scene.calls[number - 1] in ("tips", "find")  # a real forge asks again by itself
    if not reading:
        assert scene.forge.refs == {REF: oid(2)}
        assert [(pull.number, pull.tip) for pull in scene.forge.list()] == [(1, oid(2))]
        assert list(scene.tracker.comments.values()) == ["At work"]
        assert scene.notes == []


def test_answer_that_is_lost_each_time_is_told() -> None:
    scene = Scene(ElsewhereForge(Faults(dict.fromkeys((2, 4, 6), "before")))).do(push(1))
    assert scene.calls == ["tips", "send"] * 3
    assert scene.notes == ["spinney/a: not pushed to the forge: no answer"]


def test_branch_that_was_not_pushed_is_tried_again_with_the_next_wish() -> None:
    scene = Scene(ElsewhereForge(Faults({2: "refused"}))).do(push(1), push(1), opened())
    assert scene.events == ["note", "branch.sent", "pull.opened"]
    assert scene.forge.refs == {REF: Oid(oid(1))}


# --- what people did meanwhile


def test_what_people_did_is_told_at_the_end() -> None:
    scene = Scene().do(push(1), opened(), Look())
    assert scene.notes == []
    scene.forge.close(1)
    scene.forge.refs[REF] = oid(9)
    scene.do(Look(), Look())
    assert scene.notes == [
        "pull request #1 was closed by somebody else and stays so",
        "spinney/a on the forge was moved by somebody else and stays so",
    ]


def test_other_title_and_deleted_branch_are_told_at_the_end() -> None:
    scene = Scene().do(push(1), opened())
    scene.forge.pulls.update(1, replace(DRAFT, title="Mine"), oid(1))
    del scene.forge.refs[REF]
    assert scene.do(Look()).notes == [
        "pull request #1 was given another title, which stays",
        "spinney/a on the forge was deleted by somebody else and stays so",
    ]


def test_base_that_moved_meanwhile_is_told_where_a_pull_request_goes_into_it() -> None:
    scene = Scene(moved=lambda: "main has moved")
    assert scene.do(push(1), Look()).notes == []
    assert scene.do(opened(), Look()).notes == ["main has moved"]


def test_branch_of_others_is_not_told() -> None:
    forge = ElsewhereForge()
    forge.refs["refs/heads/spinney/other"] = oid(9)
    scene = Scene(forge).do(push(1))
    del forge.refs["refs/heads/spinney/other"]
    assert scene.do(Look()).notes == []
