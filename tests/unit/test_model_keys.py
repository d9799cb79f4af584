from __future__ import annotations

from shared.config import model_keys
from shared.config.document import Document
from shared.config.schema import ConfigurationModel
from shared.config.validation import validate
from shared.model import PRICES, ModelSettings, Price, Program, Spending


def read(text: str) -> ConfigurationModel:
    document = Document("spinney.yaml", text.encode())
    model = validate(document, ConfigurationModel, document.value)
    assert model is not None, document.problems
    return model


def models(text: str, before: ModelSettings | None = None) -> ModelSettings:
    found = read(text).models
    assert found is not None
    return model_keys.models(found.model_dump(exclude_none=True), before)


def test_what_is_not_named_keeps_its_default() -> None:
    made = models("models: {deep: big, requests_per_minute: 50}")
    assert made == ModelSettings(deep="big", requests_per_minute=50)
    assert [made.of(tier) for tier in ("fast", "balanced", "deep")] == [
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "big",
    ]


def test_batch_file_adds_to_the_models_of_the_configuration() -> None:
    first = models("models: {fast: small, prices: {small: {input: 1, output: 2}}}")
    both = models("models: {deep: big, prices: {big: {input: 3, output: 4}}}", first)
    assert (both.fast, both.deep) == ("small", "big")
    assert both.prices == (*PRICES, Price("small", 1, 2), Price("big", 3, 4))


def test_own_price_of_a_known_model_replaces_all_of_its_prices() -> None:
    text = """\
models:
  prices:
    claude-haiku-5-5: {input: 1, output: 5, cache_read: 0.1, over: {"200000": {input: 2, output: 10}}}
"""
    haiku = [price for price in models(text).prices if price.model == "claude-haiku-5-5"]
    assert haiku == [
        Price("claude-haiku-5-5", 1, 5, cache_read=0.1),
        Price("claude-haiku-5-5", 2, 10, above=200_000),
    ]


def test_address_loses_its_last_slash_and_may_be_plain_on_this_machine() -> None:
    assert models("models: {base_url: 'http://127.0.0.1:8080/'}").base_url == "http://127.0.0.1:8080"
    assert models("models: {base_url: 'http://localhost:1'}").base_url == "http://localhost:1"
    assert models("models: {base_url: 'https://proxy.example/v'}").base_url == "https://proxy.example/v"


def test_budget_may_limit_dollars_tokens_or_both() -> None:
    assert model_keys.spending({"usd": 5.0}) == Spending(usd=5.0)
    assert model_keys.spending({"usd": 5.0, "tokens": 10}) == Spending(5.0, 10)
    assert model_keys.spending(None) == Spending()


def test_programs_are_read_in_their_order() -> None:
    found = read("programs: {aider: {command: [~/bin/aider, -m]}, codex: {environment: {A: b}}}").programs
    assert found is not None
    made = model_keys.programs({name: program.model_dump() for name, program in found.items()})
    assert made == (
        Program("aider", ("~/bin/aider", "-m")),
        Program("codex", environment=(("A", "b"),)),
    )
