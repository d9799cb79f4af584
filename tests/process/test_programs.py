"""Coding programs that are made up: they behave as documented, misbehave, are stopped, and take their time."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.containment import contained, find_bubblewrap
from shared.errors import UserError
from shared.model import Containment, Program, Settings
from shared.process import Cancel, End, EndReason, stream
from tests.support.build import agent
from tests.support.messages import MessagesServer, Reply
from tests.support.programs import Bench, bench_in, shut
from tests.support.running import has_bubblewrap, until
from workflow_manager.backends.port import AgentReport
from workflow_manager.backends.programs.checking import check

pytestmark = pytest.mark.process

ENV = {"PATH": os.environ["PATH"]}
BEGINNING = f"""#!{os.path.realpath(sys.executable)} -S
import json, os, signal, sys, time
arguments = sys.argv[1:]
told = sys.stdin.read()
def say(**event):
    print(json.dumps(event), flush=True)
def result(**event):
    say(type="result", **{{"subtype": "success", "is_error": False, "permission_denials": [], **event}})
"""


def program(folder: Path, text: str, name: str = "claude") -> str:
    path = folder / name
    path.write_text(BEGINNING + text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_in(tmp_path) as made:
        yield made


def run(bench: Bench, text: str, **fields: Any) -> AgentReport:
    """Have a Claude Code of that text work; its server is never asked."""
    bench.program = program(bench.desk.root, text)
    with MessagesServer(lambda asked: Reply()) as server:
        return bench.run(server, **fields)


def test_it_is_told_what_to_do_and_knows_where_it_is(bench: Bench) -> None:
    report = run(
        bench,
        """
open("seen.json", "w").write(json.dumps({"told": told, "arguments": arguments, "environment": dict(os.environ)}))
result(result="Done.")
""",
        one=agent("CODER", tier="deep"),
    )
    assert (report.ok, report.summary) == (True, "Done.")
    seen = json.loads((bench.worktree / "seen.json").read_text())
    assert seen["told"].startswith("Fix the bug.\n")
    assert "claude-opus-5-5" in seen["arguments"]
    assert "--session-id" in seen["arguments"]
    assert not any("Fix the bug" in word for word in seen["arguments"])
    assert set(seen["environment"]) <= {
        *("PATH", "HOME", "LC_CTYPE", "SPINNEY_MARK", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        *("CLAUDE_CONFIG_DIR", "API_TIMEOUT_MS", "DISABLE_AUTOUPDATER"),
        *(name for name in seen["environment"] if name.startswith("CLAUDE_CODE_")),
    }


def test_a_later_try_resumes_the_session_and_another_agent_has_one_of_its_own(bench: Bench) -> None:
    text = """
folder = os.path.join(os.environ["CLAUDE_CONFIG_DIR"], "projects", "here")
os.makedirs(folder, exist_ok=True)
at = next(i for i, word in enumerate(arguments) if word in ("--session-id", "--resume"))
open(os.path.join(folder, arguments[at + 1] + ".jsonl"), "a").write("x")
result(result=" ".join(arguments[at:at + 2]))
"""
    first, second = run(bench, text).summary.split(), run(bench, text, failure="no tests").summary.split()
    assert [first[0], second[0]] == ["--session-id", "--resume"]
    assert first[1] == second[1]
    with bench_in(bench.desk.root / "elsewhere") as other:
        assert (
            run(other, text).summary.split() == first
        )  # of the same task and agent, so that runs can be replayed
        other.desk.root = bench.desk.root / "elsewhere"
        other_agent = agent("TESTER")
        transcript = other.desk.transcript.with_name("TESTER.jsonl")
        assert run(other, text, one=other_agent, transcript=transcript).summary.split()[1] != first[1]


def test_links_and_pipes_that_it_leaves_in_its_home_lead_nowhere(bench: Bench) -> None:
    victim = bench.desk.root / "victim"
    victim.write_text("mine")
    text = f"""
home = os.path.dirname(os.environ["CLAUDE_CONFIG_DIR"])
ours, settings = home.replace(".home", ".prompt.md"), os.path.join(home, ".claude/.claude.json")
assert open(ours).read() == told
for path in (ours, settings, os.path.join(home, ".prompt.md")):
    try:
        os.path.lexists(path) and os.unlink(path)
        os.symlink({str(victim)!r} + ".new", path) if path == settings else os.mkfifo(path)
    except OSError as error:
        say(type="assistant", message={{"content": [{{"type": "text", "text": str(error)}}]}})
result(result=told[:12])
"""
    bench.program = program(bench.desk.root, text)
    with MessagesServer(lambda asked: Reply()) as server, shut(bench, server, [], ENV["PATH"]) as box:
        said = [box.carry_out(bench).summary for _ in range(2)]
    assert said == ["Fix the bug."] * 2
    assert bench.said.count("CODER.prompt.md'") == 2  # it is there to be read only
    assert [path.name for path in bench.desk.root.glob("victim*")] == ["victim"]
    assert victim.read_text() == "mine"


def test_a_line_of_a_gigabyte_is_not_kept(bench: Bench) -> None:
    report = run(
        bench,
        """
for _ in range(64):
    sys.stdout.write("x" * (1 << 20))
print()
result(result="Done.")
""",
    )
    assert (report.ok, report.summary) == (True, "Done.")
    assert report.warnings == ("1 line of its output too long to be read",)
    assert len(bench.said) < 10_000


def test_one_that_dies_without_a_word_has_failed(bench: Bench) -> None:
    report = run(bench, 'print("Fatal: no memory", file=sys.stderr); os.kill(os.getpid(), signal.SIGSEGV)')
    assert report.reason == "it ended without a result, killed by SIGSEGV: Fatal: no memory"


def test_exit_status_0_without_a_result_is_no_success(bench: Bench) -> None:
    assert run(bench, 'say(type="system")').reason == "it ended without a result, exit status 0"


def test_an_answer_that_always_breaks_off_is_asked_for_three_times(bench: Bench) -> None:
    report = run(
        bench,
        """
open("tries", "a").write("x")
result(is_error=True, result="API Error: the stream ended early")
sys.exit(1)
""",
    )
    assert report.reason == "API Error: the stream ended early"
    assert (bench.worktree / "tries").read_text() == "xxx"


def test_one_that_is_not_there_says_how_to_get_it(bench: Bench) -> None:
    bench.program = str(bench.desk.root / "missing")
    with MessagesServer(lambda asked: Reply()) as server:
        report = bench.run(server)
    assert report.final
    assert report.reason.startswith(f"there is no program '{bench.program}'; install it: npm install")


def test_one_that_cannot_reach_its_models_is_not_started(bench: Bench) -> None:
    bench.name = "codex"
    with MessagesServer(lambda asked: Reply()) as server:
        report = bench.run(server)
    assert report.final
    assert "codex speaks OpenAI's API" in report.reason
    assert bench.carry_out(bench.call()).reason == report.reason


def test_without_a_gateway_none_is_started(bench: Bench) -> None:
    report = bench.carry_out(bench.call())
    assert (report.final, report.reason) == (True, "there is no gateway to reach models through")


def test_its_time_is_over(bench: Bench) -> None:
    report = run(bench, "time.sleep(60)", timeout=1.0)
    assert (report.ok, report.cancelled) == (False, False)
    assert report.reason == "timed out after 1 s"


# --- how it is ended

PATIENT = """
import os, pathlib, signal, subprocess, sys
def told(number, frame):
    print("x" * 200_000, flush=True)  # more than a pipe holds
    print("said", signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM or "stubborn" not in sys.argv:
        sys.exit(0)
signal.signal(signal.SIGINT, told)
signal.signal(signal.SIGTERM, told)
subprocess.Popen(["sleep", sys.argv[2]])
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""


def stopped(folder: Path, how: str, *more: str, interrupt: str, seconds: float = 2.0) -> tuple[End, str]:
    """Stop a program once it is ready."""
    if how != "bookkeeping" and not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    path, ready, cancel, said = folder / "patient", folder / "ready", Cancel(), bytearray()
    path.write_text(f"#!{sys.executable} -S\n{PATIENT}")
    path.chmod(0o755)
    argv = [str(path), str(ready), f"{1000 + os.getpid()}.{time.monotonic_ns() % 10**9}", *more]
    if how == "in a session":
        argv = ["setsid", "-w", *argv]
    held = contained(Containment(find_bubblewrap() if how != "bookkeeping" else ""), argv)
    thread = threading.Thread(target=lambda: (until(ready.exists, "it to start"), cancel.set()))
    thread.start()
    end = stream(
        held, cwd=folder, env=ENV, on_output=said.extend, cancel=cancel, interrupt=interrupt, grace=seconds
    )
    thread.join()
    cancel.close()
    return end, said.decode().replace("x", "")


@pytest.mark.parametrize("how", ["bookkeeping", "bubblewrap", "in a session"])
def test_a_program_is_interrupted_and_heard_out_wherever_it_is(how: str, tmp_path: Path) -> None:
    end, said = stopped(tmp_path, how, interrupt="patient")
    assert said.split() == ["said", "SIGINT"]
    assert end.reason is EndReason.CANCELLED
    assert end.seconds < 20


def test_one_that_does_not_mind_is_told_to_end_and_then_ended(tmp_path: Path) -> None:
    end, said = stopped(tmp_path, "bookkeeping", "stubborn", interrupt="patient", seconds=0.5)
    assert said.split() == ["said", "SIGINT", "said", "SIGTERM"]
    assert (end.reason, end.status) == (EndReason.CANCELLED, 0)


def test_without_a_name_nothing_is_interrupted(tmp_path: Path) -> None:
    assert stopped(tmp_path, "bookkeeping", interrupt="")[1].split() == ["said", "SIGTERM"]


def test_more_time_is_given_for_as_long_as_somebody_says_so() -> None:
    asked: list[float] = []

    def extra() -> float:
        asked.append(time.monotonic())
        return 0.3 * min(len(asked), 3)

    started = time.monotonic()
    end = stream(
        ["sleep", "60"], cwd="/", env=ENV, on_output=lambda data: None, timeout=0.3, extra=extra, grace=0.1
    )
    assert end.reason is EndReason.TIMEOUT
    assert 1.2 <= time.monotonic() - started < 10
    assert len(asked) >= 4


def test_a_file_is_read_where_one_is_given(tmp_path: Path) -> None:
    (tmp_path / "told").write_text("do it")
    said = bytearray()
    assert stream(["cat"], cwd="/", env=ENV, on_output=said.extend, stdin=tmp_path / "told").ok
    assert said == b"do it"


# --- versions


@pytest.mark.parametrize(
    ("says", "mistake"),
    [
        ('print("2.1.329 (Claude Code)")', ""),
        ('print("claude 10.0")', ""),
        (
            'print("2.1.12 (Claude Code)")',
            "claude-code 2.1.12 is too old: 2.1.300 is the oldest that is known to work",
        ),
        ('print("usage: ...")', "does not say its version: usage: ..."),
        ("sys.exit(1)", "does not say its version: it says nothing"),
    ],
)
def test_the_version_is_checked_before_anything_starts(says: str, mistake: str, tmp_path: Path) -> None:
    path = program(tmp_path, says)
    settings = Settings(programs=(Program("claude-code", (path,)),))
    if not mistake:
        check(settings, ["claude-code"], ENV)
        return
    with pytest.raises(UserError) as refused:
        check(settings, ["claude-code"], ENV)
    assert mistake in refused.value.message


def test_a_version_of_somebodys_own_can_be_asked_for(tmp_path: Path) -> None:
    path = program(tmp_path, 'print("2.1.329")')
    settings = Settings(programs=(Program("claude-code", (path,), version="2.2"),))
    with pytest.raises(UserError, match=r"too old: 2\.2 is the oldest"):
        check(settings, ["claude-code"], ENV)


def test_try_that_is_known_to_have_failed_is_not_started(bench: Bench) -> None:
    report = run(bench, 'print("started")', known="no evidence")
    assert (report.ok, report.reason) == (False, "no evidence")
