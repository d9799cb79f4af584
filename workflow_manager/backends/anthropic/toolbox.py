"""The tools of one agent, and carrying out what an answer asks for: what only reads at once, the rest in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from workflow_manager.backends.anthropic import asking, commands, editing, finishing, looking
from workflow_manager.backends.anthropic.bounds import bounded, readable
from workflow_manager.backends.anthropic.conversation import ToolResult, ToolUse
from workflow_manager.backends.anthropic.places import Places
from workflow_manager.backends.anthropic.tool import Checked, Tool, ToolError, checked
from workflow_manager.backends.port import AgentCall
from workflow_manager.beneath import Unreachable
from workflow_manager.plans.asked import asked_for

_AT_ONCE = 8  # reading tools


def offered(call: AgentCall, left: Callable[[], float]) -> list[Tool]:
    """The tools that ``call.tools`` allows, always in the same order: they are the beginning of what is cached."""
    places = Places(call.worktree, call.output_folder.parent, call.agent.name, call.agent.writes)
    tools: list[Tool] = []
    if "run" in call.tools:
        tools.append(commands.runner(call, left))
    if "write" in call.tools or "edit" in call.tools:
        tools.append(editing.editor(places))
    elif "read" in call.tools:
        tools.append(editing.reader(places))
    if "search" in call.tools:
        tools += [looking.lister(places), looking.globber(places), looking.searcher(places, call)]
    if "context" in call.tools:
        tools.append(looking.context_reader(call))
    if "spawn" in call.tools and "/" not in call.agent.name:  # who was asked for cannot ask
        tools.append(asking.asker(call))
    return tools


class Toolbox:
    """What an agent can do. ``used`` counts calls by the tool's name."""

    def __init__(self, call: AgentCall, left: Callable[[], float]) -> None:
        self._call = call
        self._tools = {tool.name: tool for tool in offered(call, left)}
        self._finish = Tool(
            finishing.NAME,
            "Report your result and end. Call it alone, when everything is done.",
            finishing.takes(call.agent, asked_for(call.agent, call.task.workflow)),
            lambda given: "",
        )
        self._all = {**self._tools, finishing.NAME: self._finish}
        self.used: Counter[str] = Counter()

    def specs(self, model: str) -> list[dict[str, Any]]:
        return [tool.spec(model) for tool in self._all.values()]

    def checked(self, uses: Iterable[ToolUse]) -> list[Checked | ToolResult]:
        """Each call, or what is wrong with it."""
        return [checked(self._all, use) for use in uses]

    def carry_out(self, asked: Sequence[Checked | ToolResult]) -> Iterator[ToolResult]:
        """The results, in the order of ``asked``, of all but the call to finish; stops where the user says so."""
        for together, group in groupby(asked, _reads):
            batch = list(group)
            if together and len(batch) > 1:
                with ThreadPoolExecutor(min(len(batch), _AT_ONCE), "tool") as pool:
                    yield from pool.map(self._result, batch)
                continue
            for one in batch:
                if self._call.cancel.is_set:
                    return
                if not isinstance(one, Checked) or one.tool is not self._finish:
                    yield self._result(one)

    def again(self, uses: Iterable[ToolUse]) -> None:
        """What ``uses`` changed, changed once more: the worktree is as it was before them."""
        for use in uses:
            one = checked(self._tools, use)
            if isinstance(one, Checked) and one.changes and not self._call.cancel.is_set:
                self._result(one)

    def _result(self, one: Checked | ToolResult) -> ToolResult:
        if isinstance(one, ToolResult):
            return one
        self.used[one.tool.name] += 1
        self._call.beat()
        try:
            return ToolResult(one.use.id, bounded(readable(one.tool.run(one.given))))
        except (ToolError, Unreachable) as error:
            return ToolResult(one.use.id, bounded(readable(str(error))), error=True)
        except (OSError, ValueError, RecursionError) as error:
            return ToolResult(one.use.id, bounded(readable(f"{one.tool.name}: {error}")), error=True)


def _reads(one: Checked | ToolResult) -> bool:
    """Whether it may run beside its neighbours."""
    return isinstance(one, ToolResult) or (not one.changes and one.tool.name != finishing.NAME)
