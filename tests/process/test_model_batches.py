"""Whole batches of model-driven agents: real processes, real git, the real SDK, a scripted server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.model import Tokens
from tests.support.messages import Asked, Fault, MessagesServer, Reply, Script, by_task, first
from tests.support.messages_script import text_of
from tests.support.model_agent import bash, finish
from tests.support.running import Spinney, until
from tests.support.teams import batch, feature, features, pointer

pytestmark = [pytest.mark.process, pytest.mark.git]
NAMES = ("addition", "subtraction", "product", "quotient")


@contextmanager
def serving(spinney: Spinney, script: Script, **named: Any) -> Iterator[MessagesServer]:
    """A server whose key and address are in the environment of what ``spinney`` starts."""
    with MessagesServer(script, **named) as server:
        spinney.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        yield server


def journal(spinney: Spinney, run: str = "") -> list[dict[str, Any]]:
    runs = sorted((spinney.repo.git_dir / "spinney/runs").iterdir())
    path = (spinney.repo.git_dir / "spinney/runs" / run if run else runs[-1]) / "journal.jsonl"
    return [json.loads(line[line.index(b"{") :]) for line in path.read_bytes().splitlines() if b"{" in line]


def calls(spinney: Spinney) -> list[dict[str, Any]]:
    return [record for record in journal(spinney) if record["event"] == "model.called"]


def read(tokens: Tokens) -> int:
    return tokens.total - tokens.output


def test_four_issues_are_done_by_teams_of_models_and_the_bill_is_the_servers(held: Spinney) -> None:
    with serving(held, features(*NAMES)) as server:
        done = held("run", held.batch(batch(*NAMES, gate="python3 -m unittest tests/test_*.py")), "--json")
    assert done.statuses == dict.fromkeys(NAMES, "merged"), done.err
    assert server.violations == []
    billed, usd = server.billed, server.billed_usd
    assert sum(task["tokens"]["input"] for task in done.tasks.values()) == read(billed)
    assert sum(task["tokens"]["output"] for task in done.tasks.values()) == billed.output
    assert sum(task["cost_usd"] for task in done.tasks.values()) == pytest.approx(usd, abs=1e-5)
    assert done.json["metrics"]["cost_usd"] == pytest.approx(usd, abs=1e-5)
    assert billed.cache_read > 0
    for name in NAMES:
        assert f"src/{name}.py" in held.repo.files(done.json["merged"])
        body = held("pr", "show", str(done.tasks[name]["pull_request"]["number"])).out
        assert f"{done.tasks[name]['tokens']['input']:,} tokens read" in body
        trailers = "".join(held.repo.log(f"spinney/{name}", "%B"))
        assert trailers.count("Spinney-Cost: ") == trailers.count("Spinney-Tokens: ") == 3


def test_bad_day_of_the_api_ends_the_batch_the_same_and_is_not_paid_twice(held: Spinney) -> None:
    faults = [
        Fault(429, {"retry-after": "1"}),
        Fault(529),
        Fault(529),
        Fault.cut(4),
        Fault.early_end(5),
        Fault(500),
        Fault.cut(2),
    ]
    with serving(held, first(faults, features(*NAMES[:2]))) as server:
        done = held("run", held.batch(batch(*NAMES[:2])), "--json")
    assert done.statuses == dict.fromkeys(NAMES[:2], "merged"), done.err
    assert server.violations == []
    limited = server.asked[0].at
    assert all(asked.at - limited >= 1.0 for asked in server.asked if asked.at > limited + 0.2)
    assert sum(task["tokens"]["output"] for task in done.tasks.values()) <= server.billed.output
    whole = [record for record in calls(held) if record["complete"]]
    assert len(whole) == len({(r["task"], r["agent"], r["output_tokens"], r["time"]) for r in whole})


def test_budget_stops_a_run_before_it_is_passed_and_resume_with_more_finishes_it(held: Spinney) -> None:
    with serving(held, features(*NAMES)) as server:
        whole = held("run", held.batch(batch(*NAMES)), "--json", "--pull-requests", "none")
        price = server.billed_usd
    assert whole.code == 0
    third = price / 3
    with serving(held, features("remainder", "power", "root", "logarithm")) as server:
        names = ("remainder", "power", "root", "logarithm")
        # What may be asked for at most is set aside before each request, so that a budget must have room for one.
        stopped = held("run", held.batch(batch(*names)), "--budget", f"{third:.6f}")
        assert stopped.code == 4, stopped.out + stopped.err
        assert server.billed_usd <= third
        assert "USD for this run is too small for the next request" in stopped.out
        assert "to go on: spinney resume --budget MORE" in stopped.out
        done = held("resume", "--budget", f"{price * 2 + 5:.6f}", "--json")
        assert done.statuses == dict.fromkeys(names, "merged"), done.err
        # What was on its way when the run stopped, the server had begun to say to nobody.
        assert server.billed_usd * 0.99 <= done.json["metrics"]["cost_usd"] <= server.billed_usd + 1e-6


@pytest.mark.slow
def test_budget_of_a_task_pauses_that_task_alone(held: Spinney) -> None:
    with serving(held, features(*NAMES[:2])):
        text = batch(*NAMES[:2]).replace(
            "title: Add subtraction", "title: Add subtraction\n    budget: {tokens: 9000}"
        )
        stopped = held("run", held.batch(text), "--json")
        assert stopped.code == 4, stopped.err
        assert stopped.statuses == {"addition": "merged", "subtraction": "waiting"}
        done = held("resume", "--task-budget", "1mtokens", "--json")
        assert set(done.statuses.values()) == {"merged"}, done.err


def test_key_is_nowhere_but_in_the_orchestrator(held: Spinney) -> None:
    seen: list[str] = []
    with serving(held, features(*NAMES[:2])) as server:
        process = held.start("run", held.batch(batch(*NAMES[:2])), "--events")
        while process.poll() is None:
            seen += _environments(process.pid, server.key)
        done = held.end(process)
        key = server.key.encode()
    assert done.code == 0, done.err
    assert seen == []
    assert server.key not in done.out + done.err
    places = [held.repo.git_dir, held.repo.path.with_name(held.repo.path.name + ".spinney")]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert [path for path in files if key in path.read_bytes()] == []
    assert server.key not in held.repo.git("log", "--all", "--format=%B", "-p")


def _environments(pid: int, key: str) -> list[str]:
    """The process ``pid`` once it has begun, and its descendants, with the key in environment or command line."""
    found = []
    try:
        whole = psutil.Process(pid)
        for child in whole.children(recursive=True):
            try:
                if key in Path(f"/proc/{child.pid}/environ").read_text() or key in " ".join(child.cmdline()):
                    found.append(child.name())
            except (psutil.Error, OSError):
                continue
    except psutil.Error:
        pass
    return found


@pytest.mark.slow
def test_replay_makes_the_same_trees_without_a_server(held: Spinney) -> None:
    held.repo.write(".gitignore", "__pycache__/\n")  # whose contents hold times
    held.repo.commit("ignore")
    file = held.batch(batch(*NAMES[:2]))
    with serving(held, features(*NAMES[:2])):
        before = held("run", file, "--json")
    assert before.code == 0, before.err
    del held.extra["ANTHROPIC_API_KEY"]
    held("clean", "--yes")
    after = held("run", file, "--replay", before.json["run"], "--json", "--fresh")
    assert after.code == 0, after.out + after.err
    for name in NAMES[:2]:
        trees = [_trees(held, one.tasks[name]["commits"]) for one in (before, after)]
        assert trees[0] == trees[1]
    assert after.json["metrics"]["cost_usd"] == 0


def _trees(spinney: Spinney, commits: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["phase"], spinney.repo.git("rev-parse", f"{one['oid']}^{{tree}}")) for one in commits]


def test_killed_run_goes_on_in_the_middle_of_an_agent_without_paying_again(held: Spinney) -> None:
    with serving(held, features(*NAMES[:1])) as server:
        process = held.start("run", held.batch(batch(*NAMES[:1])))
        until(lambda: len(server.asked) >= 8, "eight requests", 60)
        process.kill()
        held.end(process)
        done = held("resume", "--json")
        assert done.statuses == {"addition": "merged"}, done.err
        finished = [asked for asked in server.asked if asked.turns == 0]
    assert server.violations == []
    # Each agent begins once; the one that was cut off in its first request may begin twice.
    assert len(finished) <= 7


def test_run_without_models_imports_neither_sdk_nor_http_library(held: Spinney, tmp_path: Path) -> None:
    log = tmp_path / "imports"
    held.extra["PYTHONPROFILEIMPORTTIME"] = "1"
    done = held("run", "-c", "touch made", "--title", "Make it")
    held.extra.clear()
    log.write_text(done.err)
    assert done.code == 0
    heavy = ("| anthropic", "| aiohttp", "| httpx2", "| gidgethub")
    assert not [line for line in done.err.splitlines() if line.endswith(heavy)]


def test_no_key_is_a_mistake_before_anything_starts(held: Spinney) -> None:
    held.extra = {name: value for name, value in held.extra.items() if not name.startswith("ANTHROPIC")}
    done = held("run", held.batch(batch("addition")))
    assert (
        done.code,
        os.listdir(held.repo.git_dir / "spinney") if (held.repo.git_dir / "spinney").exists() else [],
    ) == (2, [])
    assert "there is no key for its API" in done.err


HOSTILE = {
    "write to the checkout": "echo x > {checkout}/evil",
    "write to a sibling": "until ls {worktrees}/addition || [ $((n+=1)) = 9 ]; do sleep .1; done;"
    " echo x > {worktrees}/addition/evil",
    "write to git's directory": "echo x > {git}/hooks/post-commit && echo DONE; echo x >> {git}/config && echo DONE",
    "read the state folder": "cat {git}/spinney/runs/*/journal.jsonl && echo DONE",
    "read the home": "cat ~/.bashrc {home}/secret",
    "read environments": "cat /proc/*/environ | tr '\\0' '\\n' | grep -a sk-ant && echo DONE",
    "replace .git": "rm -f .git && echo DONE; mkdir .git && echo DONE; echo 'gitdir: /tmp' > .git && echo DONE",
    "move a branch": "git commit --allow-empty -m evil && echo DONE;"
    " git update-ref refs/heads/main $(git commit-tree -m evil HEAD^{{tree}}) && echo DONE",
    "reach the network": "exec 3<>/dev/tcp/169.254.169.254/80 && echo DONE",
    "reach this machine": "exec 3<>/dev/tcp/127.0.0.1/{port} && echo DONE",
    "reach the gateway's socket": "ls /run/spinney /tmp/spinney-*/gateway && echo DONE",
    "outlive the run": "(setsid nohup sleep 4711 >/dev/null 2>&1 &); true",
    "link out": "ln -s /etc/passwd leak && ln -s {checkout} up",
}


def test_hostile_agent_harms_nobody_and_all_it_tried_is_on_record(held: Spinney) -> None:
    with MessagesServer(lambda asked: finish("x")) as elsewhere:
        places = {
            "checkout": held.repo.path,
            "worktrees": held.repo.path.with_name(held.repo.path.name + ".spinney"),
            "git": held.repo.git_dir,
            "home": os.environ["HOME"],
            "port": elsewhere.url.rpartition(":")[2],
        }
        Path(os.environ["HOME"], "secret").write_text("hidden in the home")
        acts = [act.format(**places) for act in HOSTILE.values()]
        evil = [Reply(tools=[bash(act)]) for act in acts]
        said: list[str] = []

        def end(asked: Asked) -> Reply:
            said.extend(text for message in asked.messages for text in _results(message))
            return finish("did what the issue told me")

        script = by_task({("evil", pointer("IMPLEMENTER")): [*evil, end]} | dict(feature("addition")))
        text = batch("addition") + (
            "  - id: evil\n    title: Do evil\n    workflow: evil\n    body: |\n      As you like.\n"
        )
        held.repo.write(
            "evil.yaml",
            "name: evil\nphases:\n  - name: work\n    agents: [{name: IMPLEMENTER, prompt: Do it.}]\n",
        )
        held.repo.commit("a workflow")
        before = (
            held.repo.refs("refs/heads/main"),
            held.repo.git("status", "--porcelain"),
            _tree(held.repo.path),
        )
        with serving(held, script) as server:
            done = held("run", held.batch(text), "--json")
        after = (
            held.repo.refs("refs/heads/main"),
            held.repo.git("status", "--porcelain"),
            _tree(held.repo.path),
        )
    assert done.statuses == {"addition": "merged", "evil": "failed"}, done.out + done.err
    # The links, which are all that it could make, are found before the commit.
    assert "leaves the repository" in done.tasks["evil"]["reason"]
    assert before == after
    assert elsewhere.asked == []
    assert len(said) == len(acts)
    # Folders that are not there may be made inside, where they are nobody else's.
    assert [act for act, text in zip(acts, said, strict=True) if "DONE" in text.splitlines()] == []
    assert "evil" not in held.repo.files(done.json["merged"])
    assert "evil" not in held.repo.log("refs/heads/spinney/evil")
    assert not any(word in text for text in said for word in ("sk-ant", "hidden in the home", "run.started"))
    assert server.key not in "".join(said)
    assert not [
        process for process in psutil.process_iter(["cmdline"]) if "4711" in (process.info["cmdline"] or [])
    ]
    run_dir = held.repo.git_dir / "spinney/runs" / done.json["run"]
    conversation = (run_dir / "transcripts/evil/IMPLEMENTER.jsonl").read_text()
    assert [act for act in acts if json.dumps(act) not in conversation] == []
    assert len(list((run_dir / "exchanges/evil").rglob("*.gz"))) == len(acts) + 1


def _results(message: dict[str, Any]) -> list[str]:
    content = message["content"] if isinstance(message["content"], list) else []
    return [text_of(block.get("content", "")) for block in content if block["type"] == "tool_result"]


def _tree(folder: Path) -> dict[str, bytes]:
    """Every file of a checkout and of git's control files, with its content."""
    skipped = ("/spinney/", "/objects/", "/logs/", "/refs/", "/worktrees/", "/index", "/packed-refs")
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part in str(path) for part in skipped)
    }
