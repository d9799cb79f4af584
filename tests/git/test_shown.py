"""What of git's directory is in a sandbox, and the worktree's own link to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import SpinneyError
from shared.git.shown import settings_without_secrets, shown
from shared.git.worktrees import Worktree
from shared.model import RepositoryFacts, Sandbox, Settings
from shared.sandbox.making import make as make_sandbox
from tests.support.repository import Repo

pytestmark = pytest.mark.git


def sandbox(repo: Repo, worktree: Worktree, **settings: object) -> Sandbox:
    return make_sandbox(
        "test",
        facts=RepositoryFacts(
            str(repo.git_dir),
            str(repo.path),
            str(Path(worktree.path).parent),
            f"{repo.git_dir}/spinney/runs/r",
        ),
        settings=Settings(**settings),  # type: ignore[arg-type]
        environment={"PATH": "/usr/bin", "HOME": os.environ["HOME"]},
        worktree=worktree.path,
        admin_dir=worktree.admin_dir,
    )


def test_settings_say_how_files_are_read_and_nothing_else(repo: Repo) -> None:
    for key, value in (
        ("remote.origin.url", "https://x:secret@example.invalid/"),
        ("url.https://x:secret@example.invalid/.insteadOf", "short:"),
        ("http.extraHeader", "Authorization: secret"),
        ("credential.helper", "!echo secret"),
        ("core.sshCommand", "secret"),
        ("core.fsmonitor", "secret"),
        ("core.hooksPath", "secret"),
        ("core.worktree", "/secret"),
        ("filter.lfs.clean", "secret"),
        ("alias.status", "!secret"),
        ("include.path", "/secret"),
        ("core.autocrlf", "input"),
        ("diff.renames", "copies"),
    ):
        repo.git("config", key, value)
    repo.git("config", "user.name", 'Ada "the first" \\ Lovelace')
    (repo.git_dir / "config").write_text((repo.git_dir / "config").read_text() + "[core]\n\tsymlinks\n")
    copy = repo.path.parent / "copy"
    copy.write_text(settings_without_secrets(str(repo.git_dir)))
    assert "secret" not in copy.read_text()
    told = dict(line.split("=", 1) for line in repo.git("config", "--file", str(copy), "--list").splitlines())
    assert told["core.autocrlf"] == "input"
    assert told["diff.renames"] == "copies"
    assert told["user.name"] == 'Ada "the first" \\ Lovelace'


def test_of_the_git_directory_only_what_is_listed_is_there(repo: Repo, make: Callable[..., Worktree]) -> None:
    own, other = make("own"), make("other")
    repo.git("pack-refs", "--all")
    (repo.git_dir / "FETCH_HEAD").write_text("secret")
    there = shown(str(repo.git_dir), own.admin_dir)
    names = {os.path.relpath(path, repo.git_dir) for path in there}
    assert names == {"objects", "refs", "packed-refs", "worktrees/spinney-own"}
    assert other.admin_dir not in there


def test_objects_that_are_borrowed_are_there_from_wherever(repo: Repo, tmp_path: Path) -> None:
    clones = [tmp_path / "first", tmp_path / "second"]
    for source, clone in zip([repo.path, clones[0]], clones, strict=True):
        repo.git("clone", "--quiet", "--shared", str(source), str(clone))
    there = shown(str(clones[1] / ".git"), str(clones[1] / ".git"))
    assert str(clones[0] / ".git/objects") in there
    assert str(repo.git_dir / "objects") in there


def test_a_link_that_became_something_else_is_put_right(
    repo: Repo, make: Callable[..., Worktree], home: Path
) -> None:
    worktree = make("task")
    link, secret = Path(worktree.path, ".git"), home / ".netrc"
    secret.write_text("secret")
    right = link.read_text()
    for spoil in (
        lambda: (link.unlink(), link.symlink_to(secret)),
        lambda: link.write_text("gitdir: /tmp/evil\n"),
        lambda: link.unlink(),
    ):
        spoil()
        box = sandbox(repo, worktree)
        assert link.read_text() == right
        assert not link.is_symlink()
        assert secret.read_text() == "secret"
        (source,) = [source for source, place in box.show if place == str(link)]
        assert Path(source).read_text() == right


def test_a_repository_in_place_of_the_link_is_told(repo: Repo, make: Callable[..., Worktree]) -> None:
    worktree = make("task")
    Path(worktree.path, ".git").unlink()
    Path(worktree.path, ".git").mkdir()
    with pytest.raises(SpinneyError, match="is a folder: an agent has put a repository there"):
        sandbox(repo, worktree)


def test_more_can_be_read_but_no_place_of_secrets(
    repo: Repo, make: Callable[..., Worktree], home: Path
) -> None:
    for name in ("sdk", ".ssh", ".pyenv"):
        (home / name).mkdir()
    asked = ("~/sdk", "~/.ssh", "/nowhere", str(repo.path), "/")
    assert set(sandbox(repo, make("task"), sandbox_read=asked).read) == {
        str(home / "sdk"),
        str(home / ".pyenv"),
    }


@pytest.mark.parametrize(
    ("home", "private"),
    [("/home/ada", "/home/ada"), ("", "/tmp"), ("/", "/tmp"), ("/usr/home", "/tmp"), ("x", "/tmp")],
)
def test_the_private_home_never_hides_the_system(
    repo: Repo, make: Callable[..., Worktree], monkeypatch: pytest.MonkeyPatch, home: str, private: str
) -> None:
    monkeypatch.setenv("HOME", home)
    assert sandbox(repo, make("task")).home == private
