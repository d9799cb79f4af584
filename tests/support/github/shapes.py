"""People, repositories and what hangs on them, as REST shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pygit2

from tests.support.github.state import RANKS, Label, Milestone, Permission, Repository, User, may, stamp

Json = dict[str, Any]

_REPOSITORY_PATHS = {
    "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
    "downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}",
    "issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
    "languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags",
    "teams_url": "/teams", "trees_url": "/git/trees{/sha}", "hooks_url": "/hooks",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Addresses:
    """``api`` and ``web`` are base addresses without a slash at the end."""

    api: str
    web: str

    def repository(self, repository: Repository) -> str:
        return f"{self.api}/repos/{repository.full_name}"

    def page(self, repository: Repository) -> str:
        return f"{self.web}/{repository.full_name}"


def node_id(kind: str, id: int) -> str:
    return f"{kind}_{id}"


def person(user: User, at: Addresses) -> Json:
    url = f"{at.api}/users/{quote(user.login)}"
    return {
        "login": user.login, "id": user.id, "node_id": node_id("U", user.id),
        "avatar_url": f"{at.web}/avatars/u/{user.id}", "gravatar_id": "", "url": url,
        "html_url": f"{at.web}/{quote(user.login)}", "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}", "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}", "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs", "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}", "received_events_url": f"{url}/received_events",
        "type": user.kind, "user_view_type": "public", "site_admin": False,
    }  # fmt: skip


def profile(user: User, at: Addresses) -> Json:
    return {
        **person(user, at), "name": user.login.title(), "company": None, "blog": "", "location": None,
        "email": None, "hireable": None, "bio": None, "twitter_username": None, "public_repos": 1,
        "public_gists": 0, "followers": 0, "following": 0, "created_at": stamp(0), "updated_at": stamp(0),
    }  # fmt: skip


def permissions(held: Permission) -> Json:
    names = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    return {name: may(held, rank) for name, rank in names.items() if rank in RANKS}  # type: ignore[arg-type]


def repository(repo: Repository, at: Addresses) -> Json:
    """What the places where a repository is part of something else need."""
    url, page = at.repository(repo), at.page(repo)
    opened = sum(issue.state == "open" and issue.there for issue in repo.issues.values())
    return {
        "id": repo.id, "node_id": node_id("R", repo.id), "name": repo.name, "full_name": repo.full_name,
        "private": repo.private, "owner": person(repo.owner, at), "html_url": page, "description": None,
        "fork": False, "url": url, **{name: url + path for name, path in _REPOSITORY_PATHS.items()},
        "git_url": f"git:{page.partition(':')[2]}.git", "ssh_url": f"git@{at.web.partition('//')[2]}:{repo.full_name}.git",
        "clone_url": f"{page}.git", "svn_url": page, "mirror_url": None, "homepage": None, "language": None,
        "forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 1,
        "default_branch": repo.default_branch, "open_issues_count": opened, "open_issues": opened,
        "is_template": False, "topics": [], "has_issues": repo.has_issues, "has_projects": False,
        "has_wiki": False, "has_pages": False, "has_downloads": True, "has_discussions": False,
        "archived": repo.archived, "disabled": False, "license": None, "allow_forking": True,
        "visibility": "private" if repo.private else "public", "web_commit_signoff_required": False,
        "pushed_at": stamp(repo.created), "created_at": stamp(repo.created), "updated_at": stamp(repo.created),
    }  # fmt: skip


def whole_repository(repo: Repository, at: Addresses, viewer: User | None) -> Json:
    held = repo.permission(viewer)
    owner = {"organization": person(repo.owner, at)} if repo.owner.kind == "Organization" else {}
    settings = {
        "allow_merge_commit": "merge" in repo.methods, "allow_squash_merge": "squash" in repo.methods,
        "allow_rebase_merge": "rebase" in repo.methods, "allow_auto_merge": repo.allow_auto_merge,
        "delete_branch_on_merge": repo.delete_branch_on_merge,
    }  # fmt: skip
    shown = settings if may(held, "write") else {}
    return {
        **repository(repo, at), **shown, **owner, "network_count": 0, "subscribers_count": 0,
        "permissions": permissions(held),
    }  # fmt: skip


def label(label: Label, repo: Repository, at: Addresses) -> Json:
    return {
        "id": label.id, "node_id": node_id("LA", label.id), "name": label.name, "color": label.color,
        "url": f"{at.repository(repo)}/labels/{quote(label.name, safe='')}", "default": False,
        "description": label.description,
    }  # fmt: skip


def milestone(milestone: Milestone, repo: Repository, at: Addresses) -> Json:
    there = [issue for issue in repo.issues.values() if issue.milestone is milestone]
    url = f"{at.repository(repo)}/milestones/{milestone.number}"
    return {
        "url": url, "html_url": f"{at.page(repo)}/milestone/{milestone.number}", "labels_url": f"{url}/labels",
        "id": milestone.id, "node_id": node_id("MI", milestone.id), "number": milestone.number,
        "title": milestone.title, "description": None, "creator": person(repo.owner, at),
        "open_issues": sum(issue.state == "open" for issue in there),
        "closed_issues": sum(issue.state == "closed" for issue in there), "state": milestone.state,
        "created_at": stamp(milestone.created), "updated_at": stamp(milestone.created), "due_on": None,
        "closed_at": None,
    }  # fmt: skip


def git_commit(commit: pygit2.Commit, repo: Repository, at: Addresses) -> Json:
    url, oid = at.repository(repo), str(commit.id)
    parents = [
        {"sha": str(one), "url": f"{url}/git/commits/{one}", "html_url": f"{at.page(repo)}/commit/{one}"}
        for one in commit.parent_ids
    ]
    return {
        "sha": oid, "node_id": f"C_{oid}", "url": f"{url}/git/commits/{oid}",
        "html_url": f"{at.page(repo)}/commit/{oid}", "author": _signature(commit.author),
        "committer": _signature(commit.committer), "message": commit.message.rstrip("\n"), "parents": parents,
        "tree": {"sha": str(commit.tree_id), "url": f"{url}/git/trees/{commit.tree_id}"},
        "verification": _UNSIGNED,
    }  # fmt: skip


def commit(commit: pygit2.Commit, repo: Repository, at: Addresses) -> Json:
    plain = git_commit(commit, repo, at)
    oid = plain["sha"]
    url = f"{at.repository(repo)}/commits/{oid}"
    parents = [{**one, "url": f"{at.repository(repo)}/commits/{one['sha']}"} for one in plain["parents"]]
    inner = {key: plain[key] for key in ("author", "committer", "message", "tree", "url", "verification")}
    return {
        "sha": oid, "node_id": plain["node_id"], "commit": {**inner, "comment_count": 0}, "url": url,
        "html_url": plain["html_url"], "comments_url": f"{url}/comments", "author": None, "committer": None,
        "parents": parents,
    }  # fmt: skip


def ref(name: str, oid: str, repo: Repository, at: Addresses) -> Json:
    url = at.repository(repo)
    return {
        "ref": name, "node_id": f"REF_{name}", "url": f"{url}/git/{quote(name)}",
        "object": {"sha": oid, "type": "commit", "url": f"{url}/git/commits/{oid}"},
    }  # fmt: skip


def _signature(who: pygit2.Signature) -> Json:
    return {"name": who.name, "email": who.email, "date": stamp(who.time)}


_UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
