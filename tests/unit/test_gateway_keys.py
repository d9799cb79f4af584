from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.gateway.keys import Key, find_key
from shared.credentials import take_from_environment
from shared.errors import UserError
from shared.model import ModelSettings

NONE = ModelSettings()


def key_file(folder: Path, text: str, mode: int = 0o600) -> ModelSettings:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return ModelSettings(key_file=str(path))


def refused(settings: ModelSettings) -> UserError:
    with pytest.raises(UserError) as caught:
        find_key({}, settings)
    return caught.value


def test_keys_leave_the_environment_and_nothing_else_does() -> None:
    environ = {"ANTHROPIC_API_KEY": "a", "ANTHROPIC_AUTH_TOKEN": "b", "PATH": "/bin"}
    assert take_from_environment(environ) == {"ANTHROPIC_API_KEY": "a", "ANTHROPIC_AUTH_TOKEN": "b"}
    assert environ == {"PATH": "/bin"}
    assert take_from_environment(environ) == {}


def test_file_that_is_named_wins_over_the_environment(tmp_path: Path) -> None:
    taken = {"ANTHROPIC_API_KEY": " of-environment\n", "ANTHROPIC_AUTH_TOKEN": "token"}
    assert find_key(taken, key_file(tmp_path, "of-file\n")) == Key("of-file", f"the file {tmp_path}/key")
    assert find_key(taken, NONE) == Key("of-environment", "$ANTHROPIC_API_KEY")
    assert find_key(taken | {"ANTHROPIC_API_KEY": " "}, NONE) == Key("token", "$ANTHROPIC_AUTH_TOKEN")


def test_what_cannot_be_a_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    for text in ("two\nlines", "two words", "tab\tbed"):
        error = refused(key_file(tmp_path, text))
        assert (
            error.message
            == f"what the file {tmp_path}/key holds is no key: it has blanks or line breaks in it"
        )
    assert "secret" not in repr(Key("secret", "the keyring"))


def test_file_below_the_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file(tmp_path, "of-file")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_key({}, ModelSettings(key_file="~/key")).value == "of-file"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_file_that_others_can_use_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    error = refused(key_file(tmp_path, "secret", mode))
    assert error.message == f"others can read {tmp_path}/key, which holds a key"
    assert error.hints == (f"chmod 600 {tmp_path}/key",)


def test_empty_missing_and_senseless_files_are_told(tmp_path: Path) -> None:
    assert refused(key_file(tmp_path, " \n")).message == f"the key file {tmp_path}/key is empty"
    assert "No such file" in refused(ModelSettings(key_file=f"{tmp_path}/none")).message
    assert refused(key_file(tmp_path, "schlüssel")).message.endswith("it is not plain text")


def test_no_key_at_all_names_every_way_to_give_one() -> None:
    error = refused(NONE)
    for way in ("ANTHROPIC_API_KEY", "key_file", "keyring", "--backend scripted"):
        assert any(way in hint for hint in error.hints), way
    assert error.exit_code == 2


def test_real_environment_is_taken_from_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-this-process")
    assert take_from_environment(os.environ) == {"ANTHROPIC_API_KEY": "of-this-process"}
    assert "ANTHROPIC_API_KEY" not in os.environ
