from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.composition.models import Models, secret_values
from shared.credentials import NAMES, read_key, take_from_environment
from shared.errors import UserError


def test_tokens_for_github_leave_the_environment_with_the_keys_of_models() -> None:
    secrets = {name: f"value of {name}" for name in NAMES}
    environ = {**secrets, "GITHUB_REPOSITORY": "owner/name", "PATH": "/bin"}
    assert take_from_environment(environ) == secrets
    assert environ == {"GITHUB_REPOSITORY": "owner/name", "PATH": "/bin"}
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "SPINNEY_GITHUB_APP_KEY"):
        assert name in secrets


def test_key_of_several_lines_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    path.write_text("-----BEGIN KEY-----\n" + "a" * 64 + "\n" * 40 + "-----END KEY-----\n")
    path.chmod(0o600)
    assert read_key(str(path), "") == path.read_text().strip()


def test_hint_of_a_missing_file_says_how_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_key(f"{tmp_path}/none", "github: {app_key_file: …}")
    assert caught.value.hints == ("github: {app_key_file: …}",)


def test_what_was_handed_over_may_not_be_in_a_commit_either() -> None:
    environ = {"DEPLOY_TOKEN": "deploy-token-value", "SHORT_TOKEN": "short", "PATH": "/usr/local/bin:/bin"}
    models = Models(frozenset({"anthropic"}), "sk-ant-key")
    assert secret_values(environ, models, ["ghp_token-value", "", "short"]) == (
        "sk-ant-key",
        "ghp_token-value",
        "deploy-token-value",
    )
    assert secret_values({}, None) == ()
