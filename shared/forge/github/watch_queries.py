"""How pull requests stand, asked by one question for all of them: pure text."""

from __future__ import annotations

from collections.abc import Sequence

from shared.forge.github.queries import PULL

AT_ONCE = 20  # pull requests in one question
_THREADS = 30  # of a pull request, the newest; further ones are asked for where there are some

_PERSON = "author { __typename login } authorAssociation"
_STANDING = (
    f"""
fragment Standing on PullRequest {{
  ...Pull
  mergeable reviewDecision isInMergeQueue
  autoMergeRequest {{ enabledAt }}
  baseRef {{ target {{ oid }} }}
  reviews(last: 20) {{ nodes {{ ...Said }} }}
  latestOpinionatedReviews(first: 100, writersOnly: true) {{ pageInfo {{ hasNextPage }} nodes {{ ...Said }} }}
}}
fragment Said on PullRequestReview {{ databaseId body state submittedAt commit {{ oid }} {_PERSON} }}
"""
    + PULL
)


def _threads(size: int, before: str = "") -> str:
    return f"""
      reviewThreads(last: {size}{before}) {{
        pageInfo {{ hasPreviousPage startCursor }}
        nodes {{
          isResolved path line originalLine
          comments(last: 10) {{
            pageInfo {{ hasPreviousPage }}
            nodes {{ databaseId body originalCommit {{ oid }} {_PERSON} }}
          }}
        }}
      }}"""


def _checks(number: int, after: str = "") -> str:
    return f"""
      commits(last: 1) {{ nodes {{ commit {{ oid statusCheckRollup {{
        contexts(first: 100{after}) {{
          pageInfo {{ hasNextPage endCursor }}
          nodes {{
            __typename
            ... on CheckRun {{
              databaseId name status conclusion detailsUrl title summary
              isRequired(pullRequestNumber: {number})
              checkSuite {{ app {{ slug }} }}
            }}
            ... on StatusContext {{
              id context state description targetUrl isRequired(pullRequestNumber: {number})
            }}
          }}
        }}
      }} }} }} }}"""


def standings(numbers: Sequence[int]) -> str:
    """Each as ``p12`` and so on."""
    asked = "\n".join(
        f"    p{number}: pullRequest(number: {number}) {{ ...Standing {_threads(_THREADS)} {_checks(number)} }}"
        for number in numbers
    )
    return (
        f"query Standings($owner: String!, $name: String!) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n{asked}\n  }}\n}}\n" + _STANDING
    )


def more_checks(number: int) -> str:
    """The checks of one after the first hundred, from ``$after``."""
    return (
        f"query MoreChecks($owner: String!, $name: String!, $after: String!) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n"
        f"    pullRequest(number: {number}) {{ {_checks(number, ', after: $after')} }}\n  }}\n}}\n"
    )


def more_threads(number: int) -> str:
    """The conversations of one before ``$before``."""
    return (
        f"query MoreThreads($owner: String!, $name: String!, $before: String!) {{\n"
        f"  repository(owner: $owner, name: $name) {{\n"
        f"    pullRequest(number: {number}) {{ {_threads(100, ', before: $before')} }}\n  }}\n}}\n"
    )


TO_LAND = """
query ToLand($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      id state isDraft mergeable headRefName headRefOid baseRefName isInMergeQueue autoMergeRequest { enabledAt }
    }
  }
}
"""

MARK_READY = """
mutation MarkReady($id: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } }
}
"""

MARK_DRAFT = """
mutation MarkDraft($id: ID!) {
  convertPullRequestToDraft(input: {pullRequestId: $id}) { pullRequest { isDraft } }
}
"""

AUTO_MERGE = """
mutation AutoMerge($id: ID!, $method: PullRequestMergeMethod!, $tip: GitObjectID!) {
  enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method, expectedHeadOid: $tip}) {
    pullRequest { autoMergeRequest { enabledAt } }
  }
}
"""

ENQUEUE = """
mutation Enqueue($id: ID!, $tip: GitObjectID!) {
  enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $tip}) { mergeQueueEntry { position } }
}
"""
