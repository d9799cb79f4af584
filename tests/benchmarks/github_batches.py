"""GitHub: batches of issues by the console script, against the stand-in with GitHub's real limits and in real time."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.forge.github.limits import Kind
from shared.forge.port import Sent
from shared.git.remotes import Remote
from shared.git.sample import make_repository
from shared.model import Oid
from tests.benchmarks.measure import SPINNEY, WHO, Figure, environment
from tests.support.github.calls import Call, listing
from tests.support.github.standin import GitHub
from tests.support.github_limits import ideal

_MANY, _FEW, _BRANCHES = 100, 12, 24
_LONGEST = 900  # seconds of a run
_WORKFLOW = """\
version: 1
name: quick
phases:
  - name: code
    agents:
      - {name: CODER, run: 'echo done > "$SPINNEY_TASK.txt"'}
"""
_FILES = {"README.md": "# Benchmark\n", "quick.yaml": _WORKFLOW, "spinney.yaml": "version: 1\n"}


@contextmanager
def _place(scratch: Path, issues: int) -> Iterator[tuple[GitHub, Path]]:
    """The stand-in with so many issues, and a clone of its repository."""
    source, checkout = scratch / "source", scratch / "repo"
    source.mkdir()
    make_repository(source, [("Begin", _FILES)], WHO)
    env = environment(scratch)
    subprocess.run(["git", "clone", "-q", str(source), str(checkout)], env=env, check=True)
    with GitHub(source, scratch) as github:
        for command in (
            ("remote", "set-url", "origin", github.git_url),
            ("config", "user.name", WHO.name),
            ("config", "user.email", WHO.email),
        ):
            subprocess.run(["git", *command], cwd=checkout, env=env, check=True)
        for number in range(1, issues + 1):
            github.issue(f"Task {number}", "Do it.", labels=("ready",))
        yield github, checkout
        assert github.violations == []


def _header(token: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"


def _run(github: GitHub, checkout: Path, scratch: Path, tasks: int) -> float:
    """Wall seconds of the run; every issue has its pull request afterwards."""
    began = time.monotonic()
    done = subprocess.run(
        [SPINNEY, "run", "--label", "ready", "--workflow", "quick.yaml", "--json"],
        cwd=checkout, env=environment(scratch) | github.environment(), capture_output=True, text=True,
        timeout=_LONGEST,
    )  # fmt: skip
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr[-2000:] + listing(github.calls[-20:])
    assert {task["status"] for task in json.loads(done.stdout)["tasks"]} == {"merged"}
    assert len(github.pulls()) == tasks
    assert github.limits.refusals == []
    return seconds


def _kind(call: Call) -> Kind:
    """What a call costs by GitHub's rules."""
    creates = call.method == "POST" and call.template.endswith(("/pulls", "/comments"))
    if call.kind == "graphql":
        return Kind.of_graphql(mutates=call.write)
    return Kind.of(call.method, call.path, creates=creates)


def many(scratch: Path) -> Figure:
    """From the command's start to its end; the ideal makes the same calls, each as soon as GitHub would take it."""
    with _place(scratch, _MANY) as (github, checkout):
        seconds = _run(github, checkout, scratch, _MANY)
        calls = github.calls.api()
    best = ideal([[_kind(call)] for call in calls])
    return Figure(
        f"a batch of {_MANY} issues against the stand-in with GitHub's real limits, against the ideal schedule",
        seconds / best,
        1.1,
        detail=f"{seconds:.0f} s against {best:.0f} s, in real time; {len(calls)} calls, no limit hit",
    )


def few(scratch: Path) -> Figure:
    with _place(scratch, _FEW) as (github, checkout):
        _run(github, checkout, scratch, _FEW)
        calls = github.calls.api()
    asked = sum(one.kind == "graphql" for one in calls)
    return Figure(
        f"API calls for a batch of {_FEW} issues, from intake to open pull requests",
        len(calls),
        80,
        "",
        f"{len(calls) / _FEW:.1f} a task; {asked} of them GraphQL, {len(calls.writes())} write",
    )


def pushing(scratch: Path) -> Figure:
    with _place(scratch, 0) as (github, checkout):
        tip = Oid(github.bare.heads()["main"])
        remote = Remote(checkout / ".git", f"file://{github.bare.path}")
        served = Remote(checkout / ".git", github.git_url, lambda: _header(github.token))
        names = [f"refs/heads/spinney/{number}" for number in range(_BRANCHES)]
        began = time.monotonic()
        assert not served.push([Sent(name, tip) for name in names])
        seconds = time.monotonic() - began
        assert set(remote.tips("refs/heads/spinney/*")) == set(names)
        pushes = len(github.calls.pushes())
    return Figure(
        f"pushing {_BRANCHES} branches, pushes", pushes, 1, "", f"{seconds * 1000:.0f} ms on loopback"
    )


ALL: dict[str, Callable[[Path], Figure]] = {
    "github-batch": many,
    "github-calls": few,
    "github-pushing": pushing,
}
