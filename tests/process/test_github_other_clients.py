"""Second opinions: GitHub's own program and another library see in the stand-in what is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from tests.support.github.standin import GitHub
from tests.support.github.state import Issue
from tests.support.repository import Repo
from tests.support.running import Done, Spinney

pytestmark = [pytest.mark.process, pytest.mark.git]

needs_gh = pytest.mark.skipif(shutil.which("gh") is None, reason="the program gh is not installed")
REPO = "acme/widgets"


class Program:
    """``gh`` in a home of its own, which trusts the stand-in."""

    def __init__(self, github: GitHub) -> None:
        assert github.tls is not None
        self._host = github.host
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "GH_HOST": github.host,
            "GH_ENTERPRISE_TOKEN": github.token, "SSL_CERT_FILE": str(github.tls.authority),
            "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1",
        }  # fmt: skip

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(["gh", *arguments], env=self._environment, capture_output=True, text=True)
        assert done.returncode == 0, f"gh {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments))

    @property
    def repository(self) -> str:
        return f"{self._host}/{REPO}"


def furnish(github: GitHub) -> tuple[Issue, Issue]:
    """An issue and a draft that closes it, with all that may hang on them."""
    eve = github.person("eve", "write")
    issue = github.issue(
        "Add a thing",
        "It is missing.",
        labels=["ready"],
        assignees=["eve"],
        milestone=github.milestone("1.0"),
    )
    github.comment(issue, "By the way", author=eve)
    github.issue("Another", "", author=eve, state="closed")
    github.commit("spinney/issue-1", "thing.txt", "a thing\n", "add a thing")
    pull = github.pull("spinney/issue-1", title="The thing", body="Closes #1", draft=True)
    github.label(pull, "made-by-spinney")
    github.check(pull, "test", "failure", log="it failed\n")
    github.status(pull, "success", "spinney", "3 phases")
    github.review(pull, "CHANGES_REQUESTED", "no", author=eve, comments=[("thing.txt", 1, "why?")])
    return issue, pull


@needs_gh
def test_gh_lists_the_pull_requests_that_are_there(secure_github: GitHub) -> None:
    _, pull = furnish(secure_github)
    gh = Program(secure_github)
    fields = "number,title,state,isDraft,headRefName,baseRefName,labels,url"
    (seen,) = gh.json("pr", "list", "-R", gh.repository, "--state", "all", "--json", fields)
    assert {key: seen[key] for key in ("number", "title", "state", "isDraft", "headRefName", "baseRefName")} == {
        "number": pull.number, "title": "The thing", "state": "OPEN", "isDraft": True,
        "headRefName": "spinney/issue-1", "baseRefName": "main",
    }  # fmt: skip
    assert [label["name"] for label in seen["labels"]] == ["made-by-spinney"]
    assert "The thing" in gh("pr", "list", "-R", gh.repository)


@needs_gh
def test_gh_shows_a_pull_request_with_its_checks_and_reviews(secure_github: GitHub) -> None:
    _, pull = furnish(secure_github)
    gh = Program(secure_github)
    fields = (
        "number,body,state,mergeable,mergeStateStatus,reviewDecision,statusCheckRollup,reviews,files,commits,"
        "additions,headRefOid,author,comments,assignees,milestone"
    )
    seen = gh.json("pr", "view", str(pull.number), "-R", gh.repository, "--json", fields)
    assert (seen["body"], seen["mergeable"], seen["mergeStateStatus"]) == ("Closes #1", "MERGEABLE", "DRAFT")
    checks = {
        one.get("name") or one.get("context"): one.get("conclusion") or one.get("state")
        for one in seen["statusCheckRollup"]
    }
    assert checks == {"test": "FAILURE", "spinney": "SUCCESS"}
    assert [(one["author"]["login"], one["state"]) for one in seen["reviews"]] == [
        ("eve", "CHANGES_REQUESTED")
    ]
    assert [one["path"] for one in seen["files"]] == ["thing.txt"]
    assert [one["messageHeadline"] for one in seen["commits"]] == ["add a thing"]
    assert seen["headRefOid"] == secure_github.bare.heads()["spinney/issue-1"]
    assert "The thing" in gh("pr", "view", str(pull.number), "-R", gh.repository)


@needs_gh
def test_gh_lists_and_shows_issues(secure_github: GitHub) -> None:
    issue, _ = furnish(secure_github)
    gh = Program(secure_github)
    fields = "number,title,body,state,labels,assignees,milestone,author,comments"
    (seen,) = gh.json("issue", "list", "-R", gh.repository, "--label", "ready", "--json", fields)
    assert (seen["number"], seen["title"], seen["state"]) == (issue.number, "Add a thing", "OPEN")
    assert (seen["milestone"]["title"], seen["assignees"][0]["login"]) == ("1.0", "eve")
    assert [one["body"] for one in seen["comments"]] == ["By the way"]
    assert "Add a thing" in gh("issue", "view", "1", "-R", gh.repository)
    assert len(gh.json("issue", "list", "-R", gh.repository, "--state", "all", "--json", "number")) == 2


@needs_gh
def test_gh_asks_the_api_page_by_page(secure_github: GitHub) -> None:
    for number in range(5):
        secure_github.issue(f"Issue {number}")
    gh = Program(secure_github)
    told = gh("api", "--paginate", f"repos/{REPO}/issues?per_page=2", "--jq", ".[].number")
    assert told.split() == ["5", "4", "3", "2", "1"]


@needs_gh
def test_gh_merges_a_pull_request(secure_github: GitHub) -> None:
    issue, pull = furnish(secure_github)
    gh = Program(secure_github)
    gh("pr", "ready", str(pull.number), "-R", gh.repository)
    gh("pr", "merge", str(pull.number), "-R", gh.repository, "--squash")
    assert [one.number for one in secure_github.pulls("merged")] == [pull.number]
    assert issue.state == "closed"
    assert secure_github.bare.read("main", "thing.txt") == "a thing\n"


WORKFLOW = """\
version: 1
name: quick
phases:
  - name: code
    agents:
      - {name: CODER, run: 'echo done > "$SPINNEY_TASK.txt"'}
"""
Facts = tuple[int, str, str, str, bool, tuple[str, ...]]  # number, head, base, title, draft, labels


def of_spinney(done: Done) -> list[Facts]:
    return sorted(
        (one["number"], one["head"], one["base"], one["title"], one["as_draft"], tuple(sorted(one["labels"])))
        for one in done.json
    )


def of_gh(github: GitHub) -> list[Facts]:
    gh = Program(github)
    fields = "number,headRefName,baseRefName,title,isDraft,labels"
    return sorted(
        (
            one["number"], one["headRefName"], one["baseRefName"], one["title"], one["isDraft"],
            tuple(sorted(label["name"] for label in one["labels"])),
        )
        for one in gh.json("pr", "list", "-R", gh.repository, "--json", fields)
    )  # fmt: skip


def of_library(github: GitHub) -> list[Facts]:
    from github import Auth, Github

    client = Github(
        base_url=github.api, auth=Auth.Token(github.token), retry=None, seconds_between_requests=None,
        verify=str(github.tls.authority) if github.tls else True,
    )  # fmt: skip
    try:
        return sorted(
            (
                one.number, one.head.ref, one.base.ref, one.title, one.draft,
                tuple(sorted(label.name for label in one.labels)),
            )
            for one in client.get_repo(REPO).get_pulls(state="open")
        )  # fmt: skip
    finally:
        client.close()


@needs_gh
def test_all_see_the_pull_requests_that_spinney_reports(
    secure_github: GitHub, repo: Repo, spinney: Spinney
) -> None:
    github = secure_github
    assert github.tls is not None
    for number, body in ((1, "Do it."), (2, "Blocked by #1"), (3, "Do it.")):
        github.issue(f"Task {number}", body, labels=("ready",))
    repo.write("quick.yaml", WORKFLOW)
    repo.write("spinney.yaml", "pull_requests: stacked\ngithub: {labels: [made-by-spinney, later]}\n")
    repo.commit("how we work")
    repo.git("push", "--quiet", str(github.bare.path), "main")
    repo.git("remote", "add", "origin", github.git_url)
    spinney.extra |= github.environment() | {"SSL_CERT_FILE": str(github.tls.authority)}
    done = spinney("run", "--label", "ready", "--workflow", "quick.yaml", "--json")
    assert done.code == 0, done.err
    github.edit(github.pulls()[0], title="A better title")
    seen = of_spinney(spinney("pr", "list", "--forge", "github", "--json"))
    assert of_gh(github) == seen
    assert of_library(github) == seen
    heads = {head: (number, base) for number, head, base, *_ in seen}
    assert {head: base for head, (_, base) in heads.items()} == {
        "spinney/issue-1": "main", "spinney/issue-2": "spinney/issue-1", "spinney/issue-3": "main",
    }  # fmt: skip
    assert {(draft, labels) for *_, draft, labels in seen} == {(True, ("later", "made-by-spinney"))}
    assert {task["branch"]: task["pull_request"]["number"] for task in done.tasks.values()} == {
        head: number for head, (number, _) in heads.items()
    }


def test_another_library_sees_the_same(github: GitHub) -> None:
    from github import Auth, Github

    issue, pull = furnish(github)
    client = Github(
        base_url=github.api, auth=Auth.Token(github.token), retry=None, seconds_between_requests=None
    )
    try:
        repository = client.get_repo(REPO)
        assert (repository.default_branch, client.get_user().login) == ("main", "ada")
        (seen,) = repository.get_pulls(state="open")
        assert (seen.number, seen.title, seen.draft, seen.head.ref, seen.base.ref) == (
            pull.number, "The thing", True, "spinney/issue-1", "main",
        )  # fmt: skip
        assert seen.head.sha == github.bare.heads()["spinney/issue-1"]
        assert [label.name for label in seen.labels] == ["made-by-spinney"]
        assert [file.filename for file in seen.get_files()] == ["thing.txt"]
        assert [review.state for review in seen.get_reviews()] == ["CHANGES_REQUESTED"]
        listed = {one.number: one for one in repository.get_issues(state="all")}
        assert sorted(listed) == [1, 2, 3]
        assert listed[pull.number].pull_request is not None
        assert (listed[1].title, listed[1].milestone.title) == ("Add a thing", "1.0")
        assert [one.body for one in listed[issue.number].get_comments()] == ["By the way"]
        assert repository.get_collaborator_permission("eve") == "write"
        status = repository.get_commit(seen.head.sha).get_combined_status()
        assert [(one.context, one.state) for one in status.statuses] == [("spinney", "success")]
    finally:
        client.close()


def test_another_library_changes_what_there_is(github: GitHub) -> None:
    from github import Auth, Github

    _, pull = furnish(github)
    client = Github(
        base_url=github.api, auth=Auth.Token(github.token), retry=None, seconds_between_requests=None
    )
    try:
        repository = client.get_repo(REPO)
        made = repository.create_issue(title="New", body="text", labels=["later"])
        made.create_comment("hello").edit("hello again")
        made.edit(state="closed", state_reason="not_planned")
        repository.get_pull(pull.number).edit(title="Better", base="main")
        assert (github.get(made.number).state, github.get(made.number).reason) == ("closed", "not_planned")
        assert github.comments(made.number) == ["hello again"]
        assert github.get(pull.number).title == "Better"
    finally:
        client.close()
