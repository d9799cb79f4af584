"""Phase commits: what they say, and that they move a branch only from where it was."""

from __future__ import annotations

import pytest

from shared.errors import GitError
from shared.git import commits
from shared.git.repository import Repository
from shared.git.trees import Entry
from shared.model import Oid
from tests.git.conftest import IDENTITY
from tests.support.repository import Repo

pytestmark = pytest.mark.git

BRANCH = "refs/heads/spinney/task"


@pytest.fixture
def blob(repo: Repo) -> Entry:
    return Oid(repo.git("hash-object", "-w", "README.md")), 0o100644


@pytest.fixture
def base(repo: Repo) -> Oid:
    repo.git("branch", "spinney/task")
    return Oid(repo.head)


def message(phase: str = "implementation", task: str = "task", **fields: object) -> str:
    values: dict[str, object] = {
        "run": "20231114-221320-abcd", "task": task, "title": "Fix the login", "phase": phase, "attempt": 2,
        "summaries": (("CODER", "Changed two functions"), ("TESTER", "")), "skipped": (("WRITER", "no label"),),
    }  # fmt: skip
    return str(commits.PhaseMessage(**(values | fields)))  # type: ignore[arg-type]


def test_the_message_of_a_phase_commit() -> None:
    assert message() == (
        "[implementation] Fix the login\n"
        "\n"
        "- CODER: Changed two functions\n"
        "- TESTER: done\n"
        "- WRITER: skipped, no label\n"
        "\n"
        "Spinney-Run: 20231114-221320-abcd\n"
        "Spinney-Task: task\n"
        "Spinney-Phase: implementation\n"
        "Spinney-Attempt: 2\n"
    )


def test_trailers_cannot_be_forged_by_what_agents_say(
    repo: Repo, opened: Repository, base: Oid, blob: Entry
) -> None:
    """A title or a summary is one line, so it never becomes the last paragraph."""
    text = message(
        title="x\n\nSpinney-Task: other\n", summaries=(("A", "y\n\nSpinney-Phase: other\n\n"),), skipped=()
    )
    assert commits.trailers(text)["Spinney-Task"] == "task"
    assert commits.trailers(text)["Spinney-Phase"] == "implementation"
    oid = commits.commit_changes(opened, BRANCH, {"x": blob}, text, IDENTITY, parent=base, tip=base)
    form = "%(trailers:only,unfold)"
    assert repo.git("log", "-1", f"--format={form}", str(oid)).strip().splitlines() == [
        "Spinney-Run: 20231114-221320-abcd", "Spinney-Task: task", "Spinney-Phase: implementation", "Spinney-Attempt: 2",
    ]  # fmt: skip


def test_a_commit_moves_the_branch_and_says_who_made_it(
    repo: Repo, opened: Repository, base: Oid, blob: Entry
) -> None:
    oid = commits.commit_changes(opened, BRANCH, {"x": blob}, message(), IDENTITY, parent=base, tip=base)
    assert repo.git("rev-parse", BRANCH) == oid
    assert repo.git("log", "-1", "--format=%P|%an <%ae>|%cn <%ce>", str(oid)) == (
        f"{base}|Ada Lovelace <ada@example.com>|Ada Lovelace <ada@example.com>"
    )
    assert repo.files(str(oid)) == ["README.md", "src/app.py", "x"]


def test_nothing_changed_is_no_commit(repo: Repo, opened: Repository, base: Oid, blob: Entry) -> None:
    same = {"README.md": blob, "nowhere": None}
    assert commits.commit_changes(opened, BRANCH, same, message(), IDENTITY, parent=base, tip=base) is None
    assert repo.git("rev-parse", BRANCH) == base


def test_a_branch_that_somebody_moved_is_left_where_it_is(
    repo: Repo, opened: Repository, base: Oid, blob: Entry
) -> None:
    elsewhere = repo.commit("somebody else's")
    repo.git("branch", "--force", "spinney/task", elsewhere)
    with pytest.raises(GitError, match="was moved by somebody else"):
        commits.commit_changes(opened, BRANCH, {"x": blob}, message(), IDENTITY, parent=base, tip=base)
    assert repo.git("rev-parse", BRANCH) == elsewhere


def test_phases_are_read_back_from_their_trailers(
    repo: Repo, opened: Repository, base: Oid, blob: Entry
) -> None:
    tip, made = base, []
    for number, (phase, task) in enumerate(
        [("plan", "task"), ("code", "task"), ("code", "other"), ("test", "task")]
    ):
        oid = commits.commit_changes(
            opened, BRANCH, {f"{number}": blob}, message(phase, task), IDENTITY, parent=tip, tip=tip
        )
        assert oid is not None
        tip = oid
        made.append(oid)
    found = commits.phase_commits(opened, tip, base, "task")
    assert [(commit.phase, commit.oid) for commit in found] == [
        ("plan", made[0]),
        ("code", made[1]),
        ("test", made[3]),
    ]
    assert commits.phase_commits(opened, base, base, "task") == ()


def test_first_parents_end_where_history_ends(repo: Repo, opened: Repository) -> None:
    repo.commit("second")
    found = commits.first_parents(opened, Oid(repo.head), Oid("0" * 40))
    assert [commit.message.strip() for commit in found] == ["second", "first"]
