"""The ``command`` backend: a shell command, the user's own, or a coding program given a prompt file."""

from __future__ import annotations

from shared import process
from shared.containment import contained
from shared.process import EndReason
from shared.text import last_line
from workflow_manager.backends.port import AgentCall, AgentReport


class CommandBackend:
    def run(self, call: AgentCall) -> AgentReport:
        command = call.agent.run or call.settings.agent_command
        tail = bytearray()

        def on_output(data: bytes) -> None:
            tail.extend(data)
            del tail[:-4096]
            call.write(data)

        end = process.stream(
            contained(call.containment, ["/bin/sh", "-c", command]),
            cwd=call.worktree,
            env=call.environment,
            on_output=on_output,
            timeout=call.timeout,
            cancel=call.cancel,
        )
        said = last_line(tail.decode(errors="replace"))
        if end.ok:
            return AgentReport(True, summary=said or "done")
        reason = f"{end}{f': {said}' if said else ''}"
        return AgentReport(False, summary=said, reason=reason, cancelled=end.reason is EndReason.CANCELLED)
