"""Events of the stand-in as GitHub sends them, and a runner for it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.actions.workflows import written
from tests.support.actions.runner import Runner
from tests.support.github.standin import GitHub
from tests.support.github.state import association

SETTINGS = "version: 1\nworkflow: trivial\nbackend: command\n"
TRIVIAL = """\
name: trivial
phases:
  - name: work
    agents:
      - name: CODER
        run: echo done > "$SPINNEY_TASK.txt"
"""
HOSTILE = "$(touch pwned)`touch pwned`\"; touch pwned; '\n::set-output name=do::stop\n##[add-mask]a\x1b[2J ${{ secrets.TOKEN }}"


def prepare(github: GitHub) -> GitHub:
    github.commit("main", "spinney.yaml", SETTINGS)
    github.commit("main", "trivial.yaml", TRIVIAL)
    return github


def someone(github: GitHub, login: str) -> dict[str, Any]:
    user = github.person(login, None)
    return {"login": user.login, "id": user.id, "type": user.kind}


def event(github: GitHub, number: int, who: str = "ada", **more: Any) -> dict[str, Any]:
    issue = github.get(number)
    told = {
        "number": number,
        "state": issue.state,
        "title": issue.title,
        "body": issue.body,
        "updated_at": "2099-01-01T00:00:00Z",
        "user": someone(github, issue.author.login),
    }
    repository = {"full_name": "acme/widgets", "default_branch": "main"}
    return {"issue": told, "repository": repository, "sender": someone(github, who), **more}


def labeled(
    github: GitHub, number: int, who: str = "ada", label: str = "spinney"
) -> tuple[str, dict[str, Any]]:
    return "issues", event(github, number, who, action="labeled", label={"name": label})


def commented(github: GitHub, number: int, body: str, who: str = "ada") -> tuple[str, dict[str, Any]]:
    user = github.person(who, None)
    comment = {
        "body": body, "user": someone(github, who), "created_at": "2099-01-01T00:00:00Z",
        "author_association": association(github.repo, user),
    }  # fmt: skip
    return "issue_comment", event(github, number, who, action="created", comment=comment)


def schedule() -> tuple[str, dict[str, Any]]:
    return "schedule", {"schedule": "17 3 * * *", "repository": {"default_branch": "main"}}


def runner(github: GitHub, folder: Path, *, fan_out: bool = False) -> Runner:
    """Each job has a token with exactly the rights that it names."""

    def token(permissions: Mapping[str, str]) -> str:
        return github.actions_token(
            {name.replace("-", "_"): grant for name, grant in permissions.items()}
        ).value  # type: ignore[misc]

    credentials = base64.b64encode(f"x-access-token:{token({'contents': 'read'})}".encode()).decode()
    return Runner(
        written(install="spinney==0.1.0", fan_out=fan_out),
        github.git_url,
        folder,
        github.environment(""),
        token,
        clone_header=f"Authorization: Basic {credentials}",
    )


def heads(github: GitHub) -> list[str]:
    return sorted(f"{pull.pull.head}: {pull.state}" for pull in github.pulls() if pull.pull)


def explained(runner: Runner) -> str:
    return "\n".join(f"== {ran.job}/{ran.step}: {ran.code}\n{ran.log}" for ran in runner.ran)
