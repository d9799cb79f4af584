"""The client against the stand-in: what GitHub does itself with limits, names, Apps and conditional questions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.clock import Clock, SystemClock
from shared.forge.github.addresses import host_at
from shared.forge.github.auth import App, Given
from shared.forge.github.client import Client, open_client
from shared.forge.github.errors import AnswerLost, Refused
from shared.forge.github.limits import Limiter
from shared.forge.github.waiting import Turnstile, Waiting
from tests.support.github.clocks import ScaledClock
from tests.support.github.standin import GitHub

pytestmark = pytest.mark.git
SCALE = 25.0  # a minute of limits in 2.4 seconds


def opened(github: GitHub, who: Given | App | None = None) -> Client:
    return open_client(
        host_at(github.api),
        who or Given(github.token, "$GITHUB_TOKEN"),
        github.repo.full_name,
        clock=SystemClock(),
        stop=threading.Event(),
    )


@pytest.fixture
def client(github: GitHub) -> Iterator[Client]:
    made = opened(github)
    yield made
    made.close()


def repository(github: GitHub) -> str:
    return f"/repos/{github.repo.full_name}"


def test_pages_are_as_the_server_numbers_them(github: GitHub, client: Client) -> None:
    for number in range(1, 8):
        github.issue(f"Issue {number}")
    items = client.pages(f"{repository(github)}/issues", per_page=3, direction="asc")
    assert [item["number"] for item in items] == [1, 2, 3, 4, 5, 6, 7]
    assert client.calls == {"GET": 3}


def test_what_has_not_changed_counts_against_no_limit(github: GitHub, client: Client) -> None:
    issue = github.issue("One")
    path = f"{repository(github)}/issues/{issue.number}"
    assert [client.get(path)["title"] for _ in range(3)] == ["One"] * 3
    github.edit(issue, title="Two")
    assert client.get(path)["title"] == "Two"
    assert len(github.calls.counting()) == 2
    assert client.calls == {"GET": 4, "304": 2}


def test_repository_that_was_renamed_is_found(github: GitHub, client: Client) -> None:
    before = repository(github)
    github.rename("gadgets")
    assert client.get(before)["full_name"] == "acme/gadgets"


def test_app_has_a_token_of_its_own(github: GitHub) -> None:
    for app in (
        App(str(github.app_id), github.app_key()),
        App(str(github.app_id), github.app_key(), str(github.installation)),
    ):
        client = opened(github, app)
        assert client.get(repository(github))["full_name"] == "acme/widgets"
        assert client.auth.token().startswith("ghs_")
        client.close()


def test_app_with_a_wrong_key_is_named(github: GitHub) -> None:
    client = opened(github, App("12345", github.app_key(), str(github.installation)))
    with pytest.raises(Refused, match="the token of the GitHub App 12345"):
        client.get(repository(github))
    client.close()


def test_change_whose_answer_was_lost_was_made_once(github: GitHub, client: Client) -> None:
    issue = github.issue("One")
    github.fail("POST .*/comments", "lose")
    with pytest.raises(AnswerLost):
        client.send(
            "POST", f"{repository(github)}/issues/{issue.number}/comments", {"body": "here"}, creates=True
        )
    assert github.comments(issue) == ["here"]


def test_change_that_a_limit_refused_is_made_once(github: GitHub, client: Client) -> None:
    issue = github.issue("One")
    github.fail("POST .*/comments", "secondary", headers={"Retry-After": "1"})
    client.send(
        "POST", f"{repository(github)}/issues/{issue.number}/comments", {"body": "here"}, creates=True
    )
    assert github.comments(issue) == ["here"]


def test_server_of_a_company_is_believed_by_its_own_authority(
    secure_github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github = secure_github
    assert github.tls is not None
    monkeypatch.setenv("SSL_CERT_FILE", str(github.tls.authority))
    client = opened(github)
    assert client.get(repository(github))["full_name"] == "acme/widgets"
    client.close()


# R21


def scaled(github: GitHub, clock: Clock, told: Callable[[Waiting | None], None]) -> Client:
    turnstile = Turnstile(
        Limiter(),
        clock,
        threading.Event(),
        told,
        lambda condition, seconds: condition.wait(seconds / SCALE),
    )
    return Client(host_at(github.api), Given(github.token, "x"), turnstile=turnstile, clock=clock)


def test_hundred_tasks_at_once_trip_none_of_the_real_limits(
    template_repository: Path, tmp_path: Path
) -> None:
    """Each makes a comment and a second one, edits it, labels its issue and looks at it: 600 requests of 32 threads."""
    clock, told = ScaledClock(SCALE), list[Waiting | None]()
    with GitHub(template_repository, tmp_path / "github", clock=clock) as github:
        client = scaled(github, clock, told.append)
        issues = [github.issue(f"Issue {number}") for number in range(100)]

        def task(number: int) -> None:
            path = f"{repository(github)}/issues/{number}"
            client.send("POST", f"{path}/comments", {"body": "begun"}, creates=True)
            made = client.send("POST", f"{path}/comments", {"body": "done"}, creates=True)
            client.get(path)
            client.send("PATCH", f"{repository(github)}/issues/comments/{made['id']}", {"body": "well done"})
            client.send("PATCH", path, {"labels": ["done"]})
            client.send("PATCH", path, {"title": "Done"})

        with ThreadPoolExecutor(32) as pool:
            list(pool.map(task, [issue.number for issue in issues]))
        client.close()
        assert github.limits.refusals == []
        assert github.violations == []
        assert {tuple(github.comments(issue)) for issue in issues} == {("begun", "well done")}
        assert len(github.calls.api()) == 600
    reasons = {waiting.why for waiting in told if waiting is not None}
    assert reasons <= {"80 creations a minute", "900 points a minute"}
    assert reasons or clock.monotonic() > 180.0, "as fast as that, a limit should have been met"


def test_server_that_knows_only_the_older_version_is_spoken_to_in_that_one(
    github: GitHub, client: Client
) -> None:
    github.versions = github.versions[:1]
    issue = github.issue("One")
    path = f"{repository(github)}/issues/{issue.number}"
    assert client.send("POST", f"{path}/comments", {"body": "said"}, creates=True)["body"] == "said"
    assert client.get(path)["comments"] == 1
    assert client.calls == {"POST": 2, "GET": 1}
