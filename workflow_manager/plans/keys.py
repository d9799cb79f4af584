"""When a plan is for the very same work. Pure.

The same words, asked in the same way, of the same model, about the same commit. What the planner saw of earlier agents
is part of it; where one of them may have changed files, nothing says what it saw, and there is no key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from shared.model import Agent, AgentName, Settings, Task
from workflow_manager.sharing import ancestors

_FORMAT = 1


def key_for(
    agent: Agent, task: Task, settings: Settings, base: str, left: Callable[[AgentName], bytes]
) -> str:
    """Of the plan that ``agent`` makes from the commit ``base``; empty where there can be none.

    ``left`` gives what an earlier agent left in its output file.
    """
    earlier = ancestors(task.workflow.agents).get(agent.name, frozenset())
    writers = [other for other in task.workflow.agents if other.name in earlier and other.writes != ()]
    if writers or not base:
        return ""
    seen: Mapping[str, str] = {name: hashlib.sha256(left(name)).hexdigest() for name in sorted(earlier)}
    asked = [agent.name, agent.prompt, agent.executed_by(settings.backend), settings.models.of(agent.tier)]
    text = [" ".join(task.title.split()), " ".join(task.body.split()), task.foreign]
    whole = json.dumps([_FORMAT, task.workflow.name, asked, text, base, seen], sort_keys=True)
    return hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()
