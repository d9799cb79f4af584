"""``spinney init``: writing spinney.yaml, and changing it without losing a comment."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.session import here

if TYPE_CHECKING:
    from shared.errors import Problem

# What each key means, and an example where the default is nothing. Every key of SettingsModel is here.
KEYS = {
    "base": ("What a run starts from: a branch, tag or commit. Default: the current commit.", "main"),
    "into": ("The branch where tested merges land. Default: none, only spinney/batch/<run>.", "main"),
    "gate": (
        "A shell command that must pass on the merged tree before it lands. Default: none.",
        "make test",
    ),
    "gate_timeout": ("Seconds for one gate.", ""),
    "pull_requests": ("Which pull requests are opened: per-task, stacked, batch or none.", ""),
    "workflow": (
        "For tasks that name none: a preset or own workflow (spinney workflow list), or a file's path.\n"
        "Default: command for tasks with `run:`, feature for tasks that are only text.",
        "feature",
    ),
    "jobs": ("How many agents work at once. Default: what the machine can carry.", "4"),
    "setup": ("A shell command that runs in every fresh worktree. Default: none.", "npm ci"),
    "backend": (
        "What executes agents: command, anthropic (asks a model, no other program is needed), a coding program\n"
        "(claude-code, aider, opencode, …), or scripted for trials.",
        "",
    ),
    "agent_command": (
        "A shell command for agents that have only a prompt; the prompt's file is $SPINNEY_PROMPT. Default: none.",
        'my-coding-program < "$SPINNEY_PROMPT"',
    ),
    "timeout": ("Seconds for an agent that names none itself.", ""),
    "silence": ("Seconds without output or work after which an agent counts as hung.", ""),
    "profile": (
        "The size of a run: a profile that the workflow defines (spinney workflow show fullstack). Default: none.",
        "small",
    ),
    "all_agents": ("Run those agents, too, that the kind of change does not need.", ""),
    "ports": ("Consecutive ports for each open task; the first is $SPINNEY_PORT_BASE.", ""),
    "max_file_size": ("Bytes of the largest file that an agent may add.", ""),
    "outside_writes": ("Where an agent wrote outside its worktree: fail the task, or warn.", ""),
    "keep_worktrees": ("Keep the worktrees of tasks that succeeded as well.", ""),
    "sandbox": (
        "Which agents are shut into a sandbox: auto (models, and text of strangers), on (all), off.",
        "",
    ),
    "sandbox_commands": (
        "Whether your own commands (gate, evidence, `run`, setup) run in a sandbox, without a network: auto (where\n"
        "they execute what agents in a sandbox wrote), on, off.",
        "",
    ),
    "sandbox_read": ("More folders that a sandboxed agent may read. Default: none.", "[~/sdk]"),
    "pass_environment": ("More variables that a sandboxed agent gets. Default: none.", "[NODE_ENV]"),
    "models": (
        "Models by tier, their prices in US dollars for a million tokens, and limits for all agents together.\n"
        "The key comes from $ANTHROPIC_API_KEY, from `key_file`, or from the keyring.",
        "{deep: claude-opus-5-5, requests_per_minute: 500}",
    ),
    "budget": ("What a run may spend on models, in `usd`, `tokens` or both. Default: no limit.", "{usd: 20}"),
    "task_budget": ("The same for each task that names no budget. Default: no limit.", "{usd: 2}"),
    "programs": (
        "How coding programs are started, where that is not as usual. Default: as usual.",
        "{aider: {command: [~/bin/aider]}}",
    ),
    "forge": (
        "Where pull requests go: auto (to GitHub where tasks come from issues there), local, github.",
        "",
    ),
    "github": (
        "The repository on GitHub (by default where the remote origin points), and what pull requests there get.",
        "{labels: [spinney], reviewers: [octocat, 'team:core'], land: leave}",
    ),
}
_HEAD = """\
# Defaults for every run of Spinney in this repository. All of them are optional; a batch file and the command
# line win over them. What is commented out shows the default, or an example where the default is nothing.
# An editor can check this file: spinney schema > .git/spinney.schema.json
version: 1
"""
_FOOT = """
# Not here: untracked files that every worktree needs (.env, local settings). Name them in a file called
# .worktreeinclude, with patterns as in .gitignore; they are copied from this checkout.
"""


@click.command()
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Set a key; comments stay as they are."
)
@click.option("--force", is_flag=True, help="Write the file anew even if there is one.")
@click.option(
    "--github",
    is_flag=True,
    help="Write workflows for GitHub Actions into .github instead, and their action.",
)
@click.option("--fan-out", is_flag=True, help="With --github: each task gets a job and a runner of its own.")
@click.option(
    "--install",
    metavar="REQUIREMENT",
    help="With --github: what pip installs there.  [default: the Spinney that is running]",
)
@click.option("--enterprise", is_flag=True, help="With --github: for an Enterprise server.")
def command(
    pairs: tuple[str, ...], force: bool, github: bool, fan_out: bool, install: str | None, enterprise: bool
) -> None:
    """Write a commented spinney.yaml at the repository's root, or change one with --set.

    \b
    spinney init
    spinney init --set gate='make test' --set into=main
    spinney init --github
    """
    if github:
        if pairs:
            raise click.UsageError("--set changes spinney.yaml, --github writes workflows: one at a time")
        _write_workflows(install or "", fan_out, enterprise, force)
        return
    if fan_out or install or enterprise:
        raise click.UsageError("--fan-out, --install and --enterprise belong to --github")
    from orchestrator.intake.reader import CONFIGURATION
    from shared.errors import UserError
    from shared.files import replace_file

    place = here()
    path = Path(os.path.realpath(place.checkout / CONFIGURATION))
    exists = path.exists()
    if exists and not force and not pairs:
        raise UserError(
            f"{path} exists already",
            "change a key: spinney init --set gate='make test'",
            "write it anew, without what is in it: spinney init --force",
        )
    old = path.read_bytes() if exists and not force else template().encode()
    check(old, CONFIGURATION)
    values = _values(pairs)
    new = edited(old.decode("utf-8-sig"), values) if values else old.decode()
    check(new.encode(), CONFIGURATION)
    try:
        replace_file(path, new, durable=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    if values:
        click.echo(f"{path}: {', '.join(values)} set")
    else:
        click.echo(
            f"{path} is written; everything in it is commented out\nnext: spinney doctor, spinney plan"
        )


def _write_workflows(install: str, fan_out: bool, enterprise: bool, force: bool) -> None:
    from orchestrator.actions.workflows import valid_requirement
    from orchestrator.cli.init_github import write

    if install and not valid_requirement(install):
        raise click.UsageError(f"--install {install!r} is nothing that pip can install")
    write(install=install, fan_out=fan_out, enterprise=enterprise, force=force)


def template() -> str:
    """A spinney.yaml in which every key is a comment."""
    from shared.model import Settings

    defaults = Settings()
    parts = [_HEAD]
    for key, (meaning, example) in KEYS.items():
        shown = example or _scalar(getattr(defaults, key))
        comment = "\n".join(f"# {line}" for line in meaning.split("\n"))
        parts.append(f"{comment}\n# {key}: {shown}\n")
    return "\n".join(parts) + _FOOT


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def check(data: bytes, name: str) -> None:
    """Raise InvalidInput with every mistake of a spinney.yaml."""
    from shared.config.document import Document
    from shared.config.schema import ConfigurationModel
    from shared.config.validation import validate
    from shared.errors import InvalidInput

    document = Document(name, data)
    if not document.problems and document.value is not None:
        validate(document, ConfigurationModel, document.value)
    if document.problems:
        raise InvalidInput(document.problems)


def _values(pairs: tuple[str, ...]) -> dict[str, Any]:
    """The values of ``KEY=VALUE``: text where the key takes text, otherwise what YAML reads. Raises InvalidInput."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from shared.errors import InvalidInput

    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--set {pair}: expected KEY=VALUE")
        values[key] = text
        if key in KEYS and _wrong(key, text):
            try:
                values[key] = YAML(typ="safe", pure=True).load(text)
            except YAMLError:
                values[key] = text
        problems += _wrong(key, values[key])
    if problems:
        raise InvalidInput(problems)
    return values


def _wrong(key: str, value: object) -> list[Problem]:
    from shared.config.document import Document
    from shared.config.schema import SettingsModel
    from shared.config.validation import validate
    from shared.errors import Problem

    document = Document(f"--set {key}", b"")
    validate(document, SettingsModel, {key: value})
    return [Problem(p.file, 0, 0, p.message, p.hint) for p in document.problems]


def edited(text: str, values: dict[str, Any]) -> str:
    """``text`` with ``values`` set: in place, or where the key stands commented out, or at the end."""
    from ruamel.yaml import YAML

    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    yaml.explicit_start = bool(re.search(r"^---", text, re.MULTILINE))
    if yaml.load(text) is None:
        text += "\n" * (text != "" and not text.endswith("\n")) + "version: 1\n"
    present = yaml.load(text)
    for key in values:
        if key not in present:
            text = re.sub(rf"^# ?{key}:.*$", f"{key}: 0", text, count=1, flags=re.MULTILINE)
    data = yaml.load(text)
    data.update(values)
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue().replace("\n", newline)
