from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from shared.errors import SpinneyError, UserError
from shared.forge.github.addresses import host_at, host_named
from shared.forge.github.auth import App, Given, find_auth
from shared.model import GitHubSettings
from shared.process import Completed

GITHUB, ENTERPRISE = host_named("github.com"), host_named("git.example.org")
NONE = GitHubSettings()


class Gh:
    """GitHub's own program, logged in on some hosts."""

    def __init__(self, **tokens: str) -> None:
        self.tokens, self.asked = tokens, list[tuple[str, ...]]()

    def __call__(self, argv: Sequence[str], environ: Mapping[str, str]) -> Completed:
        self.asked.append(tuple(argv))
        token = self.tokens.get(argv[-1].replace(".", "_"))
        return Completed(0, f"{token}\n".encode(), b"") if token else Completed(1, b"", b"no oauth token")


def no_gh(argv: Sequence[str], environ: Mapping[str, str]) -> Completed:
    raise SpinneyError("cannot start gh: No such file or directory")


def refused(taken: Mapping[str, str], **named: object) -> UserError:
    with pytest.raises(UserError) as caught:
        find_auth(taken, **{"host": GITHUB, "settings": NONE, "environ": {}, "run": no_gh, **named})  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return caught.value


def test_token_of_the_environment_comes_first() -> None:
    settings = GitHubSettings(app="12", app_key_file="/nowhere")
    taken = {"GITHUB_TOKEN": " one\n", "GH_TOKEN": "two"}
    gh = Gh(github_com="three")
    assert find_auth(taken, GITHUB, settings, {}, gh) == Given("one", "$GITHUB_TOKEN")
    assert find_auth({**taken, "GITHUB_TOKEN": " "}, GITHUB, settings, {}, gh) == Given("two", "$GH_TOKEN")
    assert gh.asked == []


def test_app_comes_next(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN KEY-----\nabc\n-----END KEY-----\n")
    key.chmod(0o600)
    settings = GitHubSettings(app="12", app_key_file=str(key), installation="7")
    found = find_auth({}, GITHUB, settings, {}, Gh(github_com="three"))
    assert found == App("12", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n", "7")
    assert found.source == "the GitHub App 12"
    assert "abc" not in repr(found)


def test_app_of_the_environment_has_its_key_there_even_on_one_line() -> None:
    taken = {"SPINNEY_GITHUB_APP_KEY": "-----BEGIN KEY-----\\nabc\\n-----END KEY-----"}
    found = find_auth(taken, GITHUB, NONE, {"SPINNEY_GITHUB_APP_ID": "12"}, no_gh)
    assert found == App("12", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n")


def test_login_of_gh_comes_last() -> None:
    gh = Gh(github_com="gho_three")
    found = find_auth({}, GITHUB, NONE, {}, gh)
    assert found == Given("gho_three", "gh (gh auth token --hostname github.com)")
    assert gh.asked == [("gh", "auth", "token", "--hostname", "github.com")]


def test_no_token_at_all_names_every_way_to_give_one() -> None:
    error = refused({})
    assert error.message == "there is no token for GitHub at github.com"
    for way in ("export GITHUB_TOKEN=…", "gh auth login --hostname github.com", "app_key_file"):
        assert any(way in hint for hint in error.hints), way


def test_token_for_github_does_not_go_to_a_server_that_settings_name() -> None:
    taken = {"GITHUB_TOKEN": "secret", "GH_TOKEN": "secret"}
    error = refused(taken, host=host_at("https://evil.example.org/api/v3"))
    assert "$GITHUB_TOKEN is not for evil.example.org and was not sent there" in error.hints
    assert (
        "if that is your server, name it in the environment: export GH_HOST=evil.example.org" in error.hints
    )
    assert "export GH_ENTERPRISE_TOKEN=…" in error.hints[3]
    assert "secret" not in repr((error.message, error.hints))


def test_server_of_ones_own_has_a_token_of_its_own() -> None:
    taken = {"GITHUB_TOKEN": "public", "GITHUB_ENTERPRISE_TOKEN": "two", "GH_ENTERPRISE_TOKEN": "one"}
    named = {"GH_HOST": "git.example.org"}
    assert find_auth(taken, ENTERPRISE, NONE, named, no_gh) == Given("one", "$GH_ENTERPRISE_TOKEN")
    assert find_auth(taken, GITHUB, NONE, {}, no_gh) == Given("public", "$GITHUB_TOKEN")


def test_job_of_a_server_has_a_token_for_that_server() -> None:
    job = {"GITHUB_SERVER_URL": "https://git.example.org"}
    assert find_auth({"GITHUB_TOKEN": "of-job"}, ENTERPRISE, NONE, job, no_gh) == Given(
        "of-job", "$GITHUB_TOKEN"
    )
    refused({"GITHUB_TOKEN": "of-job"}, host=host_named("other.example.org"), environ=job)


def test_any_token_may_go_to_this_machine_where_the_environment_names_it() -> None:
    here, named = host_at("http://127.0.0.1:99"), {"GH_HOST": "127.0.0.1:99"}
    assert find_auth({"GITHUB_TOKEN": "x"}, here, NONE, named, no_gh) == Given("x", "$GITHUB_TOKEN")


@pytest.mark.parametrize(
    "api",
    [
        "https://evil.example.org/api/v3",
        "https://github.com.example.org",
        "https://xghe.com",
        "http://127.0.0.1:99",
    ],
)
@pytest.mark.parametrize(
    "named", [{}, {"GH_HOST": "127.0.0.1:98", "GITHUB_SERVER_URL": "https://git.example.org"}]
)
def test_nothing_goes_to_a_host_that_only_a_remote_or_settings_name(api: str, named: dict[str, str]) -> None:
    taken = dict.fromkeys(
        ("GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "SPINNEY_GITHUB_APP_KEY"), "secret"
    )
    host = host_at(api)
    error = refused(taken, host=host, environ={"SPINNEY_GITHUB_APP_ID": "12", **named})
    assert f"$GH_ENTERPRISE_TOKEN is not for {host.name} and was not sent there" in error.hints
    assert f"nothing signed by a GitHub App was sent to {host.name} either" in error.hints
    login = Gh(**{host.name.replace(".", "_"): "of-gh"})  # of that very host
    assert find_auth(taken, host, GitHubSettings(app="12"), named, login).token() == "of-gh"


def test_app_speaks_to_the_server_that_the_environment_names() -> None:
    taken, job = {"SPINNEY_GITHUB_APP_KEY": "key"}, {"GITHUB_SERVER_URL": "https://git.example.org"}
    for named in (job, {"GH_HOST": "git.example.org"}):
        assert isinstance(find_auth(taken, ENTERPRISE, GitHubSettings(app="12"), named, no_gh), App)


@pytest.mark.parametrize("token", ["two words", "two\nlines", "tökén", "a\tb"])
def test_what_can_be_no_token_is_refused_and_not_shown(token: str) -> None:
    error = refused({"GITHUB_TOKEN": token})
    assert error.message == "what $GITHUB_TOKEN holds is no token: it has blanks or line breaks in it"
    assert token not in repr(error.hints)
    assert refused({}, run=Gh(github_com=token)).message.startswith("what gh holds is no token")


def test_app_that_lacks_something_says_what() -> None:
    assert refused({}, settings=GitHubSettings(app="12")).message == "the GitHub App 12 needs its private key"
    error = refused({}, environ={"SPINNEY_GITHUB_APP_ID": "my-app"})
    assert error.message == "'my-app' is no id of a GitHub App: it is a number"


def test_key_of_an_app_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("key")
    key.chmod(0o644)
    error = refused({}, settings=GitHubSettings(app="12", app_key_file=str(key)))
    assert error.hints == (f"chmod 600 {key}",)
