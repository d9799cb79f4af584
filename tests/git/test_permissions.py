"""What a token may do, asked of the stand-in, which is none the wiser afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.doctor.github import github as look
from orchestrator.composition.permissions import Examined, examine
from orchestrator.runs import find_place
from shared.errors import UserError
from shared.model import Settings
from tests.support.github.standin import ALL_PERMISSIONS, GitHub
from tests.support.repository import Repo

pytestmark = pytest.mark.git


@pytest.fixture
def there(repo: Repo, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    repo.git("remote", "add", "origin", github.git_url)
    for name, value in github.environment().items():
        if name != "GITHUB_TOKEN":
            monkeypatch.setenv(name, value)
    return github


def asked(repo: Repo, token: str) -> Examined:
    return examine(find_place(repo.path), Settings(), {"GITHUB_TOKEN": token})


def rights(found: Examined) -> dict[str, bool | None]:
    return {right.name.partition(":")[0]: right.has for right in found.rights}


def test_a_token_with_everything_has_everything_and_nothing_is_changed(repo: Repo, there: GitHub) -> None:
    before = there.bare.refs("refs/")
    found = asked(repo, there.token)
    assert set(rights(found).values()) == {True}
    assert (found.repository, found.login, found.role) == ("acme/widgets", "ada", "admin")
    assert found.default_branch == "main"
    assert 0 < found.limits["core"][0] <= found.limits["core"][1]
    assert there.bare.refs("refs/") == before
    assert there.pulls() == []
    assert there.repo.issues == {}
    assert there.repo.statuses == []


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("contents", "Contents"),
        ("issues", "Issues"),
        ("pull_requests", "Pull requests"),
        ("statuses", "Commit statuses"),
        ("checks", "Checks"),
        ("actions", "Actions"),
    ],
)
def test_each_missing_right_is_found_and_how_to_give_it_is_told(
    repo: Repo, there: GitHub, missing: str, named: str
) -> None:
    held = {name: grant for name, grant in ALL_PERMISSIONS.items() if name != missing}
    if missing == "issues":
        held["pull_requests"] = "read"  # writing there lets comments be written
    token = there.actions_token(held).value
    found = rights(asked(repo, token))
    assert found[named] is False
    assert [name for name, has in found.items() if not has] in ([named], ["Issues", "Pull requests"])
    told = [
        check for check in look(find_place(repo.path), {"GITHUB_TOKEN": token}) if f"{named}:" in check.detail
    ]
    assert told[0].state in ("fail", "warn")
    assert any("permissions:" in hint for hint in told[0].hints)


def test_who_may_only_read_is_told_so(repo: Repo, there: GitHub) -> None:
    there.person("bob", "read")
    found = asked(repo, there.new_token("bob").value)
    assert found.role == "read"
    assert rights(found)["Contents"] is False
    assert rights(found)["Commit statuses"] is False


def test_a_protected_branch_is_seen(repo: Repo, there: GitHub) -> None:
    assert not asked(repo, there.token).protected
    there.protect("main")
    assert asked(repo, there.token).protected


def test_a_wrong_token_is_said_to_be_one(repo: Repo, there: GitHub, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        asked(repo, "ghp_" + "x" * 36)
