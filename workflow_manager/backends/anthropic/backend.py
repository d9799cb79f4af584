"""The ``anthropic`` backend: an agent as a conversation with a model, through the gateway."""

from __future__ import annotations

from dataclasses import replace

from shared.model import GatewayAccess
from workflow_manager.backends.anthropic import instructions
from workflow_manager.backends.anthropic.client import Client
from workflow_manager.backends.anthropic.loop import Loop
from workflow_manager.backends.anthropic.patience import Patience
from workflow_manager.backends.anthropic.toolbox import Toolbox
from workflow_manager.backends.anthropic.transcript import History, Transcript, header
from workflow_manager.backends.gateway_link import GatewayLink
from workflow_manager.backends.port import AgentCall, AgentReport


class AnthropicBackend:
    def run(self, call: AgentCall) -> AgentReport:
        if call.gateway is None:
            return AgentReport(False, reason="there is no gateway to the models in this run", final=True)
        if call.cancel.is_set:
            return AgentReport(False, reason="stopped", cancelled=True)
        try:
            return _converse(call, call.gateway)
        except OSError as error:  # a full disk, most likely; what the tools meet is told to the model
            return AgentReport(False, reason=f"its conversation cannot be kept: {error}")


def _converse(call: AgentCall, gateway: GatewayAccess) -> AgentReport:
    """A try that is known to have failed only leaves in the worktree what it left there: the next one needs it."""
    model = call.settings.models.of(call.agent.tier)
    text = call.prompt_file.read_text(errors="replace")
    prompt = instructions.prompt(call, text)
    # Why the try before failed, a manager that goes on may not know any more: it is the same try all the same.
    told = instructions.prompt(replace(call, failure=""), text)
    transcript = Transcript(call.transcript, header(call, model, told))
    if call.known:
        return _failed_again(call, transcript.resume())
    patience = Patience(call.timeout, GatewayLink(gateway, call.token), call.beat, resumed=call.resumed)
    with Client(gateway.url, call.token, model, call.cancel, patience) as client:
        return Loop(call, model, prompt, client, transcript, patience).run()


def _failed_again(call: AgentCall, history: History | None) -> AgentReport:
    if history is not None:
        Toolbox(call, lambda: call.timeout).again(
            [*history.done, *(history.last.calls if history.last else ())]
        )
    if call.cancel.is_set:
        return AgentReport(False, reason="stopped", cancelled=True)
    return AgentReport(False, reason=call.known)
