"""Opening the forge: what is missing is said with what to do about it, and a rename is followed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from orchestrator.composition.forges import Opened, open_forge
from orchestrator.runs import Place
from shared import process
from shared.errors import Interrupted, RepositoryHeld, UserError
from shared.forge.port import Sent
from shared.git.leases import LOCK, Leases
from shared.model import GitHubSettings, Identity, Oid, Settings
from tests.support.github.standin import GitHub
from tests.support.repository import Repo

pytestmark = pytest.mark.git


def opening(repo: Repo, token: str = "", *, issues: bool = False, **github: str) -> Opened:
    settings = Settings(forge="github", github=GitHubSettings(**github))  # type: ignore[arg-type]
    keys = {"GITHUB_TOKEN": token} if token else {}
    return open_forge(Place(repo.git_dir, repo.path), settings, keys, issues=issues)


def refused(repo: Repo, token: str = "", *, issues: bool = False, **github: str) -> UserError:
    with pytest.raises(UserError) as caught:
        opening(repo, token, issues=issues, **github)
    assert caught.value.hints
    return caught.value


def test_repository_without_issues_needs_no_github(repo: Repo) -> None:
    assert open_forge(Place(repo.git_dir, repo.path), Settings(), {}).github is None
    assert open_forge(Place(repo.git_dir, repo.path), Settings(forge="local"), {}, issues=True).github is None


def test_remote_that_is_not_there_is_told_with_those_that_are(repo: Repo) -> None:
    repo.git("remote", "add", "upstream", "https://github.com/acme/widgets")
    error = refused(repo, "t")
    assert "there is no remote 'origin'" in error.message
    assert error.hints[0] == "remotes here: upstream; choose one in spinney.yaml: github: {remote: …}"


@pytest.mark.parametrize("address", ["/srv/git/widgets", "https://user:secret@example.com/deep/er/widgets"])
def test_address_that_is_no_github_is_told_without_its_password(repo: Repo, address: str) -> None:
    repo.git("remote", "add", "origin", address)
    error = refused(repo, "t")
    assert "no address of a repository on GitHub" in error.message
    assert "secret" not in error.message


def test_short_form_of_an_address_is_read_as_the_users_git_reads_it(repo: Repo, github: GitHub) -> None:
    base = github.git_url.removesuffix("acme/widgets.git")
    repo.git("config", f"url.{base}.insteadOf", "work:")
    repo.git("remote", "add", "origin", "work:acme/widgets.git")
    opened = opening(repo, github.token)
    assert opened.github is not None
    assert (opened.github.host, opened.github.repository) == (github.host, "acme/widgets")
    opened.close()


def test_mirror_for_fetching_makes_no_other_repository_of_one_on_github(repo: Repo) -> None:
    repo.git("config", "url.https://mirror.example.org/.insteadOf", "https://github.com/")
    repo.git("remote", "add", "origin", "https://github.com/acme/widgets.git")
    assert "there is no token for GitHub at github.com" in refused(repo).message


@pytest.mark.parametrize("name", ["github-work", "github.com-work"])
def test_name_that_only_ssh_knows_is_told_with_what_to_say_instead(repo: Repo, name: str) -> None:
    repo.git("remote", "add", "origin", f"git@{name}:acme/widgets.git")
    error = refused(repo, "t")
    assert error.message == f"there is no token for GitHub at {name}"
    assert error.hints[0] == (
        f"if {name} is a name of your ssh configuration for github.com, say in spinney.yaml: "
        "github: {repository: acme/widgets, api: https://api.github.com}"
    )


def test_token_that_is_not_there_is_told(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    assert "there is no token" in refused(repo).message


def test_wrong_token_is_told_by_where_it_comes_from_and_not_by_its_value(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    error = refused(repo, "ghp_wrong")
    assert "$GITHUB_TOKEN" in f"{error.message} {error.hints}"
    assert "ghp_wrong" not in f"{error.message} {error.hints}"


def test_repository_that_is_not_to_be_seen_is_told(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    assert "there is no repository acme/none" in refused(repo, github.token, repository="acme/none").message


def test_github_that_is_not_to_be_reached_is_told(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.forge.github.waiting.Turnstile.sleep", lambda self, seconds: None)
    repo.git("remote", "add", "origin", "http://127.0.0.1:9/acme/widgets.git")
    monkeypatch.setenv("GH_HOST", "127.0.0.1:9")
    assert "not to be reached" in refused(repo, "t").message


def test_archived_repository_is_refused(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    github.repo.archived = True
    assert "is archived" in refused(repo, github.token).message


def test_issues_that_are_turned_off_are_refused_where_some_are_wanted(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    github.repo.has_issues = False
    assert "are turned off" in refused(repo, github.token, issues=True).message
    opening(repo, github.token).close()


def test_rename_is_followed_and_noted(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    github.rename("gadgets")
    opened = opening(repo, github.token)
    assert opened.github is not None
    assert opened.github.repository == "acme/gadgets"
    assert any("is called acme/gadgets now" in note for note in opened.notes)
    assert opened.forge.send([Sent("refs/heads/spinney/a", Oid(repo.head))]) == {}
    opened.close()


def test_parts_know_where_they_are(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    opened = opening(repo, github.token)
    assert opened.github is not None
    assert (opened.github.default_branch, opened.github.host) == ("main", github.host)
    assert opened.github.secrets == (github.token,)
    assert github.token not in repr(opened)
    opened.close()


def test_lock_on_the_forge_is_held_by_one(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    opened = opening(repo, github.token)
    assert opened.github is not None
    with opened.github.lock("run-1") as lock:
        assert LOCK in github.bare.refs()
        with (
            pytest.raises(RepositoryHeld, match=r"run run-1, of this very clone"),
            opened.github.lock("run-2"),
        ):
            pass
        # Everybody who sees the repository can read it.
        found = Leases(opened.github.remote, Identity("a", "a@b")).read()
        assert found is not None
        assert found[1] is not None
        assert re.fullmatch(r"a machine outside of GitHub Actions, [0-9a-f]{6},", found[1].holder)
        assert opened.github.ask_to_stop() == "run-1"
        lock.renew()
        assert lock.stop_wanted
    assert LOCK not in github.bare.refs()
    opened.close()


def test_lock_knows_two_clones_apart_that_have_one_path_on_machines_of_one_name(
    repo: Repo, github: GitHub
) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    first = opening(repo, github.token)
    assert first.github is not None
    with first.github.lock("follow"):
        shutil.rmtree(repo.git_dir / "spinney")  # as in a clone on a machine made from the same image
        second = opening(repo, github.token)
        assert second.github is not None
        with pytest.raises(RepositoryHeld), second.github.lock("follow"):
            pass
    with second.github.lock("follow"):
        lease = Leases(second.github.remote, Identity("a", "a@b")).read()
        again = opening(repo, github.token)
        assert again.github is not None
        with again.github.lock("follow"):  # the same clone after a crash
            assert Leases(second.github.remote, Identity("a", "a@b")).read() != lease
    for opened in (first, second, again):
        opened.close()


def test_whose_lock_is_lost_changes_nothing_there_until_it_has_one_again(repo: Repo, github: GitHub) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    opened = opening(repo, github.token)
    assert opened.github is not None
    issue, branch = github.issue("One", "Do it."), [Sent("refs/heads/spinney/a", Oid(repo.head))]
    with opened.github.lock("run-1") as lock:
        Repo(github.bare.path).git("update-ref", "-d", LOCK)
        lock.renew()
        with pytest.raises(Interrupted, match="the lock was deleted"):
            opened.forge.send(branch)
        with pytest.raises(Interrupted, match="the lock was deleted"):
            opened.github.tracker.say(issue.number, "spinney-issue:1", "At work")
        assert opened.forge.tips() == {}
    with opened.github.lock("run-1"):
        assert opened.forge.send(branch) == {}
    opened.close()


def test_token_is_in_no_command_line_and_no_file(
    repo: Repo, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.git("remote", "add", "origin", github.git_url)
    seen: list[str] = []
    run = process.run

    def watched(argv: list[str], **how: object) -> process.Completed:
        seen.extend(argv)
        return run(argv, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(process, "run", watched)
    opened = opening(repo, github.token)
    opened.forge.send([Sent("refs/heads/spinney/a", Oid(repo.commit("work")))])
    assert opened.forge.tips()
    opened.close()
    assert "push" in seen
    encoded = [github.token, "Basic"]
    assert not any(secret in word for word in seen for secret in encoded)
    assert not any(github.token in text for text in _texts(repo.git_dir))
    assert github.token not in os.environ.values()


def _texts(folder: Path) -> list[str]:
    return [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
