"""Making the parts that depend on this machine and this repository."""

from __future__ import annotations

import zlib
from pathlib import Path

from orchestrator.runs import Place
from shared import process
from shared.containment import find_bubblewrap, probe
from shared.forge.local import LocalForge
from shared.forge.port import Forge
from shared.git.program import PATH
from shared.git.pulls import PullRefs
from shared.git.repository import (
    Repository,
)
from shared.model import Containment


def local_forge(repo: Repository) -> Forge:
    return LocalForge(PullRefs(repo))


def hold(place: Place) -> Containment:
    """How agents are held here: the checkout, git's directory and the other worktrees read-only for them."""
    program = working_bubblewrap()
    if not program:
        return Containment()
    git_dir, checkout = str(place.git_dir), str(place.checkout)
    home = Path.home()
    roots = [str(place.worktrees)]
    # A repository that is the home folder, or above it, cannot be read-only as a whole.
    roots += [git_dir] if home.is_relative_to(checkout) else [checkout, git_dir]
    inside = ("objects", "refs/heads/spinney", "logs/refs/heads/spinney")
    results = Path(git_dir, "refs/heads/spinney/batch")  # what was merged and gated is not for agents to move
    results.mkdir(parents=True, exist_ok=True)
    return Containment(
        program,
        tuple(dict.fromkeys(roots)),
        tuple(f"{git_dir}/{path}" for path in inside),
        (str(results), f"{git_dir}/logs/refs/heads/spinney/batch"),
    )


def working_bubblewrap() -> str:
    """The path of a bubblewrap that can make namespaces here, or an empty string."""
    program = find_bubblewrap()
    if program and process.run(probe(program), cwd="/", env={"PATH": PATH}, timeout=10).status == 0:
        return program
    return ""


def port_start(place: Place) -> int:
    """Where this repository's ports begin: repositories that run at once rarely share a range."""
    return 20000 + zlib.crc32(str(place.checkout).encode()) % 100 * 100


def current_branch(place: Place) -> str:
    head = (place.git_dir / "HEAD").read_text().strip()
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
