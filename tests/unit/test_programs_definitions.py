"""What there is to know of coding programs, and how it is filled in."""

from __future__ import annotations

import pytest

from shared.errors import UserError
from shared.model import Program, Settings
from workflow_manager.backends import registry
from workflow_manager.backends.programs import catalogue
from workflow_manager.backends.programs.checking import check, numbers, unreachable
from workflow_manager.backends.programs.definition import Definition, Filling, overridden

CLAUDE = catalogue.shipped("claude-code")


def test_every_program_that_ships_is_a_backend() -> None:
    assert sorted(registry.PROGRAMS) == list(catalogue.names())


@pytest.mark.parametrize("name", catalogue.names())
def test_a_definition_says_what_is_needed_to_get_the_program(name: str) -> None:
    definition = catalogue.shipped(name)
    assert definition.install
    assert numbers(definition.oldest)
    assert "/" not in definition.program


@pytest.mark.parametrize(
    "name", [name for name in catalogue.names() if not unreachable(catalogue.shipped(name))]
)
def test_who_can_reach_the_gateway_is_told_where_it_is_and_gets_the_token(name: str) -> None:
    environment = dict(catalogue.shipped(name).environment)
    assert "{gateway}" in environment["ANTHROPIC_BASE_URL"]
    assert environment["ANTHROPIC_API_KEY"] == "{token}"


@pytest.mark.parametrize("name", catalogue.names())
def test_a_token_is_on_no_command_line(name: str) -> None:
    definition = catalogue.shipped(name)
    assert not any("{token}" in word for word in (*definition.command, *definition.new, *definition.again))


@pytest.mark.parametrize("name", catalogue.names())
def test_a_prompt_is_on_no_command_line_where_it_could_be_an_option(name: str) -> None:
    assert "{prompt}" not in catalogue.shipped(name).command


def test_an_unknown_program_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        catalogue.shipped("clippy")


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{model}", "big"),
        ("anthropic/{model}", "anthropic/big"),
        ('{"a": {"{model}": {}}}', '{"a": {"big": {}}}'),
        ("{unknown} {} {Model} { model }", "{unknown} {} {Model} { model }"),
        ("{prompt}", "say {token}"),  # what is filled in is not looked at again
    ],
)
def test_words_are_filled_in_once(template: str, filled: str) -> None:
    assert Filling({"model": "big", "prompt": "say {token}", "token": "secret"}).text(template) == filled


def test_a_session_and_permissions_are_any_number_of_arguments() -> None:
    filling = Filling({"session_id": "7"}, ("--resume", "{session_id}"), ("--tools", "{session_id}"))
    assert filling.arguments(["run", "{session}", "{permissions}", "-"]) == [
        *("run", "--resume", "7", "--tools", "{session_id}", "-"),
    ]
    assert Filling({}).arguments(["run", "{session}", "{permissions}"]) == ["run"]


def test_one_word_says_where_the_program_is() -> None:
    changed = overridden(CLAUDE, ("/opt/claude",), (("A", "1"),), "2.2.0")
    assert changed.command == ("/opt/claude", *CLAUDE.command[1:])
    assert changed.environment == (*CLAUDE.environment, ("A", "1"))
    assert changed.oldest == "2.2.0"


def test_several_words_are_the_whole_command() -> None:
    codex = catalogue.shipped("codex")
    changed = overridden(codex, ("codex", "exec", "-c", "model_provider=bridge", "-"), (), "")
    assert changed.command == ("codex", "exec", "-c", "model_provider=bridge", "-")
    assert changed.oldest == codex.oldest
    assert unreachable(codex)
    assert not unreachable(changed)


def test_settings_change_the_program_that_they_name() -> None:
    settings = Settings(programs=(Program("aider", ("/opt/aider",)),))
    assert catalogue.definition("aider", settings).program == "/opt/aider"
    assert catalogue.definition("claude-code", settings) == CLAUDE


@pytest.mark.parametrize(
    ("words", "reads"),
    [(("x", "{prompt}"), False), (("x", "--file={prompt_file}"), False), (("x", "-"), True)],
)
def test_who_names_the_prompt_nowhere_reads_it(words: tuple[str, ...], reads: bool) -> None:
    assert Definition("x", words).reads_prompt is reads


@pytest.mark.parametrize(
    ("name", "words"),
    [("codex", "codex speaks OpenAI's API"), ("gemini", "gemini speaks Google's API")],
)
def test_who_would_need_a_key_of_its_own_is_refused(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        check(Settings(), [name], {})
    assert any(f"programs: {name}:" in hint for hint in refused.value.hints)


def test_no_program_is_given_a_secret() -> None:
    settings = Settings(programs=(Program("claude-code", environment=(("OPENAI_API_KEY", "sk"),)),))
    with pytest.raises(UserError, match="claude-code is given OPENAI_API_KEY, and an agent gets no secret"):
        check(settings, ["claude-code"], {})


def test_who_is_not_used_is_not_looked_for() -> None:
    check(Settings(), ["command", "scripted", "anthropic"], {})


def test_a_program_that_is_missing_is_told_with_the_way_to_get_it() -> None:
    with pytest.raises(UserError, match="claude-code: there is no program 'claude'") as refused:
        check(Settings(), ["claude-code"], {"PATH": ""})
    assert refused.value.hints[0] == f"install it: {CLAUDE.install}"


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.9.9", "1.10.0"), ("2.1.300", "2.1.329"), ("2.1", "2.1.1"), ("", "0.1")],
)
def test_versions_are_compared_by_their_numbers(older: str, newer: str) -> None:
    assert numbers(older) < numbers(newer)
