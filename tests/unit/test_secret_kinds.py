"""What looks like somebody's secret, what only looks like an example of one, and how long that takes."""

from __future__ import annotations

import base64
import subprocess
import sys
import time

import pytest

from shared.secret_kinds import KINDS, suspects

# Put together here, so that no scanner takes this file for a leak.
BODY = "MIIEpAIBAAKCAQEAvT7hZq3n5xR9kW2mN8pLs4dYb6Jc1uFgEaQoXiTz0HyVrSwK"
TOKEN = "Zq8vT1xR5kW2mN9pLs4dYb6Jc0uFgEaQoXiT"
PARTS = [
    base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    for part in (b'{"alg":"HS256"}', b'{"sub":"ada lovelace"}')
]
REAL = {
    "an AWS access key": "AKIA" + "Q7ZT3W5XKN2VJ4RM",
    "an AWS secret key": 'aws_secret_access_key = "' + "Zq8vT1xR5kW2mN9pLs4dYb6Jc0uFgEaQ/XiT+x7H" + '"',
    "a GitHub token": "ghp_" + TOKEN,
    "a GitLab token": "glpat-" + TOKEN[:20],
    "a Slack token": "xoxb-" + "293847561029-382910475610-" + TOKEN[:24],
    "a Slack webhook": "https://hooks.slack.com/services/" + "T0Q8VT1XR/B5KW2MN9P/" + TOKEN[:24],
    "a Stripe key": "sk_live_" + TOKEN[:24],
    "a private key": "-----BEGIN RSA PRIVATE" + f" KEY-----\n{BODY}\n",
    "a JSON web token": ".".join([*PARTS, TOKEN]),
    "an Anthropic key": "sk-ant-" + "api03-" + TOKEN * 2 + "AA",
    "an OpenAI key": "sk-" + TOKEN[:20] + "T3BlbkFJ" + TOKEN[10:30],
    "a Google key": "AIza" + TOKEN[:35],
    "an npm token": "npm_" + TOKEN,
    "a PyPI token": "pypi-AgEIcHlwaS5vcmc" + TOKEN * 2,
    "a SendGrid key": "SG." + TOKEN[:22] + "." + TOKEN + TOKEN[:7],
    "a Square secret": "sq0csp-" + TOKEN + TOKEN[:7],
    "an Azure storage key": "AccountKey=" + TOKEN * 2 + TOKEN[:14] + "==",
}  # fmt: skip


def kinds(text: str) -> list[str]:
    return [suspect.kind for suspect in suspects(text)]


@pytest.mark.parametrize("kind", REAL)
def test_each_kind_is_told_by_its_name_and_place(kind: str) -> None:
    text = f"first line\nvalue: {REAL[kind]} # and more\n"
    found = list(suspects(text))
    assert [suspect.kind for suspect in found] == [kind]
    assert text.count("\n", 0, found[0].place) == 1


def test_there_is_a_sample_of_every_kind() -> None:
    assert {kind.name for kind in KINDS} == REAL.keys()


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "aws_secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY'",
        "ghp_" + "x" * 36,
        "ghp_" + "A1" * 18,
        "glpat-" + "your-token-goes-here",
        "xoxb-" + "123456789012-1234567890123-abcdefghijABCDEFGHIJ1234",
        "sk-ant-" + "api03-" + "0" * 80,
        "sk-ant-...",
        "sk_test_" + TOKEN[:24],  # works on nothing that costs
        "-----BEGIN PRIVATE" + " KEY-----\n...\n-----END PRIVATE KEY-----",
        "if text.startswith('-----BEGIN PRIVATE" + " KEY-----'):",
        "eyJ is how they begin, as in eyJhbGciOi.eyJzdWIiOi",
        "password = 'hunter2'",
        "token = os.environ['TOKEN']",
        "sha256:" + "ab12cd34" * 8,
        "integrity sha512-" + base64.b64encode(bytes(range(64))).decode(),
    ],
)
def test_examples_hashes_and_names_of_variables_are_no_alarm(text: str) -> None:
    assert kinds(text) == []


def test_plain_text_does_not_import_the_detector() -> None:
    code = (
        "import sys\nfrom shared.secret_kinds import suspects\n"
        "print(list(suspects('an ordinary text, of AWS and of private keys\\n' * 1000)), 'detect_secrets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"


SLOW = 65_536
HOSTILE = {
    "one letter": "a" * SLOW,
    "aws": "aws '" * (SLOW // 5),
    "web token": "eyJ" * (SLOW // 3),
    "web tokens": (" eyJ" + "a" * 900 + ".eyJ" + "a" * 3900 + ".") * 13,
    "web token's parts": "-eyJaaaaaaaa." * (SLOW // 13),
    "private key": "-----BEGIN PRIVATE KEY-----\n" * (SLOW // 28),
    "private key's lines": "-----BEGIN PRIVATE KEY-----" + "a: b\n" * (SLOW // 5),
    "private key's blanks": "-----BEGIN PRIVATE KEY-----" + "\n" * SLOW,
    "openai": "A" * SLOW + "T3BlbkFJ",
    "gitlab": "glpat-" * (SLOW // 6),
    "slack": "xoxb-1-" * (SLOW // 7),
    "slack's digits": "xoxb-" + "1-" * (SLOW // 2),
    "github": ("ghp_" + "a1B2c3D4" * 5) * (SLOW // 44),
    "pypi": "pypi-Ag" * (SLOW // 7),
    **{kind: (text * (SLOW // len(text) + 1))[:SLOW] for kind, text in REAL.items()},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_pattern_takes_at_most_50_ms_for_64_kib_of_hostile_text(name: str) -> None:
    list(suspects("\n".join(REAL.values())))  # imported before
    text = HOSTILE[name]
    present = [kind for kind in KINDS if any(word in text for word in kind.words)]
    best = min(_seconds(text) for _ in range(3))
    assert best <= 0.05 * max(1, len(present))


def _seconds(text: str) -> float:
    started = time.process_time()
    list(suspects(text))
    return time.process_time() - started
