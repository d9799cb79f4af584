"""Whom we are to GitHub: a token, and where it comes from.

A token is in the orchestrator's memory and in the requests to its own host: in no command line, log or message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from shared import process
from shared.credentials import APP_KEY, ENTERPRISE, GITHUB, read_key
from shared.errors import SpinneyError, UserError
from shared.forge.github.addresses import is_loopback
from shared.forge.github.api import Host
from shared.model import GitHubSettings

APP_ID = "SPINNEY_GITHUB_APP_ID"
_ASKING_GH = 10.0  # seconds; it may look into the desktop's own store


class Auth(Protocol):
    @property
    def source(self) -> str:
        """Where the token comes from, for people."""

    def token(self) -> str:
        """One that is good now. Raises SpinneyError where none is to be had."""


@dataclass(frozen=True, slots=True)
class Given:
    """A token that lasts as long as we do, as far as anybody knows."""

    value: str = field(repr=False)
    source: str

    def token(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App, whose tokens have to be asked for."""

    id: str
    key: str = field(repr=False)  # PEM
    installation: str = ""  # empty: the one of the repository

    @property
    def source(self) -> str:
        return f"the GitHub App {self.id}"


Run = Callable[[Sequence[str], Mapping[str, str]], process.Completed]


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> process.Completed:
    return process.run(argv, cwd="/", env=environ, timeout=_ASKING_GH)


def find_auth(
    taken: Mapping[str, str],
    host: Host,
    settings: GitHubSettings,
    environ: Mapping[str, str],
    run: Run = _run,
) -> Given | App:
    """Whom we are at ``host``: by a token that was ``taken`` out of the environment, by an App, or by the login of gh.

    Raises UserError where there is nothing, or where it cannot be a token.
    """
    names = _names(host, environ)
    for name in names:
        if token := taken.get(name, "").strip():
            return Given(_checked(token, f"${name}"), f"${name}")
    app = _app(taken, settings, environ)
    if app and names:
        return app
    if token := _of_gh(host, environ, run):
        return Given(_checked(token, "gh"), f"gh (gh auth token --hostname {host.name})")
    raise UserError(
        f"there is no token for GitHub at {host.name}",
        *_passed_over(taken, names, host),
        *(
            []
            if names
            else [f"if that is your server, name it in the environment: export GH_HOST={host.name}"]
        ),
        f"set one in the environment: export {(names or ENTERPRISE)[0]}=…",
        f"or log in once with GitHub's own program: gh auth login --hostname {host.name}",
        "or act as a GitHub App: github: {app: '…', app_key_file: …} in spinney.yaml",
    )


def _names(host: Host, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables whose tokens are for ``host``; empty where nothing of the environment goes there.

    A remote's address and settings are a repository's, and may be anybody's: a server counts where the environment
    names it too. In a job of GitHub Actions that is the server that the job is of, with the ordinary tokens; elsewhere
    ``GH_HOST`` names it, as it does to gh.
    """
    if host.name == "github.com" or host.name.endswith(".ghe.com"):
        return GITHUB
    job = urlsplit(environ.get("GITHUB_SERVER_URL", "")).netloc.lower()
    named = environ.get("GH_HOST", "").strip().lower()
    if host.name == job or (host.name == named and is_loopback(named)):
        return (*ENTERPRISE, *GITHUB)
    return ENTERPRISE if host.name == named else ()


def _passed_over(taken: Mapping[str, str], names: Sequence[str], host: Host) -> Iterator[str]:
    for name in (*GITHUB, *ENTERPRISE):
        if taken.get(name, "").strip() and name not in names:
            yield f"${name} is not for {host.name} and was not sent there"
    if taken.get(APP_KEY, "").strip() and not names:
        yield f"nothing signed by a GitHub App was sent to {host.name} either"


def _checked(token: str, source: str) -> str:
    if token.isascii() and token.isprintable() and " " not in token:
        return token
    raise UserError(
        f"what {source} holds is no token: it has blanks or line breaks in it", "one line, and nothing else"
    )


def _app(taken: Mapping[str, str], settings: GitHubSettings, environ: Mapping[str, str]) -> App | None:
    app = settings.app or environ.get(APP_ID, "").strip()
    if not app:
        return None
    if not app.isdecimal():
        raise UserError(
            f"{app[:40]!r} is no id of a GitHub App: it is a number", "its page shows it as App ID"
        )
    key = taken.get(APP_KEY, "").strip()
    if not key and settings.app_key_file:
        key = read_key(settings.app_key_file, "github: {app_key_file: …}")
    if not key:
        raise UserError(
            f"the GitHub App {app} needs its private key",
            f"set it in the environment: {APP_KEY}",
            "or keep it in a file that only you can read: github: {app_key_file: …}",
        )
    return App(app, key.replace("\\n", "\n") + "\n", settings.installation)


def _of_gh(host: Host, environ: Mapping[str, str], run: Run) -> str:
    """What GitHub's own program would use; empty where it is not there or nobody logged in."""
    try:
        done = run(("gh", "auth", "token", "--hostname", host.name), environ)
    except SpinneyError:
        return ""
    return done.stdout.decode(errors="replace").strip() if done.status == 0 else ""
