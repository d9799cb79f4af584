"""Where a GitHub is reached, told by a remote's address, the settings or the environment. Pure.

github.com, Enterprise servers (``https://HOST/api/v3``) and tenants with data residency (``https://api.NAME.ghe.com``):
https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from shared.errors import UserError
from shared.forge.github.api import Host

_PUBLIC = "github.com"
_ALSO_PUBLIC = frozenset({_PUBLIC, "www.github.com", "ssh.github.com"})  # the last: ssh on port 443
_TENANT = re.compile(r"[a-z0-9-]+\.ghe\.com\Z")
_SCP_LIKE = re.compile(r"(?:[^@/:\s]+@)?(?P<host>\[[0-9a-fA-F:]+\]|[^@/:\s\[\]]+):(?P<path>[^\s]+)\Z")
_REPOSITORY = re.compile(r"/*(?P<owner>[A-Za-z0-9_-]{1,100})/(?P<name>[A-Za-z0-9._-]{1,100}?)(?:\.git)?/*\Z")


@dataclass(frozen=True, slots=True)
class Located:
    """A repository as its remote's address has it; it may have another name by now."""

    host: Host
    repository: str  # owner/name


def quoted(part: object) -> str:
    """One part of a path, so that nothing in it is read as more than a name."""
    text = quote(str(part), safe="")
    return text.replace(".", "%2E") if text in (".", "..") else text


def located(address: str) -> Located | None:
    """Where a remote's address points; None where that can be no GitHub: a folder, another protocol, no owner."""
    parts = _parts(address)
    if parts is None:
        return None
    name, path, scheme = parts
    found = _REPOSITORY.match(path)
    if found is None or found["name"] in (".", ".."):
        return None
    return Located(host_named(name, scheme), f"{found['owner']}/{found['name']}")


def _parts(address: str) -> tuple[str, str, str] | None:
    """The host's name, with a port where it is one of HTTP, the path, and how it is spoken to."""
    url = _split(address) if "://" in address else None
    if url is not None:
        host = _bracketed((url.hostname or "").lower())
        if url.scheme in ("ssh", "git+ssh") and host:
            return host, url.path, "ssh"
        if not (url.scheme == "https" or (url.scheme == "http" and is_loopback(host))) or not host:
            return None
        return f"{host}:{url.port}" if url.port else host, url.path, url.scheme
    if "://" in address or address.startswith(("/", ".", "~")):
        return None
    scp = _SCP_LIKE.match(address)
    return (scp["host"].lower(), scp["path"], "ssh") if scp else None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether ``host``, with or without a port, is this machine by its very name."""
    name = (_split(f"//{host}") or SplitResult("", "", "", "", "")).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def unknown_to_all_but_ssh(address: str) -> str:
    """The host of an address that ssh understands, where that is neither github.com nor a tenant of it: it may be a
    name that only the user's ssh knows. Empty for all others."""
    parts = _parts(address)
    if parts is None or parts[2] != "ssh" or parts[0] in _ALSO_PUBLIC or _TENANT.match(parts[0]):
        return ""
    return parts[0]


def host_named(name: str, scheme: str = "") -> Host:
    """The GitHub whose pages are at ``name``. What was said to be ``https`` stays so, on this machine too."""
    if name in _ALSO_PUBLIC:
        return Host(_PUBLIC, "https://api.github.com", "https://api.github.com/graphql", "https://github.com")
    if _TENANT.match(name):
        return Host(name, f"https://api.{name}", f"https://api.{name}/graphql", f"https://{name}")
    web = f"{'http' if is_loopback(name) and scheme != 'https' else 'https'}://{name}"
    return Host(name, f"{web}/api/v3", f"{web}/api/graphql", web)


def host_at(api: str, graphql: str = "", web: str = "") -> Host:
    """The GitHub whose API is at ``api``. Raises UserError where a token would be sent in the clear."""
    api = _checked(api)
    parts = urlsplit(api)
    place = parts.netloc.rpartition("@")[2].lower()
    if place == "api.github.com":
        usual = host_named(_PUBLIC)
    elif place.startswith("api.") and _TENANT.match(place[4:]):
        usual = host_named(place[4:])
    else:
        base = f"{parts.scheme}://{place}"
        enterprise = parts.path.endswith("/api/v3")
        usual = Host(place, api, base + "/api/graphql" if enterprise else api + "/graphql", base)
    if web:
        usual = Host(urlsplit(web).netloc.lower(), usual.api, usual.graphql, web.rstrip("/"))
    return Host(usual.name, api, _checked(graphql) if graphql else usual.graphql, usual.web)


def _checked(url: str) -> str:
    parts = _split(url)
    if parts and parts.hostname and not (parts.query or parts.fragment or "@" in parts.netloc):
        near = parts.scheme == "http" and is_loopback(parts.netloc)
        if parts.scheme == "https" or near:
            return url.rstrip("/")
    raise UserError(
        f"{url!r} is no address of a GitHub API",
        "it begins with https://, or with http:// on this machine: the token is sent there",
        "such as github: {api: https://HOST/api/v3} for an Enterprise server",
    )


def chosen(remote: Host | None, api: str, environ: Mapping[str, str]) -> Host | None:
    """The GitHub that is meant: what the settings say, before what the environment says, before the remote's.

    GitHub Actions sets ``GITHUB_API_URL`` in every job, for the server it belongs to: it holds for a remote at that
    server, not at another. None where nothing says anything.
    """
    if api:
        return host_at(api)
    told, server = environ.get("GITHUB_API_URL", ""), environ.get("GITHUB_SERVER_URL", "")
    if told:
        host = host_at(told, environ.get("GITHUB_GRAPHQL_URL", ""), server)
        if remote is None or host.name == remote.name:
            return host
    return remote
