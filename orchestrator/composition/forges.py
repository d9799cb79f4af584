"""Opening the forge of a repository: the one in its own refs, or GitHub."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.composition.parts import local_forge
from orchestrator.remote_lock import RemoteLock
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.forge.port import Forge
from shared.git.remotes import Remote
from shared.git.repository import open_repository
from shared.model import Settings

if TYPE_CHECKING:
    from shared.forge.github.api import Api
    from shared.forge.tracker import Tracker
    from shared.forge.watching import Watched


@dataclass(frozen=True, slots=True)
class GitHub:
    """What there is beside pull requests where they live on GitHub."""

    tracker: Tracker
    watched: Watched
    remote: Remote
    api: Api
    repository: str  # owner/name, as GitHub spells it
    host: str  # github.com
    default_branch: str
    secrets: tuple[str, ...] = field(repr=False)  # values that may never be in a commit
    lock: Callable[[str], RemoteLock]  # for a run, by its id
    ask_to_stop: Callable[[], str]  # asks the run that has the lock; its id, or empty where there is none
    noted: Callable[[], tuple[str, ...]]  # what went otherwise than asked for until now, and failed nothing
    stop: threading.Event  # set: whoever waits for GitHub is let go with Interrupted
    listen: Callable[[Callable[[str, float], None]], None]
    """Who is told from now on why GitHub is waited for and until when, in seconds since the epoch; and ``("", 0)``
    when it goes on. Called by several threads."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A forge that can be used until it is closed."""

    forge: Forge
    github: GitHub | None = None  # None: the local forge
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = lambda: None


def open_forge(
    place: Place,
    settings: Settings,
    keys: Mapping[str, str],
    *,
    issues: bool = False,
    waits: Waits = SILENT,
) -> Opened:
    """The forge that ``settings`` name; where that is ``auto``, GitHub if there are ``issues``.

    ``keys`` are the tokens that were taken out of the environment. One or two questions are asked of GitHub; ``waits``
    hears of what takes long, until somebody else listens. Raises UserError where there is no remote, it is not on
    GitHub, there is no token, or the repository is not to be seen, archived or moved.
    """
    if settings.forge == "local" or (settings.forge == "auto" and not issues):
        return Opened(local_forge(open_repository(place.git_dir)))
    from orchestrator.composition.github import open_github

    with waits.during("asking GitHub about the repository"):
        return open_github(place, settings.github, keys, os.environ, issues=issues, held=waits.held)
