"""Where WorkflowManagers run: processes of this machine, or threads of this process for a debugger.

Imports nothing by itself: `spinney run` makes its executor before it imports anything else, because the forkserver
takes a quarter of a second to become ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.executors.port import Executor


def make_executor(*, in_process: bool) -> Executor:
    if in_process:
        from orchestrator.executors.in_process import InProcessExecutor

        return InProcessExecutor()
    from orchestrator.executors.local import LocalExecutor

    return LocalExecutor()
