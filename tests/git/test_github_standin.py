"""The stand-in for GitHub behaves as GitHub does in what clients rely on."""

from __future__ import annotations

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from shared.clock import ManualClock
from tests.support.github.clocks import ScaledClock
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.standin import GitHub
from tests.support.github.state import Issue
from tests.support.repository import git_environment

pytestmark = pytest.mark.git

REPO = "/repos/acme/widgets"


class Asking:
    """A client that takes every answer as it comes."""

    def __init__(self, github: GitHub, token: str | None = None) -> None:
        self._github = github
        headers = (
            {"authorization": f"Bearer {github.token if token is None else token}"} if token != "" else {}
        )
        self.client = httpx2.Client(base_url=github.api, headers=headers, follow_redirects=False)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, json=body, headers=named)

    def graphql(self, query: str, **variables: Any) -> Any:
        asked = {"query": query, "variables": variables}
        return self.client.post(self._github.graphql, json=asked).json()


@pytest.fixture
def ask(github: GitHub) -> Iterator[Asking]:
    asking = Asking(github)
    yield asking
    asking.client.close()


@pytest.fixture
def with_token(github: GitHub) -> Iterator[Any]:
    made: list[Asking] = []

    def asking(token: str) -> Asking:
        made.append(Asking(github, token))
        return made[-1]

    yield asking
    for one in made:
        one.client.close()


def pushed(github: GitHub, branch: str = "topic", base: str = "", path: str = "") -> str:
    return github.commit(branch, path or f"{branch}.txt", f"{branch}\n", f"work on {branch}", start=base)


def opened(github: GitHub, branch: str = "topic", base: str = "main", body: str = "") -> Issue:
    pushed(github, branch, base)
    return github.pull(branch, base, f"About {branch}", body)


def git(*arguments: str, cwd: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    environment = git_environment()
    if token:
        value = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {value}",
        }  # fmt: skip
    return subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


# --- pull requests and branches


def test_head_follows_pushes_and_can_be_fetched_by_number(github: GitHub) -> None:
    pull = opened(github)
    tip = pushed(github, path="more.txt")
    github.pulls()
    assert pull_of(pull).head_sha == tip
    assert github.bare.refs("refs/pull/") == {f"refs/pull/{pull.number}/head": tip}


def test_pull_request_is_merged_when_its_base_contains_it(github: GitHub, ask: Asking) -> None:
    github.issue("To be closed")
    pull = opened(github, body="It fixes #1.")
    tip = pull_of(pull).head_sha
    github.move("main", tip)
    seen = ask("GET", f"{REPO}/pulls/{pull.number}", x_github_api_version="2022-11-28").json()
    assert (seen["merged"], seen["state"], seen["merge_commit_sha"]) == (True, "closed", tip)
    assert github.get(1).state == "closed"


def test_head_moved_back_into_its_base_closes_and_does_not_merge(github: GitHub) -> None:
    pull = opened(github)
    github.move("topic", github.bare.heads()["main"])
    assert github.pulls("closed") == [pull]


@pytest.mark.parametrize(("method", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
def test_merge_makes_a_real_commit(github: GitHub, ask: Asking, method: str, parents: int) -> None:
    pull = opened(github)
    pushed(github, "main", path="meanwhile.txt")
    answer = ask(
        "PUT", f"{REPO}/pulls/{pull.number}/merge", {"merge_method": method, "sha": pull_of(pull).head_sha}
    )
    commit = github.bare.commit(answer.json()["sha"])
    assert commit is not None
    assert len(commit.parents) == parents
    assert github.bare.read("main", "topic.txt") == "topic\n"
    assert github.bare.read("main", "meanwhile.txt") == "main\n"
    assert github.pulls("merged") == [pull]


def test_merge_is_refused_in_githubs_words(github: GitHub, ask: Asking) -> None:
    pull = opened(github)
    path = f"{REPO}/pulls/{pull.number}/merge"
    assert ask("PUT", path, {"sha": "0" * 40}).status_code == 409
    pull_of(pull).draft = True
    assert (ask("PUT", path).status_code, ask("PUT", path).json()["message"]) == (
        405,
        "Pull Request is still a draft",
    )
    pull_of(pull).draft = False
    github.repo.required_checks = ("ci",)
    assert ask("PUT", path).json()["message"] == 'Required status check "ci" is expected.'
    github.status(pull, "success", "ci")
    pushed(github, "main", path="topic.txt")
    assert ask("PUT", path).json()["message"] == "Pull Request is not mergeable"
    seen = ask("GET", f"{REPO}/pulls/{pull.number}").json()
    assert (seen["mergeable"], seen["mergeable_state"]) == (False, "dirty")


def test_base_that_was_merged_and_deleted_hands_its_pull_requests_on(github: GitHub) -> None:
    parent = opened(github, "parent")
    child = opened(github, "child", "parent")
    github.merge(parent)
    github.move("parent", None)
    assert (pull_of(child).base, child.state) == ("main", "open")


def test_base_that_was_deleted_unmerged_closes_its_pull_requests(github: GitHub) -> None:
    opened(github, "parent")
    child = opened(github, "child", "parent")
    github.move("parent", None)
    assert child.state == "closed"


def test_keywords_count_only_towards_the_default_branch(github: GitHub) -> None:
    github.issue("One")
    parent = opened(github, "parent")
    child = opened(github, "child", "parent", "Closes #1")
    github.merge(child)
    assert github.get(1).state == "open"
    github.merge(parent)
    assert github.get(1).state == "open"


def test_keywords_in_code_and_comments_do_not_count(github: GitHub) -> None:
    github.issue("One")
    github.merge(opened(github, body="`closes #1`\n\n<!-- fixes #1 -->\n\n```\nresolves #1\n```\n"))
    assert github.get(1).state == "open"


@pytest.mark.parametrize(
    ("head", "base", "said"),
    [
        ("topic", "main", "A pull request already exists for acme:topic."),
        ("even", "main", "No commits between main and even"),
        ("nowhere", "main", "head"),
        ("topic", "nowhere", "base"),
    ],
)
def test_what_cannot_be_opened_is_refused(
    github: GitHub, ask: Asking, head: str, base: str, said: str
) -> None:
    opened(github)
    github.bare.set("refs/heads/even", github.bare.heads()["main"])
    answer = ask("POST", f"{REPO}/pulls", {"title": "T", "head": head, "base": base})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert said in (error.get("message"), error.get("field"))


def test_text_has_githubs_bounds(github: GitHub, ask: Asking) -> None:
    pushed(github)
    for title, body in (("t" * 257, ""), ("T", "b" * 65_537), (" ", "")):
        answer = ask("POST", f"{REPO}/pulls", {"title": title, "head": "topic", "base": "main", "body": body})
        assert answer.status_code == 422
    assert github.pulls() == []


def test_mergeability_can_be_unknown_at_first(github: GitHub, ask: Asking) -> None:
    github.lazy_mergeable = True
    pull = opened(github)
    assert [ask("GET", f"{REPO}/pulls/{pull.number}").json()["mergeable"] for _ in range(2)] == [None, True]


def test_auto_merge_waits_for_what_is_required(github: GitHub, ask: Asking) -> None:
    github.repo.required_checks = ("test",)
    pull = opened(github)
    github.check(pull, "test", None)
    told = ask.graphql(
        "mutation($id: ID!) { enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: SQUASH})"
        " { pullRequest { autoMergeRequest { mergeMethod } mergeStateStatus } } }",
        id=f"PR_{pull.id}",
    )
    seen = told["data"]["enablePullRequestAutoMerge"]["pullRequest"]
    assert seen == {"autoMergeRequest": {"mergeMethod": "SQUASH"}, "mergeStateStatus": "BLOCKED"}
    assert github.pulls("merged") == []
    github.check(pull, "test", "success")
    assert github.pulls("merged") == [pull]


def test_queue_brings_in_what_was_put_there(github: GitHub, ask: Asking) -> None:
    github.repo.queue = True
    pull = opened(github)
    assert "merge queue" in ask("PUT", f"{REPO}/pulls/{pull.number}/merge").json()["message"]
    query = "mutation($id: ID!) { enqueuePullRequest(input: {pullRequestId: $id}) { mergeQueueEntry { position } } }"
    told = ask.graphql(query, id=f"PR_{pull.id}")
    assert told["data"]["enqueuePullRequest"]["mergeQueueEntry"] == {"position": 1}
    github.run_queue()
    assert github.pulls("merged") == [pull]


def test_rule_that_wants_reviews_decides(github: GitHub, ask: Asking) -> None:
    github.repo.approvals = 1
    pull = opened(github)
    query = 'query($n: Int!) { repository(owner: "acme", name: "widgets") { pullRequest(number: $n) { reviewDecision } } }'

    def decision() -> str:
        return str(ask.graphql(query, n=pull.number)["data"]["repository"]["pullRequest"]["reviewDecision"])

    assert decision() == "REVIEW_REQUIRED"
    github.review(pull, "APPROVED", author=github.person("reader", "read"))
    assert decision() == "REVIEW_REQUIRED"
    github.review(pull, "CHANGES_REQUESTED", author=github.person("eve"))
    assert decision() == "CHANGES_REQUESTED"
    github.review(pull, "APPROVED", author="eve")
    assert decision() == "APPROVED"


# --- issues


def test_labels_are_made_where_they_are_missing(github: GitHub, ask: Asking) -> None:
    github.issue("One", labels=["Bug"])
    assert ask("PATCH", f"{REPO}/issues/1", {"labels": ["bug", "new"]}).status_code == 200
    assert [label.name for label in github.get(1).labels] == ["Bug", "new"]
    assert [label.name for label in github.repo.labels] == ["Bug", "new"]


def test_deleted_and_transferred_issues_say_so(
    github: GitHub, ask: Asking, template_repository: Path
) -> None:
    github.issue("One"), github.issue("Two")
    other = github.repository("gadgets", template_repository)
    github.delete(1)
    github.transfer(2, other)
    assert ask("GET", f"{REPO}/issues/1").status_code == 410
    answer = ask("GET", f"{REPO}/issues/2")
    assert answer.status_code == 301
    assert ask("GET", answer.headers["location"]).json()["title"] == "Two"
    assert ask("GET", f"{REPO}/issues/3").status_code == 404


def test_renamed_repository_leads_to_its_new_name(github: GitHub, ask: Asking, tmp_path: Path) -> None:
    github.issue("One")
    github.rename("gizmos")
    answer = ask("GET", f"{REPO}/issues/1")
    assert (answer.status_code, ask("POST", f"{REPO}/issues/1/comments", {"body": "x"}).status_code) == (
        301,
        307,
    )
    assert ask("GET", answer.headers["location"]).json()["title"] == "One"
    assert (
        git("ls-remote", f"{github.url}/acme/widgets.git", cwd=tmp_path, token=github.token).returncode == 0
    )
    named = ask.graphql('{ repository(owner: "acme", name: "widgets") { nameWithOwner } }')
    assert named["data"]["repository"]["nameWithOwner"] == "acme/gizmos"


def test_locked_issue_takes_comments_of_writers_only(github: GitHub, ask: Asking, with_token: Any) -> None:
    github.issue("One", locked=True)
    reader = with_token(github.new_token(github.person("reader", "read")).value)
    assert reader("POST", f"{REPO}/issues/1/comments", {"body": "x"}).status_code == 403
    assert ask("POST", f"{REPO}/issues/1/comments", {"body": "x"}).status_code == 201


def test_search_knows_the_qualifiers_that_are_asked_for(github: GitHub, ask: Asking) -> None:
    github.issue("Fix the door", labels=["ready", "good first"])
    github.issue("Paint the door", author=github.person("eve"), state="closed")
    opened(github)

    def numbers(query: str) -> list[int]:
        answer = ask.client.get("/search/issues", params={"q": f"repo:acme/widgets {query}"})
        return [item["number"] for item in answer.json()["items"]]

    assert numbers("is:issue") == [2, 1]
    assert numbers('is:open label:"good first"') == [1]
    assert numbers("author:eve door") == [2]
    assert numbers("is:pr -is:draft") == [3]
    assert ask.client.get("/search/issues", params={"q": "unheard:of"}).status_code == 422


# --- who may what


def test_bad_and_expired_tokens_are_refused(github: GitHub, with_token: Any, tmp_path: Path) -> None:
    late = github.new_token("ada", expires=github.clock.now() - 1).value
    for token in ("nonsense", late):
        assert with_token(token)("GET", "/user").json()["message"] == "Bad credentials"
        assert git("ls-remote", github.git_url, cwd=tmp_path, token=token).returncode != 0


def test_token_without_the_permission_is_refused_with_its_name(github: GitHub, with_token: Any) -> None:
    github.issue("One")
    actions = with_token(github.actions_token({"issues": "read", "contents": "read"}).value)
    answer = actions("POST", f"{REPO}/issues/1/comments", {"body": "x"})
    assert (answer.status_code, answer.json()["message"]) == (403, "Resource not accessible by integration")
    assert answer.headers["x-accepted-github-permissions"] == "issues=write; pull_requests=write"
    assert actions("GET", f"{REPO}/issues/1").status_code == 200
    assert actions("GET", "/user").status_code == 403
    told = actions.graphql(
        'mutation($id: ID!) { addComment(input: {subjectId: $id, body: "x"}) { clientMutationId } }',
        id=f"I_{github.get(1).id}",
    )
    assert told["errors"][0]["type"] == "FORBIDDEN"


def test_private_repository_is_not_there_for_strangers(
    github: GitHub, with_token: Any, tmp_path: Path
) -> None:
    github.repo.private = True
    stranger = github.new_token(github.person("stranger", None)).value
    assert with_token(stranger)("GET", REPO).status_code == 404
    assert git("ls-remote", github.git_url, cwd=tmp_path).returncode != 0
    assert git("ls-remote", github.git_url, cwd=tmp_path, token=stranger).returncode != 0
    assert git("ls-remote", github.git_url, cwd=tmp_path, token=github.token).returncode == 0


def test_app_trades_its_key_for_a_token_of_an_hour(github: GitHub, with_token: Any) -> None:
    now = int(time.time())
    signed = jwt.encode(
        {"iss": str(github.app_id), "iat": now - 60, "exp": now + 540}, github.app_key(), "RS256"
    )
    app = with_token(signed)
    id = app("GET", f"{REPO}/installation").json()["id"]
    token = app(
        "POST", f"/app/installations/{id}/access_tokens", {"permissions": {"issues": "write"}}
    ).json()["token"]
    github.issue("One")
    assert with_token(token)("POST", f"{REPO}/issues/1/comments", {"body": "x"}).status_code == 201
    assert github.get(1).comments[0].author.login == "spinney-test[bot]"
    assert with_token("a.b.c")("GET", "/app").status_code == 401


def test_permission_is_of_now(github: GitHub, ask: Asking) -> None:
    github.person("eve", "maintain")
    seen = ask("GET", f"{REPO}/collaborators/eve/permission").json()
    assert (seen["permission"], seen["role_name"]) == ("write", "maintain")
    github.person("eve", "read")
    assert ask("GET", f"{REPO}/collaborators/eve/permission").json()["role_name"] == "read"


# --- git over HTTP


def test_push_needs_a_token_that_may_write(github: GitHub, tmp_path: Path) -> None:
    assert git("clone", "-q", github.git_url, "clone", cwd=tmp_path).returncode == 0
    clone = tmp_path / "clone"
    reader = github.new_token(github.person("reader", "read")).value
    weak = github.actions_token({"contents": "read"}).value
    for token, said in (("", "could not read Username"), (reader, "403"), (weak, "403")):
        done = git("push", "-q", "origin", "HEAD:refs/heads/new", cwd=clone, token=token)
        assert done.returncode != 0
        assert said in done.stderr
    assert git("push", "-q", "origin", "HEAD:refs/heads/new", cwd=clone, token=github.token).returncode == 0
    (push,) = github.calls.pushes()
    assert push.changed == (("refs/heads/new", "0" * 40, github.bare.heads()["main"]),)


def test_protected_branch_and_refs_of_pull_requests_take_no_push(github: GitHub, tmp_path: Path) -> None:
    pull = opened(github)
    github.protect("main")
    git("clone", "-q", github.git_url, "clone", cwd=tmp_path)
    done = git("push", "origin", "origin/topic:refs/heads/main", cwd=tmp_path / "clone", token=github.token)
    assert done.returncode != 0
    assert "GH006" in done.stderr
    ref = f"refs/pull/{pull.number}/head"
    done = git("push", "origin", f"+origin/main:{ref}", cwd=tmp_path / "clone", token=github.token)
    assert "deny updating a hidden ref" in done.stderr
    assert ref in git("ls-remote", "origin", cwd=tmp_path / "clone").stdout


# --- the wire


def test_answer_that_did_not_change_is_not_sent_and_does_not_count(github: GitHub, ask: Asking) -> None:
    github.issue("One")
    first = ask("GET", f"{REPO}/issues/1")
    second = ask("GET", f"{REPO}/issues/1", if_none_match=first.headers["etag"])
    assert (second.status_code, second.content) == (304, b"")
    assert [call.counts for call in github.calls] == [True, False]
    github.edit(1, title="Other")
    assert ask("GET", f"{REPO}/issues/1", if_none_match=first.headers["etag"]).status_code == 200


def test_pages_are_linked(github: GitHub, ask: Asking) -> None:
    for number in range(5):
        github.issue(f"Issue {number}")
    answer = ask("GET", f"{REPO}/issues?per_page=2&state=all")
    seen = [item["number"] for item in answer.json()]
    while "next" in answer.links:
        answer = ask("GET", answer.links["next"]["url"])
        seen += [item["number"] for item in answer.json()]
    assert seen == [5, 4, 3, 2, 1]
    assert answer.links["first"]["url"].endswith("page=1")


def test_log_of_a_job_is_on_another_host(github: GitHub, ask: Asking) -> None:
    pull = opened(github)
    check = github.check(pull, "test", "failure", log="it failed\n")
    answer = ask("GET", f"{REPO}/actions/jobs/{check.id}/logs")
    assert answer.status_code == 302
    assert not answer.headers["location"].startswith(github.url)
    assert httpx2.get(answer.headers["location"]).text == "it failed\n"
    assert github.violations == []
    httpx2.get(answer.headers["location"], headers={"authorization": "Bearer x"})
    assert github.violations == ["the token was sent to another host"]
    github.violations.clear()


def test_versions_differ_in_what_they_show(github: GitHub, ask: Asking) -> None:
    pull = opened(github)
    old = ask("GET", f"{REPO}/pulls/{pull.number}", x_github_api_version="2022-11-28").json()
    new = ask("GET", f"{REPO}/pulls/{pull.number}", x_github_api_version="2026-03-10").json()
    assert set(old) - set(new) == {"merge_commit_sha", "assignee"}
    assert ask("GET", REPO, x_github_api_version="2020-01-01").status_code == 400


def test_what_is_not_as_described_is_remembered(github: GitHub, ask: Asking) -> None:
    ask("GET", f"{REPO}/issues?sort_by=age")
    ask("POST", f"{REPO}/issues", {"title": "T", "colour": "red"})
    ask("GET", f"{REPO}/horses")
    ask.graphql("{ viewer { shoeSize } }")
    ask.graphql('{ repository(owner: "acme", name: "widgets") { issues { nodes { number } } } }')
    assert len(github.violations) == 5, github.violations
    github.violations.clear()


def test_older_server_has_not_all_fields(github: GitHub, ask: Asking) -> None:
    github.hidden_fields = {"Issue.blockedBy"}
    github.issue("One")
    query = '{ repository(owner: "acme", name: "widgets") { issue(number: 1) { blockedBy(first: 1) { totalCount } } } }'
    (error,) = ask.graphql(query)["errors"]
    assert error["extensions"] == {"code": "undefinedField", "typeName": "Issue", "fieldName": "blockedBy"}
    github.hidden_fields = set()
    assert ask.graphql(query)["data"]["repository"]["issue"]["blockedBy"]["totalCount"] == 0


# --- limits


@pytest.fixture
def clock(github: GitHub) -> ManualClock:
    """Time that stands still until it is moved."""
    clock = ManualClock()
    github.use_clock(clock)
    return clock


def test_content_is_limited_to_eighty_a_minute_and_five_hundred_an_hour(
    github: GitHub, ask: Asking, clock: ManualClock
) -> None:
    github.issue("One")
    made = 0
    for _ in range(7):
        while (answer := ask("POST", f"{REPO}/issues/1/comments", {"body": "x"})).status_code == 201:
            made += 1
        assert answer.headers["retry-after"] == "60"
        assert "secondary rate limit" in answer.json()["message"]
        clock.advance(60)
    assert made == 500
    assert set(github.limits.refusals) == {"creations a minute", "creations an hour"}


def test_primary_limit_is_told_and_comes_back(github: GitHub, ask: Asking, clock: ManualClock) -> None:
    token = github.world.tokens[github.token]
    github.limits.use_up(token, "core", left=1)
    assert ask("GET", REPO).headers["x-ratelimit-remaining"] == "0"
    refused = ask("GET", REPO)
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "API rate limit exceeded" in refused.json()["message"]
    github.limits.use_up(token, "graphql")
    assert ask.graphql("{ viewer { login } }")["errors"][0]["type"] == "RATE_LIMITED"
    clock.advance(3601)
    assert ask("GET", REPO).status_code == 200


def test_points_and_requests_at_once_are_limited(github: GitHub, ask: Asking, clock: ManualClock) -> None:
    for _ in range(900):
        with github.lock:
            github.limits.enter(github.world.tokens[github.token], "core", False, False, "")
            github.limits.leave(github.world.tokens[github.token], "core", 1)
    assert ask("GET", REPO).status_code == 403
    clock.advance(61)
    github.limits.at_once = 1
    inside, go = threading.Event(), threading.Event()
    github.when(REPO, lambda: (inside.set(), go.wait(10)))
    waiting = threading.Thread(target=ask, args=("GET", REPO))
    waiting.start()
    inside.wait(10)
    assert ask("GET", f"{REPO}/issues").status_code == 403
    go.set()
    waiting.join()
    assert github.limits.refusals == ["points a minute", "100 at once"]


def test_hour_can_pass_in_moments(github: GitHub, ask: Asking) -> None:
    github.use_clock(ScaledClock(1_000_000))
    github.limits.use_up(github.world.tokens[github.token], "core")
    while ask("GET", REPO).status_code != 200:
        pass
    assert set(github.limits.refusals) <= {"primary limit of core"}


# --- what goes wrong on purpose


def test_answer_is_lost_and_the_deed_is_done(github: GitHub, ask: Asking) -> None:
    github.issue("One")
    github.fail("POST .*/comments", "lose", at=2)
    ask("POST", f"{REPO}/issues/1/comments", {"body": "first"})
    with pytest.raises(httpx2.RemoteProtocolError):
        ask("POST", f"{REPO}/issues/1/comments", {"body": "second"})
    ask("POST", f"{REPO}/issues/1/comments", {"body": "third"})
    assert github.comments(1) == ["first", "second", "third"]


def test_request_is_dropped_before_anything_is_done(github: GitHub, ask: Asking) -> None:
    github.issue("One")
    github.fail("POST .*/comments", "drop")
    with pytest.raises(httpx2.RemoteProtocolError):
        ask("POST", f"{REPO}/issues/1/comments", {"body": "first"})
    assert github.comments(1) == []


def test_every_kind_of_bad_answer_can_be_had(github: GitHub, ask: Asking) -> None:
    for kind, status in (
        ("status", 502),
        ("late-status", 502),
        ("secondary", 403),
        ("redirect", 302),
        ("junk", 200),
    ):
        github.faults.clear()
        github.fail(REPO, kind, address="http://localhost:1/elsewhere")
        assert ask("GET", REPO).status_code == status
        assert ask("GET", REPO).status_code == 200


def test_people_step_in_between(github: GitHub, ask: Asking) -> None:
    github.issue("One")
    github.when("PATCH .*/issues/1", lambda: github.edit(1, title="A person's"))
    github.when("GRAPHQL .*viewer", lambda: github.close(1), when="after")
    ask("PATCH", f"{REPO}/issues/1", {"labels": ["x"]})
    assert github.get(1).title == "A person's"
    ask.graphql("{ viewer { login } }")
    assert github.get(1).state == "closed"


def test_push_is_lost_and_has_arrived(github: GitHub, tmp_path: Path) -> None:
    git("clone", "-q", github.git_url, "clone", cwd=tmp_path)
    github.fail("GIT git-receive-pack", "lose")
    done = git("push", "-q", "origin", "HEAD:refs/heads/new", cwd=tmp_path / "clone", token=github.token)
    assert done.returncode != 0
    assert "new" in github.bare.heads()
