"""REST: who asks, who may what, the repository, its branches, and Apps."""

from __future__ import annotations

from urllib.parse import quote

from tests.support.github import shapes
from tests.support.github.asking import Answer, Asked, Problem, not_found, route
from tests.support.github.shapes import Json
from tests.support.github.state import User, stamp

_REPO = "/repos/{owner}/{repo}"


@route("GET", "/user")
def viewer(asked: Asked) -> Answer:
    if asked.token is not None and asked.token.installation:
        raise Problem(403, "Resource not accessible by integration")
    extra = {
        "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0,
        "collaborators": 0, "two_factor_authentication": True,
    }  # fmt: skip
    return Answer({**shapes.profile(asked.user, asked.at), **extra})


@route("GET", "/users/{username}")
def by_login(asked: Asked) -> Answer:
    user = asked.world.user(asked.params["username"])
    return _profile(asked, user)


@route("GET", "/user/{account_id}")
def by_id(asked: Asked) -> Answer:
    return _profile(asked, asked.world.users.get(asked.number("account_id")))


def _profile(asked: Asked, user: User | None) -> Answer:
    if user is None:
        raise not_found()
    return Answer(shapes.profile(user, asked.at))


@route("GET", "/meta")
def meta(asked: Asked) -> Answer:
    return Answer({"verifiable_password_authentication": False})


@route("GET", "/rate_limit", limit="none")
def rate_limit(asked: Asked) -> Answer:
    limits = asked.github.limits.overview(asked.token)
    data: Json = {"resources": limits}
    if asked.version < "2026-03-10":
        data["rate"] = limits["core"]
    return Answer(data)


# --- the repository


@route("GET", _REPO, "metadata=read")
def repository(asked: Asked) -> Answer:
    viewer = asked.token.user if asked.token else None
    return Answer(shapes.whole_repository(asked.repo, asked.at, viewer))


@route("GET", _REPO + "/collaborators/{username}", "metadata=read")
def is_collaborator(asked: Asked) -> Answer:
    user = asked.world.user(asked.params["username"])
    if user is None or (user.id not in asked.repo.permissions and user is not asked.repo.owner):
        raise not_found()
    return Answer(status=204)


@route("GET", _REPO + "/collaborators/{username}/permission", "metadata=read")
def permission(asked: Asked) -> Answer:
    asked.demand("read")
    user = asked.world.user(asked.params["username"])
    if user is None:
        raise not_found()
    held = asked.repo.permission(user)
    legacy = {"maintain": "write", "triage": "read"}.get(held, held)
    person = {
        **shapes.person(user, asked.at), "role_name": held, "permissions": shapes.permissions(held)
    }  # fmt: skip
    return Answer({"permission": legacy, "role_name": held, "user": person})


@route("GET", _REPO + "/branches", "contents=read")
def branches(asked: Asked) -> Answer:
    names = sorted(asked.repo.bare.heads().items())
    part, headers = asked.page(names)
    url = asked.at.repository(asked.repo)
    return Answer([
        {
            "name": name, "protected": _protected(asked, name),
            "commit": {"sha": oid, "url": f"{url}/commits/{oid}"},
        }
        for name, oid in part
    ], headers=headers)  # fmt: skip


@route("GET", _REPO + "/branches/{branch}", "contents=read")
def branch(asked: Asked) -> Answer:
    name = asked.params["branch"]
    oid = asked.repo.bare.heads().get(name)
    commit = asked.repo.bare.commit(oid) if oid else None
    if commit is None:
        raise Problem(404, "Branch not found")
    url = f"{asked.at.repository(asked.repo)}/branches/{quote(name)}"
    protected = _protected(asked, name)
    return Answer({
        "name": name, "commit": shapes.commit(commit, asked.repo, asked.at), "protected": protected,
        "_links": {"self": url, "html": f"{asked.at.page(asked.repo)}/tree/{quote(name)}"},
        "protection": {
            "enabled": protected,
            "required_status_checks": {"contexts": list(asked.repo.required_checks), "checks": []},
        },
        "protection_url": f"{url}/protection",
    })  # fmt: skip


def _protected(asked: Asked, name: str) -> bool:
    repo = asked.repo
    ruled = bool(repo.required_checks or repo.approvals or repo.queue)
    return name in repo.protected or (name == repo.default_branch and ruled)


# --- Apps


@route("GET", "/app")
def app(asked: Asked) -> Answer:
    return Answer(_app(asked))


@route("GET", _REPO + "/installation")
def installation(asked: Asked) -> Answer:
    owner = asked.repo.owner
    base = f"{asked.base}/app/installations/{asked.github.installation}"
    return Answer({
        "id": asked.github.installation, "account": shapes.person(owner, asked.at), "app_id": asked.github.app_id,
        "app_slug": "spinney-test", "target_id": owner.id, "target_type": owner.kind, "single_file_name": None,
        "repository_selection": "selected", "access_tokens_url": f"{base}/access_tokens",
        "html_url": f"{asked.at.web}/settings/installations/1", "events": [], "suspended_by": None,
        "repositories_url": f"{asked.base}/installation/repositories", "suspended_at": None,
        "permissions": asked.github.app_permissions, "created_at": stamp(0), "updated_at": stamp(0),
    })  # fmt: skip


@route("POST", "/app/installations/{installation_id}/access_tokens")
def access_token(asked: Asked) -> Answer:
    if asked.number("installation_id") != asked.github.installation:
        raise not_found()
    wanted = (asked.body or {}).get("permissions") or asked.github.app_permissions
    token = asked.github.new_installation_token(wanted)
    assert token.expires is not None
    return Answer({
        "token": token.value, "expires_at": stamp(token.expires), "permissions": wanted,
        "repository_selection": "selected",
    }, 201)  # fmt: skip


def _app(asked: Asked) -> Json:
    owner = next(iter(asked.world.users.values()))
    return {
        "id": asked.github.app_id, "slug": "spinney-test", "node_id": "A_1", "name": "Spinney test",
        "owner": shapes.person(owner, asked.at), "description": None, "external_url": asked.at.web,
        "html_url": f"{asked.at.web}/apps/spinney-test", "created_at": stamp(0), "updated_at": stamp(0),
        "permissions": asked.github.app_permissions, "events": [], "installations_count": 1,
    }  # fmt: skip
