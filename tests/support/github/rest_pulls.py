"""REST: pull requests and their reviews."""

from __future__ import annotations

from tests.support.github import deeds, deeds_pulls, shapes, shapes_pulls
from tests.support.github.asking import Answer, Asked, Problem, invalid, not_found, route
from tests.support.github.deeds_pulls import pull_of
from tests.support.github.state import Comment, Issue, Review, Thread, User

_PULLS = "/repos/{owner}/{repo}/pulls"
_PULL = _PULLS + "/{pull_number}"
_READ, _WRITE = "pull_requests=read", "pull_requests=write"


@route("GET", _PULLS, _READ)
def list_pulls(asked: Asked) -> Answer:
    query = asked.query
    state = query.get("state", "open")
    found = [
        one
        for one in asked.repo.pulls()
        if state in ("all", one.state)
        and query.get("base", pull_of(one).base) == pull_of(one).base
        and query.get("head", _label(one)).lower() == _label(one).lower()
    ]
    up = query.get("direction", "desc" if query.get("sort", "created") == "created" else "asc") == "asc"
    found.sort(key=lambda one: one.updated if query.get("sort") == "updated" else one.number, reverse=not up)
    part, headers = asked.page(found)
    return Answer([shapes_pulls.simple(one, asked.at, asked.version) for one in part], headers=headers)


def _label(issue: Issue) -> str:
    pull = pull_of(issue)
    return f"{(pull.head_repository or issue.repository).owner.login}:{pull.head}"


@route("POST", _PULLS, _WRITE, creates=True)
def create(asked: Asked) -> Answer:
    asked.demand("read")
    deeds.writable(asked.repo)
    body = asked.body
    if (
        asked.token
        and asked.token.user.login == "github-actions[bot]"
        and not asked.github.actions_open_pulls
    ):
        raise Problem(403, "GitHub Actions is not permitted to create or approve pull requests.")
    if asked.now - asked.repo.pushed.get(body["head"], 0.0) < asked.github.seen_after:
        raise invalid("PullRequest", "head")
    issue = deeds_pulls.open_pull(
        asked.world, asked.repo, asked.user, body["head"], body["base"], body.get("title"), body.get("body"),
        asked.now, draft=body.get("draft", False),
    )  # fmt: skip
    return Answer(_whole(asked, issue), 201, {"Location": shapes_pulls.url(issue, asked.at)})


def _whole(asked: Asked, issue: Issue) -> shapes.Json:
    able = asked.github.known_mergeable(issue)
    state = "unknown" if able is None else deeds_pulls.merge_state(issue).lower()
    return shapes_pulls.whole(issue, asked.at, asked.version, mergeable=able, state=state)


@route("GET", _PULL, _READ)
def get(asked: Asked) -> Answer:
    return Answer(_whole(asked, asked.pull()))


@route("PATCH", _PULL, _WRITE)
def update(asked: Asked) -> Answer:
    issue, body = asked.pull(), asked.body or {}
    deeds.writable(asked.repo)
    if issue.author is not asked.user:
        asked.demand("write")
    if "base" in body and body["base"] != pull_of(issue).base:
        deeds_pulls.retarget(issue, body["base"], asked.now)
    if "title" in body or "body" in body:
        deeds.edit_text(issue, body.get("title", ...), body.get("body", ...), asked.now)
    if "state" in body:
        deeds.set_state(issue, body["state"], None, asked.user, asked.now)
    return Answer(_whole(asked, issue))


@route("GET", _PULL + "/files", _READ)
def files(asked: Asked) -> Answer:
    issue = asked.pull()
    pull = pull_of(issue)
    patches = list(asked.repo.bare.diff(pull.base_sha, pull.head_sha))
    part, headers = asked.page(patches)
    return Answer([shapes_pulls.file(one, issue, asked.at) for one in part], headers=headers)


@route("GET", _PULL + "/commits", _READ)
def commits(asked: Asked) -> Answer:
    pull, bare = pull_of(asked.pull()), asked.repo.bare
    oids = pull.merged_at_head or [str(one.id) for one in bare.between(pull.base_sha, pull.head_sha)]
    part, headers = asked.page(oids)
    found = [bare.commit(one) for one in part]
    return Answer([shapes.commit(one, asked.repo, asked.at) for one in found if one], headers=headers)


@route("GET", _PULL + "/merge", _READ)
def is_merged(asked: Asked) -> Answer:
    if not pull_of(asked.pull()).merged:
        raise not_found()
    return Answer(status=204)


@route("PUT", _PULL + "/merge", "contents=write")
def merge(asked: Asked) -> Answer:
    asked.demand("write")
    deeds.writable(asked.repo)
    body = asked.body or {}
    made = deeds_pulls.merge(
        asked.pull(), asked.user, asked.now, body.get("merge_method", "merge"), body.get("sha"),
        body.get("commit_title"), body.get("commit_message"),
    )  # fmt: skip
    return Answer({"sha": made, "merged": True, "message": "Pull Request successfully merged"})


# --- reviews


@route("GET", _PULL + "/requested_reviewers", _READ)
def requested(asked: Asked) -> Answer:
    pull = pull_of(asked.pull())
    teams = [shapes_pulls.team(slug, asked.repo, asked.at) for slug in pull.teams]
    return Answer({"users": [shapes.person(one, asked.at) for one in pull.reviewers], "teams": teams})


@route("POST", _PULL + "/requested_reviewers", _WRITE)
def request_reviewers(asked: Asked) -> Answer:
    issue = asked.pull()
    asked.demand("write")
    pull = pull_of(issue)
    for login in asked.body.get("reviewers", []):
        user = asked.world.user(login)
        if user is issue.author:
            raise Problem(422, "Review cannot be requested from pull request author.")
        if user is None or asked.repo.permission(user) == "none" or not _collaborator(asked, user):
            words = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the"
            raise Problem(422, f"{words} {asked.repo.full_name} repository.")
        if user not in pull.reviewers:
            pull.reviewers.append(user)
    pull.teams += [slug for slug in asked.body.get("team_reviewers", []) if slug not in pull.teams]
    issue.updated = asked.now
    return Answer(shapes_pulls.simple(issue, asked.at, asked.version), 201)


def _collaborator(asked: Asked, user: User) -> bool:
    return user.id in asked.repo.permissions or user is asked.repo.owner


@route("DELETE", _PULL + "/requested_reviewers", _WRITE)
def remove_reviewers(asked: Asked) -> Answer:
    issue = asked.pull()
    pull = pull_of(issue)
    gone = {login.lower() for login in asked.body["reviewers"]}
    pull.reviewers = [one for one in pull.reviewers if one.login.lower() not in gone]
    pull.teams = [one for one in pull.teams if one not in asked.body.get("team_reviewers", [])]
    return Answer(shapes_pulls.simple(issue, asked.at, asked.version))


@route("GET", _PULL + "/reviews", _READ)
def reviews(asked: Asked) -> Answer:
    issue = asked.pull()
    part, headers = asked.page(pull_of(issue).reviews)
    return Answer([shapes_pulls.review(one, issue, asked.at) for one in part], headers=headers)


@route("POST", _PULL + "/reviews", _WRITE, creates=True)
def create_review(asked: Asked) -> Answer:
    issue, body = asked.pull(), asked.body or {}
    states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
    state = states.get(body.get("event", ""))
    if state is None:
        raise Problem(422, "Pending reviews are not served here")
    if state != "COMMENTED" and asked.user is issue.author:
        raise Problem(422, "Review Can not approve your own pull request")
    made = add_review(asked, issue, state, body)
    return Answer(shapes_pulls.review(made, issue, asked.at))


def add_review(asked: Asked, issue: Issue, state: str, body: dict[str, object]) -> Review:
    pull = pull_of(issue)
    made = Review(
        next(asked.world.next_id), asked.user, state, str(body.get("body") or ""), pull.head_sha, asked.now
    )  # type: ignore[arg-type]
    pull.reviews.append(made)
    for one in body.get("comments") or []:  # type: ignore[attr-defined]
        comment = Comment(next(asked.world.next_id), asked.user, one["body"], asked.now, asked.now)
        thread = Thread(
            next(asked.world.next_id), one["path"], one.get("line"), made, [comment], pull.head_sha
        )
        pull.threads.append(thread)
    deeds_pulls.advance(asked.repo, asked.now)
    return made


@route("GET", _PULL + "/comments", _READ)
def review_comments(asked: Asked) -> Answer:
    issue = asked.pull()
    pairs = [(one, thread) for thread in pull_of(issue).threads for one in thread.comments]
    part, headers = asked.page(sorted(pairs, key=lambda pair: pair[0].id))
    return Answer([shapes_pulls.review_comment(*pair, issue, asked.at) for pair in part], headers=headers)


@route("POST", _PULL + "/comments/{comment_id}/replies", _WRITE, creates=True)
def reply(asked: Asked) -> Answer:
    issue, wanted = asked.pull(), asked.number("comment_id")
    for thread in pull_of(issue).threads:
        if thread.comments[0].id == wanted:
            if not asked.body["body"]:
                raise invalid("PullRequestReviewComment", "body", "missing_field")
            made = Comment(next(asked.world.next_id), asked.user, asked.body["body"], asked.now, asked.now)
            thread.comments.append(made)
            return Answer(shapes_pulls.review_comment(made, thread, issue, asked.at), 201)
    raise not_found()
