"""The keys about GitHub: which repository, what pull requests are given, how far ``spinney follow`` goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from shared.config.model_keys import address
from shared.config.validation import Strict
from shared.model import CommitMark, GitHubSettings, LandingWay, MergeMethod

RepositoryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$")]
Named = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class GitHubModel(Strict):
    repository: RepositoryName | None = Field(
        None, description="owner/name; default: where the remote's address points."
    )
    remote: Named | None = Field(None, description="The remote whose address is read; default: origin.")
    api: Annotated[str, AfterValidator(address)] | None = Field(
        None, description="Base address of an Enterprise server's API; default: by the remote's host."
    )
    draft: bool | None = Field(None, description="Open pull requests as drafts; default: true.")
    labels: list[Named] | None = Field(None, description="Labels of every pull request.")
    reviewers: list[Named] | None = Field(
        None, description="Who is asked for a review: people, or team:slug."
    )
    assignees: list[Named] | None = Field(None, description="Whom pull requests are assigned to.")
    milestone: bool | None = Field(
        None, description="Give pull requests the milestone of their issue; default: false."
    )
    template: str | None = Field(
        None,
        description="A file with the text of pull requests, Markdown with {summary}, {phases} and others in it.",
    )
    comment: bool | None = Field(
        None, description="Tell on each issue how its task goes, in one comment; default: true."
    )
    mark: CommitMark | None = Field(
        None,
        description="How commits show the phases: status (default), check (needs a GitHub App), none.",
    )
    rounds: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="Rounds of fixes that `spinney follow` asks for, a pull request; default 3."
    )
    land: LandingWay | None = Field(
        None,
        description="What `spinney follow` does with what is ready: leave (default), auto, queue or now.",
    )
    method: MergeMethod | None = Field(None, description="merge (default), squash or rebase.")
    app: Digits | None = Field(None, description="The id of a GitHub App to act as, in quotes.")
    app_key_file: str | None = Field(None, description="The App's private key, readable by you alone.")
    installation: Digits | None = Field(
        None, description="The App's installation, in quotes; default: that of the repository."
    )


def github(value: dict[str, Any], before: GitHubSettings | None = None) -> GitHubSettings:
    """What was read, over what an earlier file says, over the defaults."""
    given: dict[str, Any] = {
        key: tuple(read) if isinstance(read, list) else read for key, read in value.items()
    }
    return replace(before or GitHubSettings(), **given)
