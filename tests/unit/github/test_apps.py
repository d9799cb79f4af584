from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.errors import UserError
from shared.forge.github.apps import Installation, Statement
from shared.forge.github.auth import App
from shared.forge.github.errors import Refused, Unreachable
from shared.forge.github.transport import Lost, Raw
from tests.support.github_script import Answer, Scripted, raw, scripted

_KEY = rsa.generate_private_key(65537, 2048)
PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
APP = App("12", PEM)


def token(value: str, it: list[Scripted], lasts: float = 3600.0) -> Answer:
    """Good for ``lasts`` seconds from when it is asked for."""

    def made() -> Raw:
        end = datetime.fromtimestamp(it[0].clock.now() + lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return raw(201, {"token": value, "expires_at": end, "permissions": {"issues": "write"}})

    return made


def installed(app: App, answers: list[Answer], it: list[Scripted]) -> Installation:
    it.append(scripted(answers, auth=Statement(app)))
    return Installation(app, "o/r", lambda auth: it[0].client, it[0].clock)


def test_app_says_who_it_is_by_its_signature() -> None:
    said = jwt.decode(
        Statement(APP).token(), _KEY.public_key(), algorithms=["RS256"], options={"verify_iat": False}
    )
    assert said["iss"] == "12"
    assert said["iat"] <= time.time() < said["exp"] <= said["iat"] + 600


def test_installation_is_that_of_the_repository_unless_it_is_named() -> None:
    it: list[Scripted] = []
    auth = installed(APP, [raw(200, {"id": 99}), token("ghs_1", it)], it)
    assert auth.token() == "ghs_1"
    first, second = it[0].script.requests
    assert (first.method, first.url) == ("GET", "https://api.github.com/repos/o/r/installation")
    assert (second.method, second.url) == (
        "POST",
        "https://api.github.com/app/installations/99/access_tokens",
    )
    assert first.headers["authorization"].startswith("Bearer ey")
    it = []
    auth = installed(App("12", PEM, "7"), [token("ghs_1", it)], it)
    auth.token()
    assert it[0].script.requests[0].url.endswith("/app/installations/7/access_tokens")


def test_token_is_used_until_five_minutes_before_its_end() -> None:
    it: list[Scripted] = []
    auth = installed(App("12", PEM, "7"), [token("ghs_1", it), token("ghs_2", it)], it)
    assert auth.token() == "ghs_1"
    it[0].clock.advance(3299)
    assert auth.token() == "ghs_1"
    it[0].clock.advance(2)
    assert auth.token() == "ghs_2"
    assert "ghs_" not in repr(auth)
    assert PEM not in repr(auth)


def test_end_is_told_by_githubs_clock() -> None:
    it: list[Scripted] = []
    made = raw(
        201, {"token": "ghs_1", "expires_at": "2030-01-01T01:00:00Z"}, date="Tue, 01 Jan 2030 00:00:00 GMT"
    )
    auth = installed(App("12", PEM, "7"), [made, token("ghs_2", it)], it)
    auth.token()
    it[0].clock.advance(3299)
    assert auth.token() == "ghs_1"
    it[0].clock.advance(2)
    assert auth.token() == "ghs_2"


def test_token_whose_answer_was_lost_is_asked_for_once_more() -> None:
    it: list[Scripted] = []
    auth = installed(App("12", PEM, "7"), [Lost("cut"), token("ghs_2", it)], it)
    assert auth.token() == "ghs_2"


def test_app_that_is_not_installed_says_where() -> None:
    it: list[Scripted] = []
    auth = installed(APP, [raw(404, {"message": "Not Found"})], it)
    with pytest.raises(UserError) as caught:
        auth.token()
    assert caught.value.message == "the GitHub App 12 is not installed where it could see o/r"


def test_app_that_github_does_not_know_is_named() -> None:
    it: list[Scripted] = []
    auth = installed(
        App("12", PEM, "7"), [raw(401, {"message": "A JSON web token could not be decoded"})], it
    )
    with pytest.raises(Refused) as caught:
        auth.token()
    assert caught.value.message.startswith("GitHub does not accept the token of the GitHub App 12: ")


@pytest.mark.parametrize(
    "key", ["", "key", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n"]
)
def test_key_that_is_none_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UserError) as caught:
        Statement(App("12", key)).token()
    assert caught.value.message == "the private key of the GitHub App 12 is none"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "made",
    [
        {},
        [],
        {"token": 3},
        {"token": ""},
        {"token": "a\nb", "expires_at": "2030-01-01T00:00:00Z"},
        {"token": "a", "expires_at": "soon"},
    ],
)
def test_answer_without_a_token_is_told(made: object) -> None:
    it: list[Scripted] = []
    auth = installed(App("12", PEM, "7"), [raw(201, made)], it)
    with pytest.raises(Unreachable):
        auth.token()
    assert json.dumps(made) not in repr(auth)
