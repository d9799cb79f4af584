"""How a project's own dependencies are put below its worktree. Pure.

Never a package by the name that an error mentions: whoever wrote the task may have chosen that name. And only to where
git does not look, or thousands of files would be committed.
"""

from __future__ import annotations

from workflow_manager.recovery.proposals import Surroundings

_HERE = "${SPINNEY_WORKTREE:-$PWD}"
PYTHONPATH = f'PYTHONPATH="{_HERE}${{PYTHONPATH:+:$PYTHONPATH}}"; export PYTHONPATH\n'
_NODE = (
    ("package-lock.json", "npm ci"),
    ("npm-shrinkwrap.json", "npm ci"),
    ("yarn.lock", "yarn install --frozen-lockfile"),
    ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
)


def python(around: Surroundings) -> str:
    """A command that installs what the project declares into its own environment; empty where that cannot be."""
    if "requirements.txt" in around.files:
        declared = "-r requirements.txt"
    elif around.files & {"pyproject.toml", "setup.py"}:
        declared = "-e ."
    else:
        return ""
    if ".venv" not in around.ignored:
        return ""
    install = f".venv/bin/python -m pip install {declared}"
    return install if ".venv" in around.files else f"python3 -m venv .venv && {install}"


def node(around: Surroundings) -> str:
    """The same for node: from a lock file, so that nothing is chosen here."""
    if "node_modules" not in around.ignored:
        return ""
    return next((command for lock, command in _NODE if lock in around.files), "")


def path(folder: str) -> str:
    """A line that lets the shell find the programs in ``folder``, from the worktree on."""
    return f'PATH="{_HERE}/{folder}:$PATH"; export PATH\n'
