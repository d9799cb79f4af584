"""The ``anthropic`` backend with the real SDK against a scripted server: real files, real commands, real faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.model import ModelSettings, Outputs, Settings, Tokens
from tests.support.build import agent
from tests.support.messages import Asked, Fault, Reply, ToolUse
from tests.support.model_agent import Desk, bash, create, desk_in, edit, finish
from workflow_manager.backends.port import READING

pytestmark = pytest.mark.process


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


def marks(value: Any) -> int:
    """How many places of a request are marked for the cache."""
    if isinstance(value, dict):
        return ("cache_control" in value) + sum(marks(one) for one in value.values())
    return sum(marks(one) for one in value) if isinstance(value, list) else 0


def steps(most: int) -> Settings:
    return Settings(models=ModelSettings(steps=most))


def test_tools_change_real_files_until_the_agent_finishes(desk: Desk) -> None:
    report = desk.run(
        Reply("Let me see.", [create("src/a.py", "x = 1\n"), bash("cat src/a.py && echo seen > seen.txt")]),
        Reply(tools=[edit("str_replace", "src/a.py", old_str="1", new_str="2")]),
        finish("set x to 2", artifacts=["src/a.py"], next_steps=["test it"], warnings=["untested"]),
    )
    assert (report.ok, report.summary, report.artifacts) == (True, "set x to 2", ("src/a.py",))
    assert (report.next_steps, report.warnings) == (("test it",), ("untested",))
    assert desk.read("src/a.py") == "x = 2\n"
    assert desk.read("seen.txt") == "seen\n"
    assert report.tool_calls == {"str_replace_based_edit_tool": 2, "bash": 1}
    assert desk.server is not None
    assert report.tokens == desk.server.billed
    assert [text for _, text, _ in desk.asked[1].tool_results] == ["created src/a.py: 2 lines", "x = 1\n"]
    assert b"Let me see." in desk.said
    assert desk.server.violations == []


def test_first_message_is_the_prompt_and_why_the_try_before_failed(desk: Desk) -> None:
    desk.run(finish(), failure="it changed nothing", one=agent("CODER", writes=("src/**",)))
    assert desk.asked[0].last_text == (
        "Fix the bug.\n\nYou may write only `src/**`.\n\nYour try before this one failed: it changed nothing"
    )


def test_prefix_and_last_turns_are_marked_for_the_cache(desk: Desk) -> None:
    desk.run(*[Reply(tools=[bash("true")]) for _ in range(4)], finish())
    assert [marks(asked.body) for asked in desk.asked] == [2, 3, 3, 3, 3]
    assert "cache_control" in desk.asked[4].body["system"][0]
    assert desk.server is not None
    assert desk.server.billed.cache_read > 0


def test_thinking_is_given_back_exactly(desk: Desk) -> None:
    report = desk.run(
        Reply(tools=[bash("true")], thinking="Hm."),
        Reply("Now I know.", [bash("true")], thinking="Aha."),
        finish(),
    )
    assert report.ok
    assert desk.server is not None
    assert desk.server.violations == []


def test_log_tells_what_the_agent_says_does_and_what_goes_wrong(desk: Desk) -> None:
    desk.run(
        Reply("Let me see.", [edit("view", "nowhere.py"), bash("echo hello")]),
        Reply(tools=[ToolUse("glob", {"pattern": "*.py"})]),
        finish(),
    )
    assert desk.said.decode().splitlines() == [
        "Let me see.",
        "> str_replace_based_edit_tool view nowhere.py",
        "> bash echo hello",
        "hello",
        "! there is no nowhere.py",
        "> glob *.py",
    ]


def test_tier_decides_the_model(desk: Desk) -> None:
    desk.run(finish(), one=agent("CODER", tier="deep"))
    assert desk.asked[0].model == "claude-opus-5-5"
    assert [tool.get("type") for tool in desk.asked[0].body["tools"][:2]] == [
        "bash_20250124",
        "text_editor_20250728",
    ]


def test_reading_tools_of_one_answer_run_at_once(desk: Desk) -> None:
    (desk.worktree / "a.txt").write_text("alpha\n")
    (desk.worktree / "b.txt").write_text("beta\n")
    desk.run(
        Reply(
            tools=[
                ToolUse("read_file", {"path": "a.txt"}),
                ToolUse("search", {"pattern": "bet", "files": "*.txt"}),
            ]
        ),
        finish(),
        tools=READING,
        one=agent("CODER", writes=()),
    )
    assert [(text, error) for _, text, error in desk.asked[1].tool_results] == [
        ("     1\talpha", False),
        ("./b.txt:1:beta\n", False),
    ]
    assert "bash" not in desk.asked[0].tools
    assert "str_replace_based_edit_tool" not in desk.asked[0].tools


# --- how answers end


def test_answer_that_its_limit_cut_is_gone_on_with_and_its_last_call_is_not_carried_out(desk: Desk) -> None:
    report = desk.run(
        Reply("Writing.", [create("a.txt", "whole"), create("b.txt", "cut")], stop_reason="max_tokens"),
        finish(),
    )
    assert report.ok
    assert (desk.worktree / "a.txt").exists()
    assert not (desk.worktree / "b.txt").exists()
    assert [asked.body["max_tokens"] for asked in desk.asked] == [8_000, 16_000]
    assert "cut off after 8,000 tokens" in desk.asked[1].last_text


def test_limit_grows_as_far_as_models_allow_and_the_agent_is_given_up_there(desk: Desk) -> None:
    report = desk.run(*[Reply("Far too long", stop_reason="max_tokens") for _ in range(9)])
    limits = [asked.body["max_tokens"] for asked in desk.asked]
    assert limits[:6] == [8_000, 16_000, 32_000, 64_000, 128_000, 128_000]
    assert report.reason == "the model gave 3 answers in a row that made no sense"


def test_paused_turn_is_gone_on_with(desk: Desk) -> None:
    assert desk.run(Reply("One moment", stop_reason="pause_turn"), finish()).ok
    assert [message["role"] for message in desk.asked[1].messages] == ["user", "assistant"]


def test_refusal_is_final(desk: Desk) -> None:
    report = desk.run(Reply("No.", stop_reason="refusal"))
    assert (report.ok, report.final, report.reason) == (False, True, "the model refused")


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence"])
def test_end_without_finishing_is_asked_about_three_times_at_most(desk: Desk, stop: str) -> None:
    report = desk.run(*[Reply("I am done!", stop_reason=stop) for _ in range(5)])
    assert (report.ok, report.reason) == (False, "the model gave 3 answers in a row that made no sense")
    assert len(desk.asked) == 3
    assert desk.asked[1].last_text.startswith("You called no tool.")


@pytest.mark.parametrize("stop", ["end_turn", "max_tokens"])
def test_answer_of_thoughts_alone_is_asked_about(desk: Desk, stop: str) -> None:
    report = desk.run(Reply(tools=[bash("true")]), Reply("", thinking="Hm.", stop_reason=stop), finish())
    assert report.ok
    assert [message["role"] for message in desk.asked[2].messages] == ["user", "assistant", "user", "user"]
    assert desk.server is not None
    assert desk.server.violations == []


def test_window_that_no_summary_fits_into_ends_the_agent(desk: Desk) -> None:
    too_long = Fault(413, message="too large")
    report = desk.run(Reply(tools=[bash("true")]), too_long, too_long)
    assert (report.ok, report.reason) == (False, "too large")


def test_full_window_is_answered_with_a_summary(desk: Desk) -> None:
    report = desk.run(
        Reply(tools=[create("a.txt", "first")], thinking="Start there."),
        Reply("", stop_reason="model_context_window_exceeded"),
        Reply("Created a.txt; b.txt is left to do."),
        Reply(tools=[create("b.txt", "second")]),
        finish(),
    )
    assert report.ok
    assert desk.asked[2].body.get("tools") is None
    assert [message["role"] for message in desk.asked[3].messages] == ["user"]
    assert "Fix the bug." in desk.asked[3].last_text
    assert "b.txt is left to do" in desk.asked[3].last_text
    assert "created a.txt" in desk.asked[3].last_text
    assert desk.read("b.txt") == "second"


def test_prompt_that_is_too_long_is_answered_with_a_summary(desk: Desk) -> None:
    too_long = Fault(400, error_type="invalid_request_error", message="prompt is too long: 1000001 tokens")
    assert desk.run(Reply(tools=[bash("true")]), too_long, Reply("Nothing yet."), finish()).ok


def test_task_that_does_not_fit_at_all_is_final(desk: Desk) -> None:
    report = desk.run(Fault(413, message="too large"))
    assert report.final
    assert report.reason.startswith("its task does not fit into the model's window")


def test_conversation_is_summarised_before_it_gets_dear(desk: Desk) -> None:
    dear = Reply(tools=[bash("true")], usage=Tokens(input=10, cache_read=250_000, output=5))
    report = desk.run(dear, Reply("Nothing happened."), finish())
    assert report.ok
    assert "Nothing happened." in desk.asked[2].last_text


# --- answers that make no sense


def test_mistakes_in_calls_are_told_and_paid_for(desk: Desk) -> None:
    report = desk.run(
        Reply(tools=[ToolUse("teleport", {}), ToolUse("bash", {"cmd": "true"})]),
        finish(),
    )
    assert report.ok
    (_, unknown, first), (_, misfit, second) = desk.asked[1].tool_results
    assert (first, second) == (True, True)
    assert unknown.startswith("there is no tool 'teleport'; there are bash, ")
    assert "cmd: Extra inputs are not permitted" in misfit


def test_finish_is_refused_until_everything_is_there(desk: Desk) -> None:
    one = agent("CODER", outputs=Outputs(files=("made.txt",), decisions=("api",), verdict=True))
    report = desk.run(
        finish(),
        finish(verdict="approve"),
        Reply(tools=[create("made.txt", "x"), ToolUse("finish", {"summary": "s", "verdict": "approve"})]),
        finish(verdict="request-changes", decisions={"api": "REST"}),
        one=one,
    )
    assert (report.ok, report.verdict, report.decisions) == (True, "request-changes", {"api": "REST"})
    told = [asked.tool_results[-1][1] for asked in desk.asked[1:]]
    assert told[0] == "the input does not fit: verdict: Field required"
    assert told[1].startswith("not finished: it left no file made.txt")
    assert told[2].startswith("not finished: it did not decide api")


def test_finish_beside_a_failed_call_is_refused(desk: Desk) -> None:
    report = desk.run(
        Reply(tools=[bash("exit 3"), ToolUse("finish", {"summary": "all well"})]),
        finish("it does not work"),
    )
    assert report.summary == "it does not work"
    assert "another call of the same turn failed" in desk.asked[1].tool_results[-1][1]


def test_every_call_to_finish_is_answered(desk: Desk) -> None:
    twice = [ToolUse("finish", {"summary": "a"}), ToolUse("finish", {"summary": "b"})]
    report = desk.run(Reply(tools=twice), finish("c"), one=agent("CODER", outputs=Outputs(files=("a.txt",))))
    assert not report.ok  # the script ended before the file was there
    assert [error for _, _, error in desk.asked[1].tool_results] == [True, True]
    assert desk.server is not None
    assert desk.server.violations == []


def test_plan_comes_with_its_checks_and_fallbacks(desk: Desk) -> None:
    report = desk.run(
        finish(commands=["make"], checks=["make test"], fallbacks={"make": "gmake"}),
        one=agent("CODER", outputs=Outputs(commands=True)),
    )
    assert report.plan == {"commands": ("make",), "checks": ("make test",), "fallbacks": ("make => gmake",)}


def test_steps_are_capped(desk: Desk) -> None:
    report = desk.run(*[Reply(tools=[bash("true")]) for _ in range(9)], settings=steps(3))
    assert (report.ok, report.final, len(desk.asked)) == (False, True, 3)
    assert report.reason == "not finished after 3 steps, and `steps` allows 3"


# --- a bad day of the API


@pytest.mark.parametrize(
    "fault",
    [
        Fault.cut(after_events=4),
        Fault.early_end(after_events=4),
        Fault.early_end(after_events=0),
        Fault.error_event("overloaded_error", "Overloaded"),
        Fault.refuse_connection(),
    ],
    ids=["cut", "early end", "empty", "error event", "no connection"],
)
def test_broken_answer_is_asked_for_again_and_nothing_of_it_is_done(desk: Desk, fault: Fault) -> None:
    report = desk.run(fault, Reply(tools=[create("a.txt", "x")]), finish())
    assert report.ok
    assert [len(asked.messages) for asked in desk.asked] == [1, 1, 3]
    assert len(desk.lines) == 1 + 1 + 2 + 1


def test_step_is_sent_three_times_at_most(desk: Desk) -> None:
    report = desk.run(*[Fault.cut(after_events=2) for _ in range(5)])
    assert len(desk.asked) == 3
    assert not report.final
    assert report.reason.startswith("the model's answer broke off")


@pytest.mark.parametrize(
    ("fault", "final", "reason"),
    [
        (Fault(400, message="no such field"), True, "the model API answered 400: no such field"),
        (Fault(403, message="not allowed"), True, "the model API answered 403: not allowed"),
        (Fault(429, message="slow down"), False, "the model API answered 429: slow down"),
        (Fault(529, message="overloaded"), False, "the model API answered 529: overloaded"),
    ],
)
def test_other_errors_end_the_agent_at_once(desk: Desk, fault: Fault, final: bool, reason: str) -> None:
    report = desk.run(fault)
    assert (report.ok, report.final, report.spent, report.reason) == (False, final, False, reason)
    assert len(desk.asked) == 1


def test_spent_budget_is_told_as_such(desk: Desk) -> None:
    report = desk.run(
        Fault(402, {"x-spinney-stop": "budget"}, "billing_error", "the budget of fix is spent: $5.00")
    )
    assert (report.final, report.spent, report.reason) == (True, True, "the budget of fix is spent: $5.00")


# --- being stopped


def test_stop_ends_an_open_request_within_a_second(desk: Desk) -> None:
    arrived = threading.Event()

    def never(asked: Asked) -> Fault:
        arrived.set()
        return Fault.hang(after_events=2)

    stopped: list[float] = []

    def stop() -> None:
        arrived.wait(10.0)
        stopped.append(time.monotonic())
        desk.cancel.set()

    thread = threading.Thread(target=stop)
    thread.start()
    report = desk.run(never)
    thread.join()
    assert (report.ok, report.cancelled) == (False, True)
    assert time.monotonic() - stopped[0] < 1.0


def test_stop_ends_a_command(desk: Desk) -> None:
    report = desk.run(
        lambda asked: (threading.Timer(0.1, desk.cancel.set).start(), Reply(tools=[bash("sleep 60")]))[1],
    )
    assert report.cancelled


def test_time_limit_ends_a_request(desk: Desk) -> None:
    report = desk.run(Fault.hang(), timeout=0.3)
    assert (report.ok, report.cancelled) == (False, False)
    assert report.reason.startswith("timed out after")


def test_agent_that_is_stopped_before_it_starts_asks_nobody(desk: Desk) -> None:
    desk.cancel.set()
    assert desk.run().cancelled
    assert desk.asked == []


def test_sub_agents_are_asked_for_and_report(desk: Desk) -> None:
    wanted = {
        "agents": [{"name": "docs", "prompt": "Write them"}, {"name": "tests", "prompt": "T", "tier": "deep"}]
    }
    assert desk.run(Reply(tools=[ToolUse("ask_agents", wanted)]), finish()).ok
    assert [(one.name, one.tier) for one in desk.spawned[0]] == [("docs", "balanced"), ("tests", "deep")]
    assert desk.asked[1].tool_results[0][1] == "docs: docs did it\n\ntests: tests did it"


def test_sub_agent_cannot_ask_for_others(desk: Desk) -> None:
    desk.run(finish(), one=agent("CODER/docs"))
    assert "ask_agents" not in desk.asked[0].tools
