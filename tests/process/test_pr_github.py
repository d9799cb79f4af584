"""``spinney pr`` where pull requests are on GitHub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.composition.forges import Opened, open_forge
from orchestrator.runs import Place
from shared.forge.port import Draft, Sent
from shared.model import Oid, Settings
from tests.support.github.standin import GitHub
from tests.support.repository import Repo
from tests.support.running import Spinney

QUICK = """\
version: 1
name: quick
phases:
  - name: code
    agents:
      - {name: CODER, run: 'echo done > "$SPINNEY_TASK.txt"'}
"""

pytestmark = [pytest.mark.git, pytest.mark.process]


@pytest.fixture
def opened(repo: Repo, github: GitHub) -> Iterator[Opened]:
    repo.git("remote", "add", "origin", github.git_url)
    opened = open_forge(
        Place(repo.git_dir, repo.path), Settings(forge="github"), {"GITHUB_TOKEN": github.token}
    )
    yield opened
    opened.close()


def test_pull_requests_on_github_are_listed_shown_closed_and_merged(
    spinney: Spinney, repo: Repo, github: GitHub, opened: Opened
) -> None:
    spinney.extra |= github.environment()
    for n in (1, 2):
        tip = Oid(repo.commit(f"work {n}"))
        opened.forge.send([Sent(f"refs/heads/spinney/{n}", tip)])
        opened.forge.open(
            Draft(f"spinney/{n}", "main", f"Do {n}", "Why\x1b[31m", f"m{n}", as_draft=True), tip
        )
    github.commit("topic", "x", "y")
    github.pull("topic", title="somebody's")
    assert spinney("pr", "list").out == "no open pull requests\n"
    listed = spinney("pr", "list", "--forge", "github")
    assert listed.code == 0, listed.err
    assert listed.out.splitlines() == [f"#{n}    open    spinney/{n} → main  Do {n}" for n in (1, 2)]
    repo.write("spinney.yaml", "forge: github\ngithub: {method: squash}\n")
    assert spinney("pr", "list").out == listed.out
    shown = spinney("pr", "show", "1").out
    assert "Why" in shown
    assert "\x1b" not in shown
    assert f"see the change: {github.url}/acme/widgets/pull/1" in shown
    assert spinney("pr", "show", "#1").out == shown
    assert "'one' is not a valid integer" in spinney("pr", "show", "one").err
    assert spinney("pr", "close", "#2").out == "#2 closed; its commits stay on spinney/2\n"
    assert spinney("pr", "merge", "1").out == "#1 was merged\n"
    refused = spinney("pr", "merge", "1")
    assert (refused.code, "is merged already" in refused.err) == (2, True)
    missing = spinney("pr", "show", "99")
    assert (missing.code, "there is no pull request #99" in missing.err) == (2, True)
    assert spinney("pr", "list", "--forge", "local", "--json").json == []
    assert spinney("pr", "list", "--state", "all", "--json").json[0]["state"] == "merged"


def test_without_a_token_it_says_what_to_do(spinney: Spinney, repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    done = spinney("pr", "list", "--forge", "github")
    assert done.code == 2
    assert "there is no token" in done.err
    assert "export" in done.err


def test_who_looks_in_the_wrong_place_after_a_run_on_github_is_told(
    spinney: Spinney, repo: Repo, github: GitHub
) -> None:
    spinney.extra |= github.environment()
    repo.write("quick.yaml", QUICK)
    repo.commit("how we work")
    repo.git("push", "--quiet", str(github.bare.path), "main")
    repo.git("remote", "add", "origin", github.git_url)
    github.issue("First", "Do it.")
    ran = spinney("run", "#1", "--json", "--workflow", "quick")
    assert ran.code == 0, ran.err
    hint = (
        f"the pull requests of run {ran.json['run']} are on GitHub: "
        "--forge github, or `forge: github` in spinney.yaml\n"
    )
    listed = spinney("pr", "list", "--json")
    assert (listed.json, listed.err) == ([], hint)
    assert spinney("pr", "show", "2").err.startswith(hint)
    assert spinney("pr", "list", "--forge", "local").err == ""
    assert spinney("pr", "list", "--forge", "github").err == ""
