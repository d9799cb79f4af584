"""git over HTTP: ``git http-backend`` behind the stand-in's authentication."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping

from tests.support.github.asking import Answer
from tests.support.github.state import Repository, Token
from tests.support.repository import git_environment


def wants_write(service: str, query: Mapping[str, str]) -> bool:
    return "git-receive-pack" in (service, query.get("service"))


def credential(header: str) -> str:
    """The token of a basic or bearer authorization; empty where there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return ""
        return password if password not in ("", "x-oauth-basic") else user
    return value.strip()


def refused(status: int, message: str) -> Answer:
    headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
    return Answer(status=status, headers={**headers, "Content-Type": "text/plain"}, raw=message.encode())


def serve(
    repository: Repository,
    service: str,  # info/refs, git-upload-pack, git-receive-pack
    method: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    token: Token | None,
) -> Answer:
    environment = {
        **git_environment(),
        "GIT_PROJECT_ROOT": str(repository.bare.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.bare.path.name}/{service}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "REMOTE_USER": token.user.login if token else "",
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(fields.pop("Status", "200").split()[0])
    return Answer(status=status if head else 500, headers=fields, raw=rest)


def commands(body: bytes) -> tuple[tuple[str, str, str], ...]:
    """What a push asks for: ref, old id, new id, of each."""
    found, at = [], 0
    while at + 4 <= len(body):
        length = int(body[at : at + 4], 16)
        if length == 0:
            break
        line = body[at + 4 : at + length].split(b"\0")[0].decode().rstrip("\n")
        parts = line.split(" ", 2)
        if len(parts) == 3:
            found.append((parts[2], parts[0], parts[1]))
        at += length
    return tuple(found)
