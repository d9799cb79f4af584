"""The agent: a loop over a list of messages.

Ask, save, carry out what was asked for, save, until it says that it has finished. Limits are looked at before each
request; an answer that makes no sense is paid for and told so, a few times; nothing is ever paid twice, because each
answer is on disk before it is acted on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from shared.model import Tokens
from shared.text import first_sentence
from workflow_manager.backends.anthropic import compaction, finishing, instructions
from workflow_manager.backends.anthropic.client import Asks
from workflow_manager.backends.anthropic.conversation import (
    Answer,
    Block,
    Message,
    Text,
    ToolResult,
    said_by_user,
)
from workflow_manager.backends.anthropic.ending import (
    BrokenStep,
    Ended,
    WindowFull,
    failed,
    stopped,
    timed_out,
)
from workflow_manager.backends.anthropic.patience import Patience
from workflow_manager.backends.anthropic.tool import Checked
from workflow_manager.backends.anthropic.toolbox import Toolbox
from workflow_manager.backends.anthropic.transcript import History, Transcript
from workflow_manager.backends.port import AgentCall, AgentReport

FEWEST_TOKENS = 8_000  # that an answer may have at first; most have a tenth of that
MOST_TOKENS = 128_000  # what the models allow
_SENSELESS = 3  # answers in a row, after which the agent is given up


class Loop:
    """One agent on its way."""

    def __init__(
        self, call: AgentCall, model: str, prompt: str, asks: Asks, transcript: Transcript, patience: Patience
    ) -> None:
        self._call, self._model, self._prompt = call, model, prompt
        self._asks, self._transcript, self._patience = asks, transcript, patience
        self._tools = Toolbox(call, patience.left)
        self._specs = self._tools.specs(model)
        self._full_at = compaction.full_at(call.settings.models, model)
        self._messages: list[Message] = []
        self._requests = 0
        self._tokens = Tokens()
        self._limit = FEWEST_TOKENS
        self._senseless = 0

    def run(self) -> AgentReport:
        try:
            answer = self._begin()
            while True:
                report = self._react(answer) if answer is not None else None
                if report is not None:
                    return report
                answer = self._next()
        except Ended as end:
            return self._with_figures(end.report)
        except (BrokenStep, WindowFull) as error:
            return self._with_figures(AgentReport(False, reason=str(error)))

    def _begin(self) -> Answer | None:
        """Start, or go on where an earlier manager stood; returns an answer that it had not replied to."""
        history = self._transcript.resume() if self._call.resumed else None
        if history is None:
            self._transcript.begin()
            self._say(said_by_user(Text(self._prompt)))
            return None
        return self._resume(history)

    def _resume(self, history: History) -> Answer | None:
        self._messages, self._requests = history.messages, history.requests
        self._tokens = history.tokens
        self._log(f"resumed after {self._requests} requests")
        self._tools.again(history.done)
        self._tools.used = Counter(use.name for use in history.done)
        return history.last

    # --- asking

    def _next(self) -> Answer:
        self._check_limits()
        try:
            answer = self._asks.ask(instructions.SYSTEM, self._specs, self._messages, self._limit)
        except WindowFull as error:
            self._compress(str(error))
            return self._next()
        self._requests += 1
        self._tokens += answer.tokens
        if answer.stop == "model_context_window_exceeded":
            self._compress("the model's window is full")
            return self._next()
        kept = answer.kept()
        self._transcript.answer(kept, self._requests)
        if kept.blocks:
            self._messages.append(Message("assistant", kept.blocks))
        if kept.text:
            self._log(kept.text)
        return kept

    def _check_limits(self) -> None:
        if self._call.cancel.is_set:
            raise stopped()
        if self._patience.left() <= 0:
            raise timed_out(self._patience.taken)
        most = self._call.settings.models.steps
        if self._requests >= most:
            raise failed(f"not finished after {self._requests} steps, and `steps` allows {most}", final=True)

    def _compress(self, why: str) -> None:
        """Replace the conversation by a summary of it."""
        if len(self._messages) < 2:
            raise failed(f"its task does not fit into the model's window: {why}", final=True)
        self._check_limits()
        self._log(f"summarising {len(self._messages)} messages: {why}")
        question = compaction.question(self._messages)
        answer = self._asks.ask(compaction.SUMMARY_SYSTEM, [], [question], compaction.SUMMARY_TOKENS)
        self._requests += 1
        self._tokens += answer.tokens
        message = compaction.compressed(self._prompt, self._messages, answer.text or "(nothing)")
        self._messages = [message]
        self._transcript.user(message, self._requests, fresh=True, tokens=answer.tokens)

    # --- reacting

    def _react(self, answer: Answer) -> AgentReport | None:
        """Do what ``answer`` asks for and reply to it; returns the report with which the agent ends."""
        if answer.stop == "refusal":
            detail = f": {first_sentence(answer.detail, 300)}" if answer.detail else ""
            raise failed(f"the model refused{detail}", final=True)
        if answer.stop == "pause_turn" and not answer.calls:
            return None  # asked again with what it has said, it goes on
        asked = self._tools.checked(answer.calls)
        for one in asked:
            if isinstance(one, Checked) and one.tool.name != finishing.NAME:
                self._log(f"> {one.shown}")
        results = list(self._tools.carry_out(asked))
        for result in results:
            if result.error:
                self._log(f"! {first_sentence(result.text, 200)}")
        if self._call.cancel.is_set:
            raise stopped()  # without a reply: a manager that goes on carries the calls out again
        report = self._finished(asked, results)
        if report is None:
            self._reply(answer, asked, results)
        return report

    def _finished(self, asked: list[Checked | ToolResult], results: list[ToolResult]) -> AgentReport | None:
        """The report, where the agent has finished; where it only says so, ``results`` get why it has not."""
        calls = finishing.calls(asked)
        if not calls:
            return None
        report = self._with_figures(finishing.report(calls[0][1]))
        lacking = finishing.why_not(self._call, report, results)
        if not lacking:
            return report
        told = instructions.not_finished(lacking)
        results += [ToolResult(identity, told, error=True) for identity, _ in calls]
        return None

    def _reply(self, answer: Answer, asked: list[Checked | ToolResult], results: list[ToolResult]) -> None:
        blocks: list[Block] = [*results]
        if answer.stop == "max_tokens":
            before, self._limit = self._limit, min(2 * self._limit, MOST_TOKENS)
            blocks.append(Text(instructions.cut(before, self._limit)))
        elif not results:
            blocks.append(Text(instructions.NO_TOOL if answer.blocks else instructions.NOTHING))
        grown = answer.stop == "max_tokens" and self._limit < MOST_TOKENS
        self._count_sense(any(isinstance(one, Checked) for one in asked) or grown)
        self._say(Message("user", tuple(blocks)))
        if answer.tokens.total > self._full_at:
            self._compress(f"a request of {answer.tokens.total:,} tokens")

    def _count_sense(self, sensible: bool) -> None:
        self._senseless = 0 if sensible else self._senseless + 1
        if self._senseless >= _SENSELESS:
            raise failed(f"the model gave {_SENSELESS} answers in a row that made no sense")

    def _say(self, message: Message) -> None:
        self._messages.append(message)
        self._transcript.user(message, self._requests)

    def _log(self, line: str) -> None:
        self._call.write(f"{line}\n".encode(errors="replace"))

    def _with_figures(self, report: AgentReport) -> AgentReport:
        used = dict(self._tools.used)
        return replace(report, messages=len(self._messages), tool_calls=used, tokens=self._tokens)
