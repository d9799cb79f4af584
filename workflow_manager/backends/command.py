"""The ``command`` backend: a shell command or a list of them, or a coding program given a prompt file."""

from __future__ import annotations

from shared import shell
from shared.process import EndReason
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.recovery.proposals import TAIL


class CommandBackend:
    def run(self, call: AgentCall) -> AgentReport:
        if call.agent.commands or call.agent.planned:
            from workflow_manager.backends.command_list import carry_out

            return carry_out(call)
        tail = bytearray()

        def write(data: bytes) -> None:
            call.write(data)
            tail.extend(data)
            del tail[:-TAIL]

        command = call.agent.run or call.settings.agent_command
        ran = shell.run(
            command,
            containment=call.containment,
            cwd=call.worktree,
            env=call.environment,
            write=write,
            timeout=call.timeout,
            cancel=call.cancel,
            on_work=call.beat,
        )
        if ran.ok:
            return AgentReport(True, summary=ran.said or "done")
        if ran.end.reason is EndReason.CANCELLED:
            return AgentReport(False, summary=ran.said, reason=ran.problem, cancelled=True)
        output = tail.decode(errors="replace")
        return AgentReport(
            False, ran.said, ran.problem + _hint(call, command, str(ran.end), output), output=output
        )


def _hint(call: AgentCall, command: str, how: str, output: str) -> str:
    """What a person could do about a failure that is understood; nothing of it is done for a single command.

    Imported here, so that nobody pays for it whose commands end well.
    """
    from workflow_manager.recovery.proposals import Failure
    from workflow_manager.recovery.surroundings import look
    from workflow_manager.recovery.table import diagnose

    proposals = diagnose(Failure(command, how, output), look(call)).proposals
    told = next((str(proposal) for proposal in proposals if proposal.advice or proposal.runnable), "")
    return f" (hint: {told})" if told else ""
