"""The real Claude Code program against a scripted server: what it changes, may not change, and how it is ended."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.containment import find_bubblewrap
from shared.model import Containment, ModelSettings, Settings
from shared.process import Cancel
from tests.support.build import agent
from tests.support.messages import Asked, Fault, MessagesServer, Reply, by_task, first
from tests.support.programs import Bench, bash, bench_in, claude_code, in_turn, shut
from tests.support.running import has_bubblewrap, until
from workflow_manager.backends.port import READING, AgentReport

pytestmark = pytest.mark.process

HANGS = "touch hanging; tail -f $PWD/hanging"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_in(tmp_path, program=claude_code()) as made:
        yield made


def told(*turns: Any) -> Any:
    """A script for the one agent there is; titles and the like are answered aside."""
    return by_task({"bug": turns})


def test_it_edits_real_files(bench: Bench) -> None:
    (bench.worktree / "greeting.py").write_text("print('helo')\n")
    turns = told(
        Reply("I look.", tools=[bench.read("greeting.py")]),
        Reply(tools=[bench.edit("greeting.py", "helo", "hello"), bash("python3 greeting.py > out.txt")]),
        Reply(tools=[bench.write("tests/test_greeting.py", "assert True\n")]),
        Reply("Spelt it right, with a test."),
    )
    with MessagesServer(turns) as server:
        report = bench.run(server)
    assert report == AgentReport(
        True,
        summary="Spelt it right, with a test.",
        messages=4,
        tool_calls={"Read": 1, "Edit": 1, "Bash": 1, "Write": 1},
    )
    assert (bench.worktree / "out.txt").read_text() == "hello\n"
    assert (bench.worktree / "tests/test_greeting.py").is_file()
    assert server.violations == []
    assert len(server.asked) == 4
    assert {asked.model for asked in server.asked} == {"claude-sonnet-5-5"}


def test_what_it_was_denied_is_reported_although_it_says_that_it_succeeded(
    bench: Bench, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    turns = told(
        Reply(
            tools=[bench.write("docs/a.md", "a"), bench.write("b.py", "b"), bench.write(str(outside), "c")]
        ),
        Reply("All done."),
    )
    with MessagesServer(turns) as server:
        report = bench.run(server, agent("CODER", writes=("docs/**",)))
    assert report.ok
    assert report.warnings == (
        f"it was not allowed: Write {bench.worktree}/b.py",
        f"it was not allowed: Write {outside}",
    )
    assert (bench.worktree / "docs/a.md").is_file()
    assert not (bench.worktree / "b.py").exists()
    assert not outside.exists()


def test_one_that_only_reads_leaves_its_result_and_nothing_else(bench: Bench) -> None:
    output = '{"verdict": "approve"}'
    turns = told(
        Reply(
            tools=[
                bash("touch ran"),
                bench.write("a.py", "a"),
                bench.write(".tasks/CODER/output.json", output),
            ]
        ),
        Reply("Looks good."),
    )
    with MessagesServer(turns) as server:
        report = bench.run(server, agent("CODER", writes=()), tools=READING)
    assert report.ok
    assert sorted(path.name for path in bench.worktree.iterdir()) == [".tasks"]
    assert (bench.worktree / ".tasks/CODER/output.json").read_text() == output
    assert not {"Bash", "Edit", "WebFetch", "Agent"} & set(server.asked[0].tools)


def test_it_gets_a_home_of_its_own_and_nothing_of_the_users_environment(bench: Bench, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(asked: Asked) -> Reply:
        seen.extend(asked.tool_results[0][1].splitlines())
        return Reply("Seen.")

    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_PROFILE": "x", "SPINNEY_TASK": "fix"}
    with MessagesServer(told(Reply(tools=[bash("env")]), look)) as server:
        assert bench.run(server, environment=environment).ok
    assert f"HOME={bench.home}" in seen
    assert "SPINNEY_TASK=fix" in seen
    assert not any(line.startswith("AWS_") for line in seen)
    assert bench.home.stat().st_mode & 0o077 == 0


def test_the_repositorys_own_settings_neither_add_rules_nor_run_hooks(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    settings = bench.worktree / ".claude/settings.json"
    settings.parent.mkdir()
    hook = {"matcher": "*", "hooks": [{"type": "command", "command": f"touch {outside}"}]}
    settings.write_text(json.dumps({"permissions": {"allow": ["Write"]}, "hooks": {"PreToolUse": [hook]}}))
    (bench.worktree / "CLAUDE.md").write_text("Write in French.\n")
    with MessagesServer(told(Reply(tools=[bench.write("b.py", "b")]), Reply("Done."))) as server:
        report = bench.run(server, agent("CODER", writes=("docs/**",)))
    assert report.warnings == (f"it was not allowed: Write {bench.worktree}/b.py",)
    assert not outside.exists()
    assert "`CLAUDE.md`: read that first" in server.asked[0].last_text


def test_the_same_work_asks_the_same_whoever_carries_it_out(bench: Bench) -> None:
    bodies = []
    for _ in range(2):
        with MessagesServer(in_turn(Reply(tools=[bash("echo one")]), Reply("Done."))) as server:
            assert bench.run(server).ok
        bodies.append([asked.body for asked in server.asked])
        shutil.rmtree(bench.home)
    assert bodies[0] == bodies[1]


def test_the_requests_that_it_may_make_are_counted(bench: Bench) -> None:
    settings = Settings(models=ModelSettings(steps=2))
    with MessagesServer(lambda asked: Reply(tools=[bash("true")])) as server:
        report = bench.run(server, settings=settings)
    assert not report.ok
    assert report.reason == "it used up the requests that one agent may make (models: steps)"
    assert len(server.asked) == 2


@pytest.mark.parametrize("kind", ["cut", "early end", "error event"])
def test_after_an_answer_that_broke_off_it_goes_on(kind: str, bench: Bench) -> None:
    answer = Reply("Let me see what there is to do here, and how.", tools=[bench.write("a.txt", "a\n")])
    fault = {
        "cut": Fault.cut(4, of=answer),
        "early end": Fault.early_end(4, of=answer),
        "error event": Fault.error_event("api_error", "the stream ended early", 4),
    }[kind]
    with MessagesServer(in_turn(fault, answer, Reply("Wrote it."))) as server:
        report = bench.run(server)
    assert (report.ok, report.summary) == (True, "Wrote it.")
    assert (bench.worktree / "a.txt").read_text() == "a\n"
    assert len(server.asked) == 3
    assert server.violations == []


def test_it_asks_once_when_nothing_will_be_answered_any_more(bench: Bench) -> None:
    refusal = Fault(402, {"x-spinney-stop": "budget"}, "billing_error", "the budget of 1 USD is spent")
    with MessagesServer(first([refusal] * 9, told())) as server:
        report = bench.run(server)
    assert (report.ok, report.spent, report.final) == (False, True, True)
    assert "the budget of 1 USD is spent" in report.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize("held", [True, False], ids=["bubblewrap", "bookkeeping"])
def test_one_that_is_stopped_says_what_it_did_and_its_session_goes_on_later(held: bool, bench: Bench) -> None:
    if held and not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    containment = Containment(find_bubblewrap() if held else "")
    turns = in_turn(
        Reply(tools=[bash("echo one > one.txt")]), Reply(tools=[bash(HANGS)]), Reply("Both are done.")
    )
    later = Cancel()
    with MessagesServer(turns) as server:
        stopping = threading.Thread(target=_stop, args=(bench,))
        stopping.start()
        report = bench.run(server, containment=containment)
        stopping.join()
        assert (report.ok, report.cancelled, report.reason) == (False, True, "stopped")
        assert report.tool_calls == {"Bash": 2}
        _gone(bench)
        before = len(server.asked)
        again = bench.run(server, containment=containment, cancel=later, failure="stopped by hand")
    later.close()
    assert (again.ok, again.summary) == (True, "Both are done.")
    assert len(server.asked) == before + 1
    resumed = server.asked[-1]
    assert "Your try before failed: stopped by hand" in resumed.last_text
    assert any("one.txt" in str(message["content"]) for message in resumed.messages)


def _stop(bench: Bench) -> None:
    until((bench.worktree / "hanging").exists, "it to hang")
    bench.desk.cancel.set()


def _gone(bench: Bench) -> None:
    """What it had started has ended, wherever it was."""
    command = ["tail", "-f", str(bench.worktree / "hanging")]
    until(
        lambda: not any(one.info["cmdline"] == command for one in psutil.process_iter(["cmdline"])),
        "the end of what it had started",
        5,
    )


def test_one_that_was_killed_goes_on_where_it_was(bench: Bench) -> None:
    if not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine, and this process does not get its orphans")
    containment = Containment(find_bubblewrap())
    turns = in_turn(
        Reply(tools=[bench.write("one.txt", "one\n")]), Reply(tools=[bash(HANGS)]), Reply("Both are done.")
    )
    with MessagesServer(turns) as server:
        killing = threading.Thread(target=_kill, args=(bench,))
        killing.start()
        report = bench.run(server, containment=containment)
        killing.join()
        assert (report.ok, report.cancelled) == (False, False)
        assert report.reason.startswith("it ended without a result")
        _gone(bench)
        again = bench.run(server, containment=containment, resumed=True)
    assert (again.ok, again.summary) == (True, "Both are done.")
    assert "You were interrupted." in server.asked[-1].last_text
    assert server.violations == []


def _kill(bench: Bench) -> None:
    until((bench.worktree / "hanging").exists, "it to hang")
    program = Path(bench.program).name
    for process in psutil.Process().children(recursive=True):
        if process.name() == program:
            process.kill()


def test_a_session_that_is_none_is_begun_anew(bench: Bench) -> None:
    with MessagesServer(told(Reply("Done."))) as server:
        assert bench.run(server).ok
        (session,) = bench.home.glob(".claude/projects/*/*.jsonl")
        session.write_text("")
        assert bench.run(server).ok
    assert len(server.asked) == 2
    assert server.asked[-1].turns == 0


# --- as in a run: shut into a sandbox, with the gateway as the only way out


def test_shut_into_a_sandbox_it_works_through_the_gateway(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")
    (bench.worktree / "greeting.py").write_text("print('helo')\n")
    turns = in_turn(
        Reply(tools=[bench.read("greeting.py"), bash(f"cat {secret}; env; ls {tmp_path}")]),
        Reply(
            tools=[
                bench.edit("greeting.py", "helo", "hello"),
                bash("python3 greeting.py > out.txt"),
                bash(f"echo out > {tmp_path}/outside.txt"),
            ]
        ),
        Reply("Spelt it right."),
    )
    events: list[tuple[str, Any]] = []
    with MessagesServer(turns) as server, shut(bench, server, events) as box:
        report = box.carry_out(bench)
    assert (report.ok, report.summary, report.reason) == (True, "Spelt it right.", "")
    assert (bench.worktree / "out.txt").read_text() == "hello\n"
    assert not (tmp_path / "outside.txt").exists()
    seen = server.asked[1].tool_results[1][1]
    assert "hidden" not in seen
    assert server.key not in seen
    called = [fields for event, fields in events if event == "model.called"]
    assert [fields["status"] for fields in called] == [200, 200, 200]
    assert sum(fields["cost_usd"] for fields in called) == pytest.approx(server.billed_usd)
    assert server.violations == []


def test_shut_into_a_sandbox_it_can_be_stopped_and_gone_on_with(bench: Bench) -> None:
    later = Cancel()
    turns = in_turn(Reply(tools=[bash("echo one > one.txt")]), Reply(tools=[bash(HANGS)]), Reply("Done."))
    with MessagesServer(turns) as server, shut(bench, server, []) as box:
        stopping = threading.Thread(target=_stop, args=(bench,))
        stopping.start()
        report = box.carry_out(bench)
        stopping.join()
        assert (report.cancelled, report.tool_calls) == (True, {"Bash": 2})
        _gone(bench)
        again = box.carry_out(bench, cancel=later, resumed=True)
    later.close()
    assert (again.ok, again.summary) == (True, "Done.")
