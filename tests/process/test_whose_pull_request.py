"""In a public repository everybody may open a pull request, from any branch that is there: what such a one leads to."""

from __future__ import annotations

import pytest

from shared.forge.github import bodies
from tests.process.test_follow import Place, decisions, place
from tests.process.test_github_batches import WORKFLOW, here, run
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.standin import GitHub
from tests.support.running import Spinney

pytestmark = [pytest.mark.process, pytest.mark.git]
__all__ = ["here", "place"]  # fixtures


def ours(number: int) -> str:
    """A text as Spinney writes it, for anybody to copy."""
    return bodies.write(bodies.Body(bodies.Written(f"spinney-task:issue-{number}", base="main"), "x"))


def test_stranger_who_is_faster_is_not_taken_for_spinney(here: Spinney, github: GitHub) -> None:
    github.issue("One", "Do it.", labels=("ready",))
    github.person("mallory", None)
    github.when(
        "POST .*/pulls$",
        lambda: github.pull("spinney/issue-1", title="Mine", body=ours(1), author="mallory"),
        when="before",
    )
    done = run(here)
    (theirs,) = github.pulls()
    assert (theirs.title, theirs.body) == ("Mine", ours(1))
    assert done.tasks["issue-1"]["pull_request"] is None
    assert any(f"#{theirs.number}, which mallory opened" in note for note in done.json["notes"])


def test_strangers_closed_pull_request_keeps_nothing_from_being_gone_on_with(
    here: Spinney, github: GitHub
) -> None:
    github.issue("One", "Do it.", labels=("ready",))
    assert run(here).code == 0
    (mine,) = github.pulls()
    github.commit("release", "r.txt", "r\n", "release", start="main")
    github.person("mallory", None)
    github.close(github.pull("spinney/issue-1", "release", "x", ours(1), author="mallory"), by="mallory")
    (left,) = run(here).json["left_out"]
    assert f"pull request #{mine.number} is open for it" in left["reason"]


def test_run_that_goes_on_does_not_take_up_a_strangers_pull_request(here: Spinney, github: GitHub) -> None:
    here.repo.write("quick.yaml", WORKFLOW.replace("echo done >", "echo done >>"))
    github.issue("One", "Do it.", labels=("ready",))
    assert run(here).code == 0
    (mine,) = github.pulls()
    github.commit("release", "r.txt", "r\n", "release", start="main")
    github.person("mallory", None)
    theirs = github.pull("spinney/issue-1", "release", "x", ours(1), author="mallory")
    done = run(here, "--continue")
    assert done.tasks["issue-1"]["pull_request"]["number"] == mine.number
    assert (theirs.title, theirs.body, pull_of(theirs).base) == ("x", ours(1), "release")


def test_stranger_moves_no_branch(place: Place) -> None:
    one, _ = place.pull(1), place.pull(2)
    before = pull_of(one).head_sha
    place.hub.person("mallory", None)
    place.hub.pull("spinney/issue-1", "spinney/issue-2", "x", ours(1), author="mallory")
    assert set(decisions(place.follow("--json"))) == {1, 2}
    assert pull_of(one).head_sha == before


def test_stranger_gets_nothing_merged_elsewhere(place: Place) -> None:
    one = place.pull(1)
    place.hub.commit("release", "r.txt", "r\n", "release", start="main")
    place.hub.person("mallory", None)
    theirs = place.hub.pull("spinney/issue-1", "release", "x", ours(1), author="mallory")
    place.hub.check(one, "build", "success")
    place.follow("--json", "--land", "now")
    assert (pull_of(one).merged is not None, pull_of(theirs).merged) == (True, None)
