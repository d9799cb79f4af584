"""Texts that look like somebody's secret, whoever's it is. Pure.

The patterns are those of ``detect-secrets``, without its guesses by entropy or by names of variables, which are
mostly wrong. Importing it takes a third of a second, and its patterns were not made for text that strangers write:
so each kind has a mark that is found fast and in linear time, and only what stands there is shown to the plugin.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

_SHOWN = 2000  # characters from a mark on that a plugin is shown
_MOST = 50  # marks of a kind in one text that are looked at
_FEW = 5  # different characters in its last 16, up to which a value is a placeholder
_MADE_UP = re.compile(
    r"example|placeholder|dummy|changeme|redacted|replace|sample|your|fake|x{6}|\.{3}|1234567890|abcdefghij",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What gives a kind of secret away: one of ``words``, then ``mark``, then what ``plugin`` says."""

    name: str
    words: tuple[str, ...]
    mark: str  # compiled when it is first needed
    plugin: str = ""  # module and class below detect_secrets.plugins; empty: the mark is enough


@dataclass(frozen=True, slots=True)
class Suspect:
    """Where in a text something looks like a secret. What it is, is never kept."""

    place: int  # characters before it
    kind: str


def _kind(name: str, words: str, mark: str, plugin: str = "") -> Kind:
    return Kind(name, tuple(words.split()), mark, plugin)


KINDS = (
    _kind("an AWS access key", "A3T ABIA ACCA AKIA ASIA",
          r"(?<![A-Za-z0-9])(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", "aws.AWSKeyDetector"),
    _kind("an AWS secret key", "aws AWS Aws",
          r"(?:aws|AWS|Aws)[^\n]{0,60}?['\"][0-9a-zA-Z/+]{40}['\"]", "aws.AWSKeyDetector"),
    _kind("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_",
          r"gh[pousr]_[A-Za-z0-9_]{36}", "github_token.GitHubTokenDetector"),
    _kind("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _kind("a GitLab token", "glpat- gldt- glft- glsoat- glrt- GR1348941 glcbt- glimt- glptt- glagent- gloas-",
          r"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941)[A-Za-z0-9_-]{20}",
          "gitlab_token.GitLabTokenDetector"),
    _kind("a Slack token", "xox", r"xox[abposr]-\d{1,20}-", "slack.SlackDetector"),
    _kind("a Slack webhook", "hooks.slack.com", r"https://hooks\.slack\.com/services/T", "slack.SlackDetector"),
    _kind("a Stripe key", "sk_live_ rk_live_", r"[rs]k_live_[0-9a-zA-Z]{24}", "stripe.StripeDetector"),
    _kind("a private key", "PRIVATE",
          r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]|[\"'+,]){0,20}"
          r"(?:[A-Za-z-]{1,20}: [^\n]{0,80}\s{1,4}){0,5}[A-Za-z0-9+/=]{40}"),
    _kind("a JSON web token", "eyJ",
          r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{20}"),
    _kind("an Anthropic key", "sk-ant-", r"sk-ant-[a-z0-9]{2,10}-[A-Za-z0-9_-]{40}"),
    _kind("an OpenAI key", "T3BlbkFJ", r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    _kind("an OpenAI key", "sk-proj- sk-svcacct-", r"sk-(?:proj|svcacct)-[A-Za-z0-9_-]{40}"),
    _kind("a Google key", "AIza", r"(?<![A-Za-z0-9_-])AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    _kind("an npm token", "npm_", r"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _kind("a PyPI token", "pypi-Ag", r"pypi-Ag[A-Za-z0-9_-]{20}", "pypi_token.PypiTokenDetector"),
    _kind("a SendGrid key", "SG.", r"SG\.[A-Za-z0-9_-]{22}\.", "sendgrid.SendGridDetector"),
    _kind("a Square secret", "sq0csp-", r"sq0csp-[0-9A-Za-z_-]{43}", "square_oauth.SquareOAuthDetector"),
    _kind("an Azure storage key", "AccountKey=",
          r"AccountKey=[a-zA-Z0-9+/=]{88}", "azure_storage_key.AzureStorageKeyDetector"),
)  # fmt: skip


def suspects(text: str) -> Iterator[Suspect]:
    """Everything in ``text`` that looks like a secret and not like an example of one."""
    for kind in KINDS:
        if any(word in text for word in kind.words):
            yield from (Suspect(place, kind.name) for place in _places(kind, text))


def _places(kind: Kind, text: str) -> Iterator[int]:
    for match in islice(re.finditer(kind.mark, text), _MOST):
        values = [match[0]]
        if kind.plugin:
            shown = text[match.start() : match.start() + _SHOWN]
            values = [found[0] for pattern in _patterns(kind.plugin) if (found := pattern.search(shown))]
        if not _MADE_UP.search(match[0]) and not all(_made_up(value) for value in values):
            yield match.start()


def _made_up(value: str) -> bool:
    return len(set(value[-16:])) <= _FEW or _MADE_UP.search(value) is not None


@cache
def _patterns(plugin: str) -> Sequence[re.Pattern[str]]:
    module, _, name = plugin.partition(".")
    return tuple(getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name).denylist)
