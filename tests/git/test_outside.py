"""What a run needs of GitHub that only this repository can tell: the base of pull requests, and their template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.composition.forges import Opened
from orchestrator.composition.outside import Outside, Target, job_address, pull_base
from orchestrator.composition.pull_templates import template_at
from orchestrator.runs import Place
from shared.errors import InvalidInput, UserError
from shared.git.repository import open_repository
from shared.model import GitHubSettings, Oid, Settings
from tests.support.forges import ElsewhereForge
from tests.support.repository import Repo

pytestmark = pytest.mark.git


class There:
    """GitHub with these branches."""

    def __init__(self, **branches: str) -> None:
        self.branches = {f"refs/heads/{name}": Oid(tip) for name, tip in branches.items()}
        self.default_branch, self.remote = "main", self

    def tips(self, *patterns: str) -> Mapping[str, Oid]:
        return {name: tip for name, tip in self.branches.items() if name in patterns}

    def opened(self) -> Opened:
        github: Any = self
        return Opened(ElsewhereForge(), github)


def base_of(repo: Repo, there: There, **settings: Any) -> tuple[str, list[str]]:
    place = Place(repo.git_dir, repo.path)
    target = pull_base(place, there.opened(), Settings(**settings), Oid(repo.head))
    assert target.tip == there.branches[f"refs/heads/{target.base}"]
    return target.base, list(target.notes)


def test_branch_that_is_checked_out_is_the_base_where_github_has_it(repo: Repo) -> None:
    repo.git("switch", "--quiet", "--create", "next")
    assert base_of(repo, There(main=repo.head, next=repo.head)) == ("next", [])


def test_default_branch_is_the_base_where_github_has_not_what_is_checked_out(repo: Repo) -> None:
    repo.git("switch", "--quiet", "--create", "mine")
    assert base_of(repo, There(main=repo.head)) == ("main", [])


def test_default_branch_is_the_base_where_none_is_checked_out(repo: Repo) -> None:
    repo.git("switch", "--quiet", "--detach")
    assert base_of(repo, There(main=repo.head)) == ("main", [])


def test_branch_that_was_asked_for_comes_first(repo: Repo) -> None:
    there = There(main=repo.head, release=repo.head, next=repo.head)
    assert base_of(repo, there, into="release", base="next")[0] == "release"
    assert base_of(repo, there, base="next")[0] == "next"
    assert base_of(repo, there, into="gone") == (
        "main",
        ["gone is not on GitHub: pull requests go into main"],
    )


def test_commits_that_github_has_not_are_told(repo: Repo) -> None:
    first = repo.head
    repo.commit("one")
    assert base_of(repo, There(main=first))[1] == [
        "1 commit is not on GitHub's main yet and will be part of each pull request"
    ]
    repo.commit("two")
    assert base_of(repo, There(main=first))[1] == [
        "2 commits are not on GitHub's main yet and will be part of each pull request"
    ]


def test_base_that_is_behind_github_is_told_with_what_to_do(repo: Repo) -> None:
    first = repo.head
    repo.commit("one")
    there = There(main=repo.head)
    repo.git("reset", "--hard", "--quiet", first)
    told = "what the run starts from is 1 commit behind GitHub's main: "
    assert base_of(repo, there)[1] == [told + "git fetch origin, then --base origin/main"]
    assert base_of(repo, there, into="main")[1] == [told + "bring main up to date first"]
    assert base_of(repo, there, github=GitHubSettings(repository="o/r"))[1] == [told + "git fetch"]
    assert base_of(repo, there, base=first)[1] == []  # that is what was asked for


def test_commits_of_github_that_were_never_fetched_are_told(repo: Repo) -> None:
    assert base_of(repo, There(main="e" * 40))[1] == [
        "GitHub's main has commits that are not here, and the run starts without them: "
        "git fetch origin, then --base origin/main"
    ]


def test_who_goes_on_with_a_plan_is_not_told_to_start_from_something_else(repo: Repo) -> None:
    place, there = Place(repo.git_dir, repo.path), There(main="e" * 40)
    assert pull_base(place, there.opened(), Settings(), Oid(repo.head), starting=False).notes == ()


def test_in_this_repository_the_base_is_as_it_was(repo: Repo) -> None:
    place = Place(repo.git_dir, repo.path)
    local = Opened(ElsewhereForge())
    assert pull_base(place, local, Settings(), Oid(repo.head)) == Target("main")
    repo.git("switch", "--quiet", "--detach")
    assert pull_base(place, local, Settings(), Oid(repo.head)) == Target(repo.head)


def test_base_that_moved_since_is_told(repo: Repo) -> None:
    there = There(main="1" * 40)
    github: Any = there
    outside = Outside(there.opened(), github, github, Place(repo.git_dir, repo.path), {})
    assert outside.moved("main", "1" * 40) == ""
    assert outside.moved("main", "") == ""  # a run of an earlier version: not known
    there.branches["refs/heads/main"] = Oid("2" * 40)
    assert outside.moved("main", "1" * 40).startswith("main has moved on GitHub since")
    del there.branches["refs/heads/main"]
    assert "is not on GitHub any more" in outside.moved("main", "1" * 40)


# --- templates


def with_template(path: str) -> Settings:
    return Settings(github=GitHubSettings(template=path))


def test_template_is_read_as_the_base_has_it(repo: Repo) -> None:
    repo.write("pull.md", "# {title}\n")
    repo.commit("template")
    repo.write("pull.md", "changed and not committed {nonsense}\n")
    opened, base = open_repository(repo.git_dir), Oid(repo.head)
    assert template_at(opened, base, with_template("pull.md")) == "# {title}\n"
    assert template_at(opened, base, Settings()) == ""


def test_template_that_is_not_there_is_told_with_what_to_do(repo: Repo) -> None:
    repo.write("pull.md", "not committed\n")
    repo.write("raw.md", b"\xff\xfe")
    repo.git("add", "raw.md")
    repo.git("commit", "--quiet", "--message", "raw")
    for path in ("pull.md", "src", "../x", "raw.md"):
        with pytest.raises(UserError) as caught:
            template_at(open_repository(repo.git_dir), Oid(repo.head), with_template(path))
        assert "is no file with text" in caught.value.message


def test_mistake_in_a_template_is_told_with_its_place(repo: Repo) -> None:
    repo.write("pull.md", "{summary}\n{phase}\n")
    repo.commit("template")
    with pytest.raises(InvalidInput) as caught:
        template_at(open_repository(repo.git_dir), Oid(repo.head), with_template("pull.md"))
    assert str(caught.value.problems[0]).startswith("pull.md:2:1: unknown placeholder {phase}")


# --- the job


def test_address_of_the_job_is_known_inside_actions_only() -> None:
    job = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "ada/engine",
        "GITHUB_RUN_ID": "17",
    }
    assert job_address(job) == "https://github.com/ada/engine/actions/runs/17"
    assert job_address({**job, "GITHUB_ACTIONS": ""}) == ""
    assert job_address({**job, "GITHUB_RUN_ID": "17) [x](https://evil"}) == ""
    assert job_address({}) == ""
