"""Talking to a remote repository: what git is told for it, and what its answers mean. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from shared.errors import GitError, UserError
from shared.model import Oid
from shared.text import printable

MOVED = "somebody moved it on the remote since it was looked at"
_SLOWEST = 100  # bytes a second
_PATIENCE = 60  # seconds for which a transfer may be slower
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_LINE = re.compile(rb"^([ +\-*!=])\t[^\t]*:(refs/[^\t]+)\t([^\n]*)$", re.MULTILINE)
_LISTED = re.compile(rb"^([0-9a-f]{40})\t(\S+)$", re.MULTILINE)
_STALE = ("stale info", "fetch first", "non-fast-forward", "remote ref updated since checkout")
_RACED = ("cannot lock ref", "failed to update ref", "reference already exists", "incorrect old value")
_DENIED = (
    "authentication failed",
    "could not read username",
    "permission to",
    "denied",
    "error: 403",
    "error: 401",
)
_ABSENT = ("not found", "error: 404")
_NOT_REACHED = (
    "could not resolve host", "failed to connect", "connection refused", "couldn't connect", "ssl connect",
    "certificate",
    "could not resolve proxy", "does not appear to be a git repository", "operation too slow",
)  # fmt: skip
_UPSET = re.compile(r"error: 5\d\d|internal server error")
_WORKFLOWS = (
    ": files of workflows need the permission `workflows` (a classic token: the scope `workflow`), which the token "
    "of a job never has"
)


class Denied(GitError):
    """The server knows us and says no, or does not know us; nothing was done."""


class Passing(GitError):
    """Another time it may go well."""


class NotReached(Passing):
    """There was no connection; nothing was done."""


def settings(url: str) -> list[str]:
    """Options for git before the command: one transport, no helpers, no redirects, no standing still.

    Raises UserError for an address that is not spoken to.
    """
    parts = urlsplit(url)
    scheme = parts.scheme
    local = scheme == "http" and _is_loopback(parts.hostname or "")
    if scheme not in ("https", "file") and not local:
        raise UserError(f"the remote's address {url!r} is neither https nor on this machine")
    if parts.username or parts.password:
        raise UserError("the remote's address holds a name or a password", "take it out of the address")
    told = [
        f"protocol.{scheme}.allow=always",
        "http.followRedirects=false",
        f"http.lowSpeedLimit={_SLOWEST}",
        f"http.lowSpeedTime={_PATIENCE}",
        "credential.helper=",
        "core.askPass=",
        "protocol.version=2",
    ]
    if local:
        told.append("http.proxy=")
    return [word for setting in told for word in ("-c", setting)]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the user's environment is needed to reach a server: proxies and certificates."""
    found = {}
    for name in _PROXIES:
        for spelled in (name, name.upper()):
            if value := environ.get(spelled):
                found[spelled] = value
    certificates = environ.get("GIT_SSL_CAINFO") or environ.get("SSL_CERT_FILE")
    if certificates:
        found["GIT_SSL_CAINFO"] = certificates
    return found


def with_header(url: str, header: str) -> dict[str, str]:
    """Variables by which git sends ``header`` to that address alone: other users see command lines."""
    parts = urlsplit(url)
    scope = f"{parts.scheme}://{parts.netloc}/"
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{scope}.extraHeader",
        "GIT_CONFIG_VALUE_0": header,
    }


def without(output: bytes, header: str) -> bytes:
    """What git said, without the secret should it ever be in it."""
    secret = header.rpartition(" ")[2].encode()
    return output.replace(secret, b"***") if secret else output


def refuse_foreign(name: str, *prefixes: str) -> None:
    """The one door for what is moved on a remote, or fetched from it: our own refs, and no others."""
    plain = not re.search(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|//|@\{|/\.|\.lock(/|$)|[/.]$", name)
    if not plain or not any(name.startswith(prefix) and len(name) > len(prefix) for prefix in prefixes):
        raise GitError(f"{printable(name)!r} is no ref of Spinney's: it is left alone")


def listed(output: bytes) -> dict[str, Oid]:
    """Names and ids, as ``ls-remote`` prints them."""
    return {name.decode(errors="replace"): Oid(oid.decode()) for oid, name in _LISTED.findall(output)}


def pushed(output: bytes) -> dict[str, str | None]:
    """By ref, why it stays where it is, as ``push --porcelain`` tells; empty where it moved, None if not known."""
    told: dict[str, str | None] = {}
    for flag, name, summary in _LINE.findall(output):
        told[name.decode(errors="replace")] = (
            _reason(summary.decode(errors="replace")) if flag == b"!" else ""
        )
    return told


def _reason(summary: str) -> str | None:
    said = summary.lower()
    if any(words in said for words in (*_STALE, *_RACED)):
        return MOVED
    if "remote failure" in said or "failed to report" in said:
        return None
    words = re.sub(r"^\[[^\]]*\]\s*", "", printable(summary, limit=300)).strip("() ")
    if "shallow update not allowed" in said:
        return "the remote takes nothing from a shallow clone: git fetch --unshallow"
    needs = _WORKFLOWS if "refusing to allow" in said and "workflow" in said else ""
    return f"the remote refuses it: {words or 'it does not say why'}{needs}"


def said_why(reason: str, stderr: bytes) -> str:
    """What the server said where a rule for the push as a whole refused it; empty where it said nothing."""
    if "pre-receive" not in reason and "rule violations" not in reason:
        return ""
    text = printable(stderr.decode(errors="replace"), limit=2000)
    said = re.search(r"^remote: (?:error: )?([^\s].*)$", text, re.MULTILINE)
    return f" ({said[1].strip()})" if said else ""


def failure(stderr: bytes, url: str) -> GitError:
    """What went wrong with the transfer as a whole, in words."""
    text = printable(stderr.decode(errors="replace"), limit=2000)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    words = "; ".join(dict.fromkeys(re.sub(r"^(fatal|error|remote): ", "", line) for line in lines[-3:]))
    said, where = text.lower(), urlsplit(url)
    place = f"{where.hostname or 'the remote'}{where.path.removesuffix('.git')}"
    if any(mark in said for mark in _NOT_REACHED):
        return NotReached(f"{place} is not to be reached: {words}", "look at the network, and at proxies")
    if _UPSET.search(said):
        return Passing(f"{place} is in trouble: {words}")
    if any(mark in said for mark in _DENIED):
        return Denied(
            f"{place} does not let the token in: {words}",
            "it needs to write contents (a fine-grained token), or the scope `repo`",
        )
    if any(mark in said for mark in _ABSENT):
        return Denied(f"{place} is not there, or the token may not see it: {words}")
    return GitError(f"{place}: {words or 'git did not say what went wrong'}")
