"""``spinney init --github``: writing the workflows and the action into a repository."""

from __future__ import annotations

import re
from pathlib import Path

import click

from orchestrator.cli.session import here


def write(*, install: str, fan_out: bool, enterprise: bool, force: bool) -> None:
    """Write what is missing or different. Raises UserError, and writes nothing, where a file is not as we wrote it."""
    from orchestrator.actions.workflows import written
    from shared.errors import UserError
    from shared.files import replace_file

    if enterprise and fan_out:
        raise UserError(
            "a fan-out does not work on an Enterprise server: its jobs hand on files by actions/upload-artifact from "
            "version 4 on, and such servers know only version 3",
            "one job for the batch does: spinney init --github --enterprise",
            "or start the jobs of `spinney plan --github-matrix` in another way: see Fan-out in Spinney's README",
        )
    root = here().checkout
    texts = written(install=install or _same_as_this(root), fan_out=fan_out, enterprise=enterprise)
    changed = [path for path, text in texts.items() if _differs(root / path, text)]
    if changed and not force:
        raise UserError(
            f"{', '.join(changed)} {'is' if len(changed) == 1 else 'are'} there already, and different",
            "write them anew, without what was changed in them: spinney init --github --force",
        )
    for path in texts:
        _refuse_link(root, path)
    for path, text in texts.items():
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            replace_file(root / path, text, durable=True)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from None
        click.echo(path)
    click.echo(
        "next: look at them, commit and push them; store the key as the secret ANTHROPIC_API_KEY; make a label "
        "`spinney`, and put it on an issue. What they may do, and why, is in Spinney's guide to GitHub."
    )


def _same_as_this(root: Path) -> str:
    """What a runner has to install to get this Spinney; nothing in Spinney's own repository."""
    from importlib.metadata import PackageNotFoundError, distribution

    from orchestrator.actions.workflows import requirement
    from shared.errors import UserError

    project = root / "pyproject.toml"
    if project.is_file() and re.search(
        r'^name = "spinney"$', project.read_text(errors="replace"), re.MULTILINE
    ):
        return ""
    try:
        found = distribution("spinney")
        wanted = requirement(found.read_text("direct_url.json"))
    except PackageNotFoundError:
        wanted = None
    if wanted is None:
        raise UserError(
            "a runner cannot install this Spinney: it comes from no git repository",
            "say what pip installs there: spinney init --github --install "
            "'git+https://github.com/OWNER/spinney@COMMIT'",
        )
    return wanted


def _differs(path: Path, text: str) -> bool:
    return (path.exists() or path.is_symlink()) and (
        path.is_symlink() or path.read_text(errors="replace") != text
    )


def _refuse_link(root: Path, path: str) -> None:
    """Raise UserError where a folder on the way leads elsewhere."""
    from shared.errors import UserError

    for part in (root / path).parents:
        if part == root:
            return
        if part.is_symlink():
            raise UserError(f"{part} is a link", "workflows must be real files: GitHub follows no links")
