"""The ``command`` backend: a shell command or a list of them, or a coding program given a prompt file."""

from __future__ import annotations

from shared import shell
from shared.process import EndReason
from workflow_manager.backends.port import AgentCall, AgentReport


class CommandBackend:
    def run(self, call: AgentCall) -> AgentReport:
        if call.agent.commands or call.agent.planned:
            from workflow_manager.backends.command_list import carry_out

            return carry_out(call)
        ran = shell.run(
            call.agent.run or call.settings.agent_command,
            containment=call.containment,
            cwd=call.worktree,
            env=call.environment,
            write=call.write,
            timeout=call.timeout,
            cancel=call.cancel,
            on_work=call.beat,
        )
        if ran.ok:
            return AgentReport(True, summary=ran.said or "done")
        cancelled = ran.end.reason is EndReason.CANCELLED
        return AgentReport(False, summary=ran.said, reason=ran.problem, cancelled=cancelled)
