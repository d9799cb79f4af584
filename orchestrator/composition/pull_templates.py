"""The repository's own text for pull requests."""

from __future__ import annotations

from orchestrator.publishing.template import check
from shared.errors import UserError
from shared.git.reading import text_at
from shared.git.repository import Repository
from shared.model import Oid, Settings


def template_at(repo: Repository, base: Oid, settings: Settings) -> str:
    """The text of pull requests as the run's base has it: neither what is not committed nor an agent changes it.

    Raises UserError where there is none, InvalidInput where it cannot be filled in.
    """
    path = settings.github.template
    if not path:
        return ""
    text = text_at(repo, base, path)
    if text is None:
        raise UserError(
            f"{path}, the template of pull requests, is no file with text at {base[:10]}",
            "commit it, or correct `template:` of `github:` in spinney.yaml",
        )
    return check(text, path)
