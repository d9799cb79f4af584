"""What is asked of GitHub by GraphQL, where many things are wanted in one question: pure text.

What a question is about goes into variables, never into its text: names of branches and words of a search are the
users'. Numbers are the only exception, and they are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

AT_ONCE = 50  # issues, or branches, in one question
COMMENTS = 100  # of an issue, the newest
LABELLED = 30  # times that a label was put on an issue, the newest

PULL = """
fragment Pull on PullRequest {
  number url title body state isDraft isCrossRepository viewerDidAuthor
  author { __typename login }
  headRefName headRefOid baseRefName createdAt updatedAt
  mergeCommit { oid }
  labels(first: 50) { nodes { name } }
}
"""

PULLS = (
    """
query Pulls($owner: String!, $name: String!, $states: [PullRequestState!], $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequests(states: $states, first: 100, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes { ...Pull }
    }
  }
}
"""
    + PULL
)

ONE_PULL = (
    """
query OnePull($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { ...Pull } }
}
"""
    + PULL
)


def pulls_of(count: int) -> str:
    """The newest pull requests of ``count`` branches, ``$h0`` and so on; each as ``b0`` and so on."""
    heads = ", ".join(f"$h{n}: String!" for n in range(count))
    asked = "\n".join(
        f"    b{n}: pullRequests(headRefName: $h{n}, first: 10, orderBy: {{field: CREATED_AT, direction: DESC}}) "
        "{ totalCount nodes { ...Pull } }"
        for n in range(count)
    )
    return (
        f"query PullsOf($owner: String!, $name: String!, {heads}) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{asked}\n  }}\n}}\n" + PULL
    )


_RELATED = "{ number title state repository { nameWithOwner } }"
# What servers of companies may not have yet; the rest has been there for years.
OPTIONAL: Mapping[str, str] = {
    "parent": f"parent {_RELATED}",
    "subIssues": f"subIssues(first: 100) {{ nodes {_RELATED} }}",
    "blockedBy": f"blockedBy(first: 50) {{ nodes {_RELATED} }}",
    "closedByPullRequestsReferences": (
        "closedByPullRequestsReferences(first: 20, includeClosedPrs: false) { nodes { number url state "
        "headRefName isCrossRepository viewerDidAuthor authorAssociation author { __typename login } "
        "repository { nameWithOwner } } }"
    ),
    "stateReason": "stateReason",
}


def issue_fields(without: Collection[str] = (), comments: int = COMMENTS) -> str:
    optional = "\n  ".join(text for name, text in OPTIONAL.items() if name not in without)
    return f"""
fragment Whole on Issue {{
  number url title body state locked createdAt updatedAt lastEditedAt
  repository {{ nameWithOwner }}
  author {{ login }}
  milestone {{ number title }}
  labels(first: 50) {{ nodes {{ name }} }}
  assignees(first: 20) {{ nodes {{ login }} }}
  renamed: timelineItems(itemTypes: [RENAMED_TITLE_EVENT], last: 1) {{
    nodes {{ ... on RenamedTitleEvent {{ createdAt }} }}
  }}
  labelled: timelineItems(itemTypes: [LABELED_EVENT], last: {LABELLED}) {{
    nodes {{ ... on LabeledEvent {{ createdAt label {{ name }} actor {{ __typename login }} }} }}
  }}
  comments(last: {comments}) {{
    totalCount
    nodes {{
      databaseId url body createdAt lastEditedAt isMinimized viewerDidAuthor authorAssociation
      author {{ __typename login }}
    }}
  }}
  {optional}
}}
"""


def issues(numbers: Sequence[int], without: Collection[str] = (), comments: int = COMMENTS) -> str:
    """Issues of one repository by their numbers, each as ``i12`` and so on: whole but for the older comments."""
    asked = "\n".join(
        f"    i{number}: issueOrPullRequest(number: {number}) "
        "{ __typename ...Whole ... on PullRequest { number url title pullState: state } }"
        for number in numbers
    )
    return (
        f"query Issues($owner: String!, $name: String!) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{asked}\n  }}\n}}\n" + issue_fields(without, comments)
    )


def states(numbers: Sequence[int]) -> str:
    """How issues and pull requests of one repository stand; each as ``i12`` and so on."""
    asked = "\n".join(
        f"    i{number}: issueOrPullRequest(number: {number}) {{ __typename "
        "... on Issue { number title state } ... on PullRequest { number title pullState: state } }"
        for number in numbers
    )
    return (
        f"query States($owner: String!, $name: String!) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{asked}\n  }}\n}}\n"
    )


SEARCH = """
query Search($query: String!, $first: Int!, $after: String) {
  search(type: ISSUE, query: $query, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { ... on Issue { number repository { nameWithOwner } } }
  }
}
"""

VIEWER = "query Viewer { viewer { login } }"

OWN_COMMENTS = """
query OwnComments($owner: String!, $name: String!, $number: Int!, $before: String) {
  repository(owner: $owner, name: $name) {
    issueOrPullRequest(number: $number) {
      __typename
      ... on Issue { comments(last: 100, before: $before) { ...Said } }
      ... on PullRequest { comments(last: 100, before: $before) { ...Said } }
    }
  }
}
fragment Said on IssueCommentConnection {
  pageInfo { hasPreviousPage startCursor }
  nodes { databaseId url body viewerDidAuthor }
}
"""

_UNKNOWN = re.compile(
    r"[Ff]ield ['\"`](\w{1,64})['\"`] doesn't exist on type|Cannot query field ['\"](\w{1,64})['\"]"
)


def unknown_fields(message: str) -> frozenset[str]:
    """Which of the optional fields a server says it has not."""
    named = {first or second for first, second in _UNKNOWN.findall(message)}
    return frozenset(named & OPTIONAL.keys())
