"""The keys about models: which ones, what they cost, how much may be spent, and coding programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from shared.config.fields import COUNT, MODEL
from shared.config.validation import Strict
from shared.model import ModelSettings, Price, Program, Spending

ProgramName = Literal["claude-code", "codex", "gemini", "aider", "opencode"]
Dollars = Annotated[float, Field(ge=0, le=1_000_000)]  # for a million tokens
Named = Annotated[str, Field(pattern=MODEL)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000_000)]


def address(url: str) -> str:
    """An address of the API without a slash at its end. Raises ValueError where the key would be sent in the clear."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    near = host in ("127.0.0.1", "localhost", "::1")
    if host is None or not (url.startswith("https://") or (url.startswith("http://") and near)):
        raise ValueError(
            "an address begins with https://, or with http:// on this machine: the key is sent there"
        )
    return url.rstrip("/")


def _something(model: SpendingModel) -> SpendingModel:
    if model.usd is None and model.tokens is None:
        raise ValueError("a budget needs `usd`, `tokens` or both")
    return model


class SpendingModel(Strict):
    usd: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(None, description="US dollars.")
    tokens: Annotated[int, Field(gt=0)] | None = Field(
        None, description="Tokens, read and written, cached or not."
    )


Budget = Annotated[SpendingModel, AfterValidator(_something)]


class RateModel(Strict):
    """US dollars for a million tokens."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required"))
    input: Dollars = Field(..., description="Read, without a cache.")
    output: Dollars = Field(..., description="Written, thinking included.")
    cache_write: Dollars = Field(0.0, description="Read and kept for five minutes.")
    cache_write_1h: Dollars = Field(0.0, description="Read and kept for an hour.")
    cache_read: Dollars = Field(0.0, description="Read from the cache.")


class PriceModel(RateModel):
    over: dict[Annotated[str, Field(pattern=COUNT)], RateModel] = Field(
        {}, description="Other prices for prompts of more tokens than the key says, such as 100000."
    )


class ModelsModel(Strict):
    fast: Named | None = Field(None, description="The model of the tier fast.")
    balanced: Named | None = Field(None, description="The model of the tier balanced.")
    deep: Named | None = Field(None, description="The model of the tier deep.")
    base_url: Annotated[str, AfterValidator(address)] | None = Field(
        None, description="Where the API is; default: $ANTHROPIC_BASE_URL, or Anthropic's own address."
    )
    key_file: str | None = Field(
        None, description="A file that holds the key; without one: $ANTHROPIC_API_KEY, then the keyring."
    )
    prices: dict[str, PriceModel] | None = Field(
        None, description="By model, beside the built-in ones; a model without a price has tokens, no cost."
    )
    prices_of: str | None = Field(None, description="The day on which the prices were read, in quotes.")
    requests_per_minute: PerMinute | None = Field(None, description="For all agents of a run together.")
    input_tokens_per_minute: PerMinute | None = None
    output_tokens_per_minute: PerMinute | None = None
    at_once: Annotated[int, Field(ge=1, le=1024)] | None = Field(None, description="Requests at once.")
    outage: Annotated[float, Field(gt=0, le=7 * 24 * 3600)] | None = Field(
        None,
        description="Seconds without any answer after which the run stops, to be gone on with; default 1800.",
    )
    steps: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Requests that one agent may make; default 150."
    )
    cache: bool | None = Field(
        None, description="Answer a request that was made before, to the letter, from what is recorded."
    )


class ProgramModel(Strict):
    command: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="How it is started; {model} and {prompt_file} are filled in."
    )
    environment: dict[str, str] = Field({}, description="More variables for it.")
    version: str | None = Field(None, description="The oldest version that is accepted, in quotes.")


def spending(value: dict[str, Any] | None) -> Spending:
    """A budget as read; no limits where there is none."""
    return Spending(**value) if value else Spending()


def models(value: dict[str, Any], before: ModelSettings | None = None) -> ModelSettings:
    """The settings about models: what was read, over what an earlier file says, over the defaults."""
    known, given = before or ModelSettings(), dict(value)
    prices = given.pop("prices", {})
    own = tuple(price for model, read in prices.items() for price in _prices(model, read))
    kept = tuple(price for price in known.prices if price.model not in prices)
    return replace(known, **given, prices=(*kept, *own))


def _prices(model: str, read: dict[str, Any]) -> list[Price]:
    over = read.get("over", {})
    rates = {key: value for key, value in read.items() if key != "over"}
    return [Price(model, **rates), *(Price(model, **rate, above=int(above)) for above, rate in over.items())]


def programs(value: dict[str, Any]) -> tuple[Program, ...]:
    return tuple(
        Program(
            name,
            tuple(read.get("command") or ()),
            tuple((read.get("environment") or {}).items()),
            read.get("version") or "",
        )
        for name, read in value.items()
    )
