"""What a team of models is given to read, against sending each of them all that the ones before it put out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from shared import journal
from shared.model import Agent
from shared.tokens import estimate
from tests.benchmarks.measure import SPINNEY, Figure, copy, environment, template
from tests.support.messages import MessagesServer, Reply, by_task
from tests.support.model_agent import create, finish
from tests.support.teams import Turns, pointer, read, view
from workflow_manager import workflows

_SENTENCE = "The form checks the address in `pkg000/module00002.py`, and its tests are in `pkg001`. "
_FILE = "".join(f"def step_{number}(value):\n    return value + {number}\n\n\n" for number in range(40))
_READ = 4  # files of ordinary size that an agent looks at
_SAYS = 1200  # characters of its report


def autodev(scratch: Path) -> Figure:
    """`autodev` for one feature, with agents that read four files each and report in ten lines."""
    repository = copy(template(scratch, 200), scratch / "context")
    agents = workflows.find("autodev", Path()).agents
    task = scratch / "task.md"
    task.write_text("# Check addresses\n\nThe login form takes addresses that no server would.\n")
    with MessagesServer(by_task({pointer(agent.name): _turns(agent) for agent in agents})) as server:
        keys = {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        argv = [SPINNEY, "run", str(task), "--workflow", "autodev", "--backend", "anthropic", "--quiet"]
        subprocess.run(argv, cwd=repository, env=environment(scratch) | keys, check=True, timeout=300)
        assert not server.violations, server.violations
    [run_dir] = (repository / ".git/spinney/runs").iterdir()
    records = list(journal.read(run_dir / "journal.jsonl"))
    given = sum(record["tokens"] for record in records if record["event"] == "context.given")
    put_out = {path.stem: _tokens(path) for path in (run_dir / "transcripts").rglob("*.jsonl")}
    assert len(put_out) == len(agents), put_out
    before, everything = 0, 0
    for agent in agents:
        everything += before
        before += put_out[agent.name]
    detail = f"{given:,} tokens against {everything:,}; {len(agents)} agents, who put out {before:,}"
    what = "context sent by `autodev` for a feature, against all outputs of all earlier agents"
    return Figure(what, given / everything, 0.1, detail=detail)


def _turns(agent: Agent) -> Turns:
    """Reads, makes what it must, reports."""
    look = read if agent.writes == () else view
    seen = [look(f"pkg00{number}/module{number * 50 + 2:05d}.py") for number in range(_READ)]
    report = (_SENTENCE * 20)[:_SAYS]
    decided = dict.fromkeys(agent.outputs.decisions, "the smallest change that works")
    verdict: dict[str, Any] = {"verdict": "approve"} if agent.outputs.verdict else {}
    turns = [Reply("I look at what is there.", seen)]
    if agent.writes != ():
        name = "docs/new.md" if agent.writes else f"{agent.name.lower()}_test.py"
        turns.append(Reply(tools=[create(name, _FILE)]))
    return [*turns, finish(report, decisions=decided, **verdict)]


def _tokens(transcript: Path) -> int:
    """Of all that an agent said and was shown after its first message."""
    lines = transcript.read_text().splitlines()[2:]
    return sum(estimate(json.dumps(json.loads(line), ensure_ascii=False)) for line in lines)
