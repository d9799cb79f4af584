"""Models: which ones, what they cost, what may be spent and what was."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model.words import Tier


@dataclass(frozen=True, slots=True)
class Spending:
    """What may be spent on models; 0 is no limit. Tokens are those of the input, cached or not, and the output."""

    usd: float = 0.0
    tokens: int = 0

    def over(self, before: Spending) -> Spending:
        """What this one limits, and what ``before`` limits beside that."""
        return Spending(self.usd or before.usd, self.tokens or before.tokens)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of ``model``, for prompts of more than ``above`` tokens."""

    model: str
    input: float
    output: float
    cache_write: float = 0.0  # kept for five minutes
    cache_write_1h: float = 0.0
    cache_read: float = 0.0
    above: int = 0


# Read off https://platform.claude.com/docs/en/about-claude/pricing on the day PRICES_OF names.
PRICES_OF = "2026-10-08"
PRICES = (
    Price("claude-haiku-5-5", 0.10, 0.50, 0.125, 0.20, 0.01),
    Price("claude-haiku-5-5", 0.50, 2.50, 0.625, 1.00, 0.05, above=100_000),
    Price("claude-sonnet-5-5", 2.00, 10.00, 2.50, 4.00, 0.20),
    Price("claude-opus-5-5", 4.00, 20.00, 5.00, 8.00, 0.20),
)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models work, where they are reached, what they cost, and how fast they may be asked."""

    fast: str = "claude-haiku-5-5"
    balanced: str = "claude-sonnet-5-5"
    deep: str = "claude-opus-5-5"
    base_url: str = "https://api.anthropic.com"
    key_file: str = ""  # holds the key; empty: the environment, then the keyring
    prices: tuple[Price, ...] = PRICES
    prices_of: str = PRICES_OF  # the day they were read
    requests_per_minute: int = 0  # for all agents together; 0: what the server's own headers say
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    at_once: int = 0  # requests; 0: as many as there are slots
    outage: float = 1800.0  # seconds without any answer after which the run stops, to be gone on with
    steps: int = 150  # requests that one agent may make
    cache: bool = False  # answer a request that was made before, to the letter, from the record

    def of(self, tier: Tier) -> str:
        return {"fast": self.fast, "balanced": self.balanced, "deep": self.deep}[tier]


@dataclass(frozen=True, slots=True)
class Program:
    """A coding program that works on its own in a worktree; see ``workflow_manager/backends/programs``."""

    name: str
    command: tuple[str, ...] = ()  # empty: what is built in for this name
    environment: tuple[tuple[str, str], ...] = ()
    version: str = ""  # the oldest that is known to work


@dataclass(frozen=True, slots=True)
class Tokens:
    """As the server billed them. ``input`` are those that no cache was used for."""

    input: int = 0
    output: int = 0
    cache_write: int = 0  # kept for five minutes
    cache_write_1h: int = 0
    cache_read: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_write_1h + self.cache_read

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What requests to models came to; ``cost_usd`` is None where one of the models has no price."""

    tokens: Tokens = Tokens()
    cost_usd: float | None = 0.0
    calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        cost = None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0)
        return Usage(self.tokens + other.tokens, cost, self.calls + other.calls)
