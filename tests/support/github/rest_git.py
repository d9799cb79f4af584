"""REST: refs, commits, commit statuses, check runs, and the logs of jobs."""

from __future__ import annotations

from typing import Any

from tests.support.github import deeds, deeds_pulls, shapes, shapes_pulls
from tests.support.github.asking import Answer, Asked, Problem, invalid, not_found, route
from tests.support.github.settling import settle
from tests.support.github.state import Check, Status

_REPO = "/repos/{owner}/{repo}"
_CHECKS = _REPO + "/check-runs"


@route("GET", _REPO + "/git/ref/{ref}", "contents=read")
def get_ref(asked: Asked) -> Answer:
    name = f"refs/{asked.params['ref']}"
    oid = asked.repo.bare.get(name)
    if oid is None:
        raise not_found()
    return Answer(shapes.ref(name, oid, asked.repo, asked.at))


@route("GET", _REPO + "/git/matching-refs/{ref}", "contents=read")
def matching_refs(asked: Asked) -> Answer:
    found = sorted(asked.repo.bare.refs(f"refs/{asked.params['ref']}").items())
    part, headers = asked.page(found)
    return Answer([shapes.ref(*one, asked.repo, asked.at) for one in part], headers=headers)


@route("POST", _REPO + "/git/refs", "contents=write")
def create_ref(asked: Asked) -> Answer:
    asked.demand("write")
    deeds.writable(asked.repo)
    name, oid = asked.body["ref"], asked.body["sha"]
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Problem(422, "Reference name must start with 'refs/'.")
    if asked.repo.bare.get(name):
        raise Problem(422, "Reference already exists")
    if asked.repo.bare.commit(oid) is None:
        raise Problem(422, "Object does not exist")
    asked.repo.bare.set(name, oid)
    return _changed(asked, name, oid, 201)


@route("PATCH", _REPO + "/git/refs/{ref}", "contents=write")
def update_ref(asked: Asked) -> Answer:
    asked.demand("write")
    name, oid = f"refs/{asked.params['ref']}", asked.body["sha"]
    before = asked.repo.bare.get(name)
    if before is None:
        raise Problem(422, "Reference does not exist")
    if asked.repo.bare.commit(oid) is None:
        raise Problem(422, "Object does not exist")
    if not asked.body.get("force") and not asked.repo.bare.contains(oid, before):
        raise Problem(422, "Update is not a fast forward")
    asked.repo.bare.set(name, oid)
    return _changed(asked, name, oid, 200)


def _changed(asked: Asked, name: str, oid: str, status: int) -> Answer:
    settle(asked.repo, asked.now)
    shown = shapes.ref(name, oid, asked.repo, asked.at)
    return Answer(shown, status, {"Location": shown["url"]} if status == 201 else {})


@route("DELETE", _REPO + "/git/refs/{ref}", "contents=write")
def delete_ref(asked: Asked) -> Answer:
    asked.demand("write")
    name = f"refs/{asked.params['ref']}"
    if asked.repo.bare.get(name) is None:
        raise Problem(422, "Reference does not exist")
    asked.repo.bare.delete(name)
    settle(asked.repo, asked.now)
    return Answer(status=204)


@route("GET", _REPO + "/git/commits/{commit_sha}", "contents=read")
def git_commit(asked: Asked) -> Answer:
    commit = asked.repo.bare.commit(asked.params["commit_sha"])
    if commit is None:
        raise not_found()
    return Answer(shapes.git_commit(commit, asked.repo, asked.at))


def _commit(asked: Asked, name: str) -> str:
    oid = asked.repo.bare.find(asked.params[name])
    if oid is None:
        raise Problem(422, f"No commit found for SHA: {asked.params[name]}")
    return oid


@route("GET", _REPO + "/commits/{ref}", "contents=read")
def commit(asked: Asked) -> Answer:
    found = asked.repo.bare.commit(_commit(asked, "ref"))
    assert found is not None
    return Answer(shapes.commit(found, asked.repo, asked.at))


# --- statuses


@route("POST", _REPO + "/statuses/{sha}", "statuses=write")
def create_status(asked: Asked) -> Answer:
    asked.demand("write")
    oid, body = _commit(asked, "sha"), asked.body
    text, context = body.get("description"), body.get("context", "default")
    if text is not None and len(text) > 140:
        raise invalid(
            "Status", "description", "custom", "description is too long (maximum is 140 characters)"
        )
    target = body.get("target_url") or None
    made = Status(next(asked.world.next_id), oid, context, body["state"], text, target, asked.user, asked.now)
    asked.repo.statuses.append(made)
    deeds_pulls.advance(asked.repo, asked.now)
    return Answer(shapes_pulls.status(made, asked.repo, asked.at), 201)


@route("GET", _REPO + "/commits/{ref}/statuses", "statuses=read")
def statuses(asked: Asked) -> Answer:
    oid = _commit(asked, "ref")
    part, headers = asked.page([one for one in reversed(asked.repo.statuses) if one.sha == oid])
    return Answer([shapes_pulls.status(one, asked.repo, asked.at) for one in part], headers=headers)


@route("GET", _REPO + "/commits/{ref}/status", "statuses=read")
def combined_status(asked: Asked) -> Answer:
    oid = _commit(asked, "ref")
    latest = {one.context: one for one in asked.repo.statuses if one.sha == oid}
    states = {one.state for one in latest.values()}
    bad = states & {"failure", "error"}
    state = "failure" if bad else "success" if states == {"success"} else "pending"
    url = f"{asked.at.repository(asked.repo)}/commits/{oid}"
    part, headers = asked.page(list(latest.values()))
    return Answer({
        "state": state, "sha": oid, "total_count": len(latest), "url": f"{url}/status", "commit_url": url,
        "repository": shapes.repository(asked.repo, asked.at),
        "statuses": [shapes_pulls.status(one, asked.repo, asked.at) for one in part],
    }, headers=headers)  # fmt: skip


# --- check runs


def _shown(asked: Asked, check: Check) -> dict[str, Any]:
    pulls = [one for one in asked.repo.pulls() if deeds_pulls.pull_of(one).head_sha == check.sha]
    return shapes_pulls.check(check, asked.repo, asked.at, pulls)


def _check(asked: Asked, name: str = "check_run_id") -> Check:
    wanted = asked.number(name)
    for check in asked.repo.checks:
        if check.id == wanted:
            return check
    raise not_found()


@route("POST", _CHECKS, "checks=write")
def create_check(asked: Asked) -> Answer:
    if asked.token is None or not asked.token.installation:
        raise Problem(403, "You must authenticate via a GitHub App.")
    body = asked.body
    check = Check(
        next(asked.world.next_id),
        body["head_sha"],
        body["name"],
        "queued",
        None,
        asked.now,
        app="spinney-test",
    )
    asked.repo.checks.append(check)
    _write(asked, check)
    return Answer(_shown(asked, check), 201)


@route("PATCH", _CHECKS + "/{check_run_id}", "checks=write")
def update_check(asked: Asked) -> Answer:
    if asked.token is None or not asked.token.installation:
        raise Problem(403, "You must authenticate via a GitHub App.")
    check = _check(asked)
    _write(asked, check)
    return Answer(_shown(asked, check))


def _write(asked: Asked, check: Check) -> None:
    body, output = asked.body, asked.body.get("output") or {}
    check.name = body.get("name", check.name)
    check.status = body.get("status", check.status)
    check.details = body.get("details_url", check.details)
    check.external = body.get("external_id", check.external)
    check.title = output.get("title", check.title)
    check.summary = output.get("summary", check.summary)
    check.text = output.get("text", check.text)
    check.annotations += output.get("annotations", [])
    if body.get("conclusion"):
        check.status, check.conclusion, check.completed = "completed", body["conclusion"], asked.now
    deeds_pulls.advance(asked.repo, asked.now)


@route("GET", _CHECKS + "/{check_run_id}", "checks=read")
def get_check(asked: Asked) -> Answer:
    return Answer(_shown(asked, _check(asked)))


@route("GET", _CHECKS + "/{check_run_id}/annotations", "checks=read")
def list_annotations(asked: Asked) -> Answer:
    blank = {"start_column": None, "end_column": None, "title": None, "raw_details": None}
    href = f"{asked.at.page(asked.repo)}/blob/x"
    part, headers = asked.page(_check(asked).annotations)
    return Answer([{**blank, "blob_href": href, **one} for one in part], headers=headers)


@route("GET", _REPO + "/commits/{ref}/check-runs", "checks=read")
def list_checks(asked: Asked) -> Answer:
    oid, query = _commit(asked, "ref"), asked.query
    found = [one for one in asked.repo.checks if one.sha == oid]
    if query.get("filter", "latest") == "latest":
        found = list({(one.app, one.name): one for one in found}.values())
    found = [one for one in found if query.get("check_name", one.name) == one.name]
    found = [one for one in found if query.get("status", one.status) == one.status]
    part, headers = asked.page(found)
    return Answer(
        {"total_count": len(found), "check_runs": [_shown(asked, one) for one in part]}, headers=headers
    )


# --- jobs


def _job(asked: Asked) -> Check:
    check = _check(asked, "job_id")
    if check.job is None:
        raise not_found()
    return check


@route("GET", _REPO + "/actions/jobs/{job_id}", "actions=read")
def job(asked: Asked) -> Answer:
    return Answer(shapes_pulls.job(_job(asked), asked.repo, asked.at))


@route("GET", _REPO + "/actions/jobs/{job_id}/logs", "actions=read")
def job_log(asked: Asked) -> Answer:
    """The log is on another host, whose address holds what is needed to read it for a minute."""
    check = _job(asked)
    return Answer(status=302, headers={"Location": asked.github.storage_address(check.job or b"")}, raw=b"")


@route("GET", _REPO + "/actions/runs/{run_id}/jobs", "actions=read")
def jobs(asked: Asked) -> Answer:
    found = [one for one in asked.repo.checks if one.job is not None and one.run == asked.number("run_id")]
    part, headers = asked.page(found)
    shown = [shapes_pulls.job(one, asked.repo, asked.at) for one in part]
    return Answer({"total_count": len(found), "jobs": shown}, headers=headers)
