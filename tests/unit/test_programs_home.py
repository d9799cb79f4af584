"""A program's home is the agent's to write: what it plants there leads nowhere when we read, write and tidy up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow_manager.backends.programs import catalogue
from workflow_manager.backends.programs.definition import Definition
from workflow_manager.backends.programs.home import Home
from workflow_manager.beneath import Unreachable

SETTINGS = ".claude/.claude.json"
CLAUDE, CODEX, OPENCODE, AIDER = map(catalogue.shipped, ("claude-code", "codex", "opencode", "aider"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "CODER.home").mkdir()
    return Home(tmp_path / "CODER.home", "1234")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """The user's own home, with a session of each program in it."""
    place = tmp_path / "user"
    for name in ("projects/x/1234.jsonl", "sessions/a/b.jsonl", "share/opencode/opencode.db", "settings"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("mine")
    return place


def all_of(place: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in place.rglob("*") if path.is_file()}


def made(home: Home, name: str) -> Path:
    path = home.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


# --- what it has at first


def test_settings_are_put_in_once(home: Home) -> None:
    home.furnish(CLAUDE)
    path = home.path / SETTINGS
    assert path.read_text() == f'{{"userID": "{home.identity}"}}'
    path.write_text("changed")
    home.furnish(CLAUDE)
    assert path.read_text() == "changed"


PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "a link to a file": lambda path, user: path.symlink_to(user / "settings"),
    "a link to a file to come": lambda path, user: path.symlink_to(user / "new"),
    "a pipe": lambda path, user: os.mkfifo(path),
    "a folder": lambda path, user: path.mkdir(),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_lies_in_the_place_of_settings_is_left_alone(home: Home, victim: Path, kind: str) -> None:
    before = all_of(victim)
    path = home.path / SETTINGS
    path.parent.mkdir()
    PLANTED[kind](path, victim)
    home.furnish(CLAUDE)
    assert os.path.lexists(path)
    assert all_of(victim) == before


def test_a_link_in_the_place_of_a_folder_is_told_and_not_followed(home: Home, victim: Path) -> None:
    before = all_of(victim)
    (home.path / ".claude").symlink_to(victim)
    with pytest.raises(Unreachable, match=r"\.claude is a link to .*user; links are not followed"):
        home.furnish(CLAUDE)
    assert all_of(victim) == before


# --- what it is told


@pytest.mark.parametrize("kind", PLANTED)
def test_words_for_a_program_lie_where_it_cannot_write(home: Home, victim: Path, kind: str) -> None:
    before = all_of(victim)
    PLANTED[kind](home.path / ".prompt.md", victim)
    path = home.prompt("do it")
    assert path.read_text() == "do it"
    assert not path.is_relative_to(home.path)
    assert all_of(victim) == before
    assert home.prompt("do more").read_text() == "do more"


# --- sessions


@pytest.mark.parametrize(
    ("definition", "there", "others"),
    [
        (CLAUDE, ".claude/projects/-w/1234.jsonl", ".claude/projects/-w/5678.jsonl"),
        (CODEX, ".codex/sessions/2026/11/rollout.jsonl", ".codex/config.jsonl"),
        (OPENCODE, ".local/share/opencode/opencode.db", ".local/share/opencode/log"),
    ],
)
def test_session_is_found_and_forgotten(home: Home, definition: Definition, there: str, others: str) -> None:
    assert home.sessions(definition) == []
    session, other = made(home, there), made(home, others)
    assert home.sessions(definition) == [there]
    home.forget(definition)
    assert (session.exists(), other.exists()) == (False, True)


def test_program_that_cannot_go_on_has_no_session(home: Home) -> None:
    made(home, ".aider.chat.history.md")
    assert home.sessions(AIDER) == []


@pytest.mark.parametrize(
    ("definition", "link", "to"),
    [
        (CLAUDE, ".claude/projects", "projects"),
        (CLAUDE, ".claude/projects/x", "projects/x"),
        (CODEX, ".codex/sessions", "sessions"),
        (CODEX, ".codex/sessions/a", "sessions/a"),
        (OPENCODE, ".local/share", "share"),
    ],
)
def test_nothing_is_forgotten_through_a_link(
    home: Home, victim: Path, definition: Definition, link: str, to: str
) -> None:
    before = all_of(victim)
    path = home.path / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(victim / to)
    home.sessions(definition)
    home.forget(definition)
    assert all_of(victim) == before


def test_link_that_stands_for_a_session_is_removed_and_its_target_stays(home: Home, victim: Path) -> None:
    before = all_of(victim)
    session = home.path / ".claude/projects/w/1234.jsonl"
    session.parent.mkdir(parents=True)
    session.symlink_to(victim / "settings")
    home.forget(CLAUDE)
    assert not session.is_symlink()
    assert all_of(victim) == before
