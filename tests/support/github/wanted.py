"""What the stand-in serves of GitHub's API, by the published names."""

from __future__ import annotations

_OPERATIONS = """
apps/create-installation-access-token apps/get-authenticated apps/get-repo-installation
users/get-authenticated users/get-by-username users/get-by-id rate-limit/get meta/get
repos/get repos/get-branch repos/list-branches repos/get-collaborator-permission-level
repos/check-collaborator repos/get-commit repos/get-combined-status-for-ref
repos/list-commit-statuses-for-ref repos/create-commit-status
issues/list-for-repo issues/create issues/get issues/update issues/lock issues/unlock
issues/list-comments issues/list-comments-for-repo issues/create-comment issues/get-comment
issues/update-comment issues/delete-comment
issues/list-labels-for-repo issues/create-label issues/list-labels-on-issue issues/add-labels
issues/set-labels issues/remove-label issues/add-assignees issues/list-milestones
issues/list-sub-issues issues/add-sub-issue issues/list-dependencies-blocked-by
search/issues-and-pull-requests
pulls/list pulls/create pulls/get pulls/update pulls/list-files pulls/list-commits
pulls/check-if-merged pulls/merge pulls/list-reviews pulls/create-review
pulls/list-review-comments pulls/create-reply-for-review-comment pulls/request-reviewers
pulls/list-requested-reviewers pulls/remove-requested-reviewers
checks/create checks/update checks/get checks/list-for-ref checks/list-annotations
actions/get-job-for-workflow-run actions/download-job-logs-for-workflow-run
actions/list-jobs-for-workflow-run
git/get-ref git/list-matching-refs git/create-ref git/update-ref git/delete-ref git/get-commit
"""

_GRAPHQL_TYPES = """
Query Mutation Node URI DateTime GitObjectID HTML Base64String BigInt X509Certificate
Actor User Bot Organization RepositoryOwner Mannequin EnterpriseUserAccount
RateLimit PageInfo
Repository RepositoryInfo RepositoryPermission RepositoryVisibility PullRequestMergeMethod
Ref RefConnection RefEdge RefOrder RefOrderField GitObject GitActorConnection GitActorEdge Commit CommitConnection CommitEdge GitActor Tree
OrderDirection GitSignature
Issue IssueConnection IssueEdge IssueState IssueStateReason IssueOrder IssueOrderField IssueFilters
IssueOrPullRequest SubIssuesSummary
IssueComment IssueCommentConnection IssueCommentEdge IssueCommentOrder IssueCommentOrderField
IssueTimelineItems IssueTimelineItemsConnection IssueTimelineItemsEdge IssueTimelineItemsItemType RenamedTitleEvent LabeledEvent
CommentAuthorAssociation CommentCannotUpdateReason Comment Labelable Lockable Closable Assignable
Updatable Deletable LockReason
Label LabelConnection LabelEdge LabelOrder LabelOrderField
Milestone MilestoneConnection MilestoneEdge MilestoneState MilestoneOrder MilestoneOrderField
UserConnection UserEdge
PullRequest PullRequestConnection PullRequestEdge PullRequestState PullRequestUpdateState
PullRequestReviewDecision PullRequestOrder PullRequestOrderField MergeableState MergeStateStatus
PullRequestCommit PullRequestCommitConnection PullRequestCommitEdge
PullRequestReview PullRequestReviewConnection PullRequestReviewEdge PullRequestReviewState
PullRequestReviewComment PullRequestReviewCommentConnection PullRequestReviewCommentEdge
PullRequestReviewCommentState
PullRequestReviewThread PullRequestReviewThreadConnection PullRequestReviewThreadEdge
PullRequestReviewThreadSubjectType DiffSide
PullRequestChangedFile PullRequestChangedFileConnection PullRequestChangedFileEdge PatchStatus
ReviewRequest ReviewRequestConnection ReviewRequestEdge RequestedReviewer Team
AutoMergeRequest MergeQueue MergeQueueEntry MergeQueueEntryState
StatusCheckRollup StatusCheckRollupContext StatusCheckRollupContextConnection StatusCheckRollupContextEdge
StatusState Status StatusContext CheckRun CheckRunState CheckRunStateCount StatusContextStateCount
CheckConclusionState CheckStatusState CheckSuite CheckRunConnection CheckRunEdge App WorkflowRun Workflow
RequirableByPullRequest BranchProtectionRule
RepositoryCollaboratorConnection RepositoryCollaboratorEdge CollaboratorAffiliation
ReactionGroup ReactionContent ReactingUserConnection ReactorConnection
ProjectCardConnection ProjectCard Project ProjectColumn ProjectCardEdge
ProjectV2ItemConnection
SearchType SearchResultItem SearchResultItemConnection SearchResultItemEdge
AddCommentInput AddCommentPayload UpdateIssueCommentInput UpdateIssueCommentPayload
CreatePullRequestInput CreatePullRequestPayload UpdatePullRequestInput UpdatePullRequestPayload
ClosePullRequestInput ClosePullRequestPayload
MarkPullRequestReadyForReviewInput MarkPullRequestReadyForReviewPayload
ConvertPullRequestToDraftInput ConvertPullRequestToDraftPayload
EnablePullRequestAutoMergeInput EnablePullRequestAutoMergePayload
DisablePullRequestAutoMergeInput DisablePullRequestAutoMergePayload
EnqueuePullRequestInput EnqueuePullRequestPayload
DequeuePullRequestInput DequeuePullRequestPayload
MergePullRequestInput MergePullRequestPayload
ResolveReviewThreadInput ResolveReviewThreadPayload
AddPullRequestReviewThreadReplyInput AddPullRequestReviewThreadReplyPayload
"""

OPERATIONS = frozenset(_OPERATIONS.split())
GRAPHQL_TYPES = frozenset(_GRAPHQL_TYPES.split())
EVENTS = (
    ("issues", "labeled"),
    ("issue_comment", "created"),
    ("check_run", "completed"),
    ("check_suite", "completed"),
    ("workflow_run", "completed"),
    ("pull_request_review", "submitted"),
    ("pull_request_review_comment", "created"),
)
