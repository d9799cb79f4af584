"""The one wrapper around the git program: nothing of the surroundings reaches it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import GitError
from shared.git import program
from shared.git.program import Git
from shared.git.worktrees import Worktree
from tests.support.repository import Repo

pytestmark = pytest.mark.git


def test_the_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_SSH",
        "GIT_TRACE",
        "LD_PRELOAD",
        "HOME",
        "LANG",
    ):
        monkeypatch.setenv(name, "/evil")
    assert program.environment() == {
        "PATH": program.PATH,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def test_a_session_is_handed_on_so_that_its_processes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINNEY_SESSION", "abc")
    assert program.environment()["SPINNEY_SESSION"] == "abc"


def test_git_is_found_on_a_fixed_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\necho fake\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program.program.cache_clear()
    assert program.program() != str(fake)
    assert program.version() >= program.MINIMUM_VERSION


def test_the_users_variables_do_not_lead_it_elsewhere(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert Git(str(repo.git_dir), str(repo.path)).run("status", "--porcelain") == b""


def test_it_works_from_the_given_places_not_from_the_folder_it_is_in(
    repo: Repo, make: Callable[..., Worktree]
) -> None:
    made = make()
    Path(made.path, ".git").write_text("gitdir: /nowhere\n")
    Path(made.path, "x").touch()
    assert Git(made.admin_dir, made.path).run("status", "--porcelain", "-z") == b"?? x\0"


def test_an_error_carries_gits_own_words(repo: Repo) -> None:
    with pytest.raises(GitError, match=r"git rev-parse: fatal: Needed a single revision"):
        Git(str(repo.git_dir)).run("rev-parse", "--verify", "--end-of-options", "nowhere")


def test_names_that_look_like_options_are_names(repo: Repo) -> None:
    done = Git(str(repo.git_dir)).attempt("rev-parse", "--verify", "--end-of-options", "--help")
    assert done.status != 0


@pytest.mark.parametrize("url", ["ext::sh -c 'touch {marker}'", "file://{repo}", "ssh://localhost/x"])
def test_no_transport_is_allowed(repo: Repo, tmp_path: Path, url: str) -> None:
    marker = tmp_path / "marker"
    done = Git(str(repo.git_dir)).attempt("fetch", url.format(marker=marker, repo=repo.path))
    assert b"not allowed" in done.stderr
    assert not marker.exists()


def test_aliases_are_not_commands(repo: Repo, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    repo.git("config", "alias.status", f"!touch {marker}")
    repo.git("config", "alias.merge-tree", f"!touch {marker}")
    Git(str(repo.git_dir), str(repo.path)).run("status")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["evil", "with space", "a=b", "a.b.c", 'quote"d', "ü"])
def test_filter_drivers_are_off_whatever_they_are_called(repo: Repo, tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    for key in ("clean", "smudge", "process"):
        repo.git("config", f"filter.{name}.{key}", f"touch {marker}; cat")
    repo.git("config", f"filter.{name}.required", "true")
    repo.write(".git/info/attributes", f"* filter={name}\n")
    repo.write("README.md", "changed\n")
    assert Git(str(repo.git_dir), str(repo.path)).run("status", "--porcelain") == b" M README.md\n"
    assert not marker.exists()


def test_the_index_of_the_users_checkout_is_not_refreshed(repo: Repo) -> None:
    os.utime(repo.path / "README.md", (1, 1))
    before = (repo.git_dir / "index").read_bytes()
    Git(str(repo.git_dir), str(repo.path)).run("status", "--porcelain")
    assert (repo.git_dir / "index").read_bytes() == before


def test_the_users_git_answers_about_the_users_set_up(repo: Repo) -> None:
    assert program.user_git(repo.path, "config", "--get", "user.name") == "Ada Lovelace"
    assert program.user_git(repo.path, "config", "--get", "no.such") is None
