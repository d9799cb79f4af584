"""What is kept of a run's exchanges, and that it alone is enough to have the same run again."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.gateway.gateway import upstream
from orchestrator.gateway.recording.cache import Cached
from orchestrator.gateway.recording.normal import Places
from orchestrator.gateway.recording.record import Record, exchanges_of
from orchestrator.gateway.recording.redaction import Redaction
from orchestrator.gateway.recording.replay import Replay
from orchestrator.gateway.rules.breaker import Breaker
from shared.callers import mint
from shared.clock import SystemClock
from shared.model import ModelSettings, TaskId, Tokens
from tests.support.messages import Asked, Fault, MessagesServer, Reply, ToolUse, by_task, first
from tests.support.messages_gateway import Through, called, through
from tests.support.model_agent import bash, create, edit, finish
from tests.support.programs import bash as bash_tool
from tests.support.programs import bench_in, claude_code
from tests.support.repository import Repo
from tests.support.running import Spinney, running
from workflow_manager.backends.port import AgentReport

pytestmark = pytest.mark.process

WORKFLOW = """
name: two
phases:
  - name: build
    agents: [{name: CODER, prompt: Build it.}]
  - name: check
    agents: [{name: TESTER, prompt: Check it.}]
"""
BATCH = """
version: 1
workflow: ../two.yaml
backend: anthropic
tasks:
  - {id: fix-a, title: Fix the first}
  - {id: fix-b, title: Fix the second}
"""
TEST = (
    "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertTrue(True)\n"
)
SLOW_TEST = (
    "python3 -c 'import time; time.sleep(0.01)'; date; pwd; python3 -B -m unittest test_x 2>&1; echo pid $$"
)
SCRIPT = by_task(
    {
        ("Fix the first", "Build it"): [
            Reply("I build.", [create("a.py", "A = 1\n"), bash("ls")], thinking="Where to begin?"),
            Reply(tools=[bash("pwd")]),
            # As a model does that has seen where it is: with the whole path.
            lambda asked: Reply(tools=[bash(f"echo 'B = 2' > {asked.tool_results[0][1].split()[0]}/b.py")]),
            finish("built a and b"),
        ],
        ("Fix the first", "Check it"): [
            Reply(tools=[create("test_x.py", TEST), bash(SLOW_TEST)]),
            finish("checked"),
        ],
        ("Fix the second", "Build it"): [
            Reply(tools=[edit("str_replace", "src/app.py", old_str="42", new_str="43")]),
            finish("changed the answer"),
        ],
        ("Fix the second", "Check it"): [Reply(tools=[bash("cat src/app.py > seen.txt")]), finish("looked")],
    }
)


@pytest.fixture
def spinney(held: Spinney) -> Spinney:
    """In a repository beside which the batch lies."""
    held.repo.path.with_name("two.yaml").write_text(WORKFLOW)
    held.batch(BATCH)
    return held


@pytest.fixture
def other(spinney: Spinney, tmp_path: Path) -> Iterator[Spinney]:
    """A copy at another path, as it was before the first run."""
    folder = tmp_path / "elsewhere" / "copy"
    shutil.copytree(spinney.repo.path, folder, symlinks=True)
    for name in ("two.yaml", "batch.yaml"):
        shutil.copy(spinney.repo.path.with_name(name), folder.with_name(name))
    with running(Repo(folder)) as it:
        yield it


def run(spinney: Spinney, server: MessagesServer | None, *options: str) -> Any:
    """The batch in ``spinney``'s repository, against ``server`` or none."""
    spinney.extra.clear()
    if server is not None:
        spinney.extra.update(ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY=server.key)
    return spinney("run", str(spinney.repo.path.with_name("batch.yaml")), "--json", *options)


def recorded(spinney: Spinney, script: Any = SCRIPT) -> MessagesServer:
    """A run that ended well; returns the server as it stood at its end."""
    with MessagesServer(script) as server:
        done = run(spinney, server)
    assert done.statuses == {"fix-a": "merged", "fix-b": "merged"}, done.err
    assert server.violations == []
    return server


def carry(spinney: Spinney, other: Spinney) -> str:
    """Take the latest run's folder along; returns the run's id."""
    [latest] = spinney.runs()
    shutil.copytree(latest, other.repo.git_dir / "spinney" / "runs" / latest.name)
    return latest.name


def trees(spinney: Spinney) -> dict[str, str]:
    """The tree of every phase of every task."""
    found = {}
    for task in ("fix-a", "fix-b"):
        for line in spinney.repo.log(f"spinney/{task}", "%s %T"):
            subject, _, tree = line.rpartition(" ")
            found[f"{task}: {subject}"] = tree
    return found


def refusals(spinney: Spinney) -> list[dict[str, Any]]:
    return [event for event in spinney.events() if event["event"] == "model.refused"]


@pytest.mark.slow  # a shorter form is in test_model_batches
def test_replay_in_another_place_makes_the_same_trees_without_a_server(
    spinney: Spinney, other: Spinney
) -> None:
    recorded(spinney)
    done = run(other, None, "--replay", carry(spinney, other))
    assert done.statuses == {"fix-a": "merged", "fix-b": "merged"}, done.err
    assert trees(other) == trees(spinney)
    assert len(trees(other)) == 6  # two phases each, on the first commit
    assert [task["cost_usd"] for task in done.tasks.values()] == [0.0, 0.0]
    assert [task["tokens"] for task in done.tasks.values()] == [{"input": 0, "output": 0}] * 2


def test_replay_ends_at_the_first_difference_and_says_where(spinney: Spinney, other: Spinney) -> None:
    recorded(spinney)
    other.repo.write("src/app.py", "def answer():\n    return 42  # still\n")
    other.repo.commit()
    done = run(other, None, "--replay", carry(spinney, other))
    assert done.code != 0
    [refused] = refusals(other)
    assert "stopped: the replay differs from request 2" in other("status").out
    assert refused["kind"] == "replay"
    assert "the replay differs from request 2 of " in refused["reason"]
    assert "in fix-b, phase" in refused["reason"]
    assert "# still" in refused["reason"]
    assert done.statuses["fix-b"] != "merged"


@pytest.mark.slow
def test_replay_of_a_run_with_a_bad_day_needs_no_bad_day(spinney: Spinney, other: Spinney) -> None:
    faults = [Fault(529), Fault.cut(3), Fault(429, {"retry-after": "1"}), Fault.early_end(4)]
    recorded(spinney, first(faults, SCRIPT))
    done = run(other, None, "--replay", carry(spinney, other))
    assert done.statuses == {"fix-a": "merged", "fix-b": "merged"}, done.err
    assert trees(other) == trees(spinney)


def test_record_is_what_agents_saw_and_holds_no_key(spinney: Spinney) -> None:
    server = recorded(spinney)
    [folder] = spinney.runs()
    kept = [exchange for exchange, _ in exchanges_of(folder)]
    assert len(kept) == len(server.asked)
    assert all(exchange.complete and exchange.status == 200 for exchange in kept)
    assert sorted(json.loads(exchange.asked)["max_tokens"] for exchange in kept) == [8000] * len(kept)
    for exchange in kept:
        assert server.key.encode() not in exchange.asked + exchange.answered
        assert b"spinney-ey" not in exchange.asked + exchange.answered  # no agent's token either
    for path in spinney.repo.git_dir.rglob("*"):
        if path.is_file():
            assert server.key.encode() not in path.read_bytes(), path


def test_run_without_a_record_is_refused_before_anything_starts(spinney: Spinney) -> None:
    done = run(spinney, None, "--replay", "20200101-000000-0000")
    assert done.code == 2
    assert spinney.runs() == []


@pytest.mark.slow
def test_run_that_was_killed_and_resumed_is_replayed_as_one(spinney: Spinney, other: Spinney) -> None:
    reached, killed = threading.Event(), threading.Event()

    def script(asked: Asked) -> Reply | Fault:
        if asked.turns == 1 and not killed.is_set():
            reached.set()
            killed.wait(30)
        return SCRIPT(asked)

    with MessagesServer(script) as server:
        spinney.extra.update(ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY=server.key)
        process = spinney.start("run", str(spinney.repo.path.with_name("batch.yaml")), "--json")
        assert reached.wait(60)
        process.kill()
        process.communicate()
        killed.set()
        spinney.gone()
        done = spinney("resume", "--json")
    assert done.statuses == {"fix-a": "merged", "fix-b": "merged"}, done.err
    sessions = {exchange.session for exchange, _ in exchanges_of(spinney.runs()[0])}
    assert sessions == {1, 2}
    again = run(other, None, "--replay", carry(spinney, other))
    assert again.statuses == {"fix-a": "merged", "fix-b": "merged"}, again.err
    assert trees(other) == trees(spinney)


def test_agent_that_got_no_answer_gets_none_in_a_replay_and_at_once(tmp_path: Path) -> None:
    places = Places("run-1", {})
    record = Record(tmp_path / "run", places, Redaction(), SystemClock())
    turns = [Reply(tools=[bash("true")]), Fault(500, {"x-should-retry": "true"})]
    with MessagesServer(by_task({"t0": turns})) as server:
        patient = Breaker(threshold=100)
        with through(server.url, server.key, recorder=record, breaker=patient) as way:
            then = way.work(tmp_path / "then", "t0")
    record.close()
    assert not then.ok
    with through("", "", answers=Replay.read(tmp_path / "run", places, Redaction())) as way:
        again = way.work(tmp_path / "again", "t0")
    assert again.reason == then.reason
    assert way.events("model.refused") == []
    assert [event["tries"] for event in way.events("model.called")] == [1, 1]


# --- answers that are kept


def test_agent_that_asks_the_same_again_is_answered_without_a_model(tmp_path: Path) -> None:
    turns = [Reply(tools=[create("a.py", "A = 1\n"), bash("cat a.py")]), finish("did it")]
    usages = []
    with MessagesServer(by_task({"t0": turns})) as server:
        for run in ("run-1", "run-2"):
            model = upstream(ModelSettings(base_url=server.url), server.key)
            places = Places(run, {"worktrees": str(tmp_path / run)})
            answers = Cached(model, tmp_path / "kept", places, Redaction([server.key]), SystemClock())
            with through(server.url, server.key, answers=answers) as way:
                assert way.work(tmp_path / run, "t0").ok
                sources = [event.get("source", "model") for event in way.events("model.called")]
                usages.append((sources, way.gateway.usage().tokens))
            assert (tmp_path / run / "worktree" / "a.py").read_text() == "A = 1\n"
    assert usages == [(["model"] * 2, server.billed), (["cached"] * 2, Tokens())]
    assert len(server.asked) == 2


# --- the real Claude Code program, whose requests tell of sessions, dates, processes and its own folders


def claude_works(root: Path, way: Through) -> AgentReport:
    access = way.gateway.access(TaskId("fix"))
    with bench_in(root, program=claude_code()) as bench:
        return bench.carry_out(bench.call(gateway=access, token=mint(access.secret, called("fix"))))


def in_its_folder(asked: Asked) -> Reply:
    """What models do that see where they are: they write to the whole path."""
    told = re.search(r"orking directory: (\S+)", asked.opening)
    assert told is not None
    write = ToolUse("Write", {"file_path": f"{told[1]}/a/b.txt", "content": 'ä "b"\n'})
    return Reply("I write.", [write, bash_tool("pwd; date; env | sort; echo pid $$")], thinking="Where am I?")


def test_replay_of_claude_code_writes_the_same_into_another_place(tmp_path: Path) -> None:
    claude_code()  # before anything is started, should it skip
    there, here = tmp_path / "there", tmp_path / "somewhere" / "else" / "here"
    here.mkdir(parents=True)
    there.mkdir()
    then, now = (Places(f"run-{root.name}", {"worktrees": str(root)}) for root in (there, here))
    turns = [in_its_folder, Reply(tools=[bash_tool("cat a/b.txt > c.txt")]), Reply("Done.")]
    with MessagesServer(by_task({"bug": turns})) as server:
        record = Record(tmp_path / "run", then, Redaction([server.key]), SystemClock())
        with through(server.url, server.key, recorder=record) as way:
            assert claude_works(there, way).ok
        record.close()
    answers = Replay.read(tmp_path / "run", now, Redaction())
    with through("http://127.0.0.1:9", "", answers=answers) as way:
        report = claude_works(here, way)
    assert way.events("model.refused") == []
    assert report.ok, report.reason
    assert (here / "worktree" / "a" / "b.txt").read_text() == 'ä "b"\n'
    assert (here / "worktree" / "c.txt").read_text() == 'ä "b"\n'
    assert way.gateway.usage().tokens == Tokens()
    assert {event["source"] for event in way.events("model.called")} == {"replayed"}
