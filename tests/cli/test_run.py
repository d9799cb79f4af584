"""``spinney run``: what it prints, for people and for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.repository import Repo
from tests.support.running import Spinney, running

pytestmark = pytest.mark.process

BATCH = """\
version: 1
gate: test -f README.md
tasks:
  - {id: docs, title: Document the API, run: "echo docs > docs.txt; echo wrote docs"}
  - {id: tabs, title: Replace tabs, run: "echo no tabs anywhere"}
"""


@pytest.fixture
def cli(repo: Repo) -> Iterator[Spinney]:
    with running(repo) as spinney:
        yield spinney


def plain(text: str) -> str:
    """With everything that differs from run to run replaced."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\b[0-9a-f]{10}\b", "OID", text)
    return re.sub(r" *\b\d+\.\d( ?)s\b", r" T\1s", text)


def test_a_run_tells_what_happened_and_what_to_do_next(cli: Spinney) -> None:
    done = cli("run", cli.batch(BATCH), "-j1")
    assert done.code == 0
    assert done.err == ""
    lines = plain(done.out).splitlines()
    assert lines[0] == " Ts  run RUN: 2 tasks, 1 at once"
    for line in (
        " Ts  docs: started",
        " Ts  docs: command / COMMAND done in Ts: wrote docs",
        " Ts  docs: [command] committed as OID",
        " Ts  docs: gate passed in Ts",
        " Ts  docs: merged",
        " Ts  tabs: no-change, nothing was changed",
    ):
        assert line in lines
    assert lines[-6:] == [
        "  docs  merged     1 commit T s  pull request #1",
        "  tabs  no-change  0 commits T s  nothing was changed",
        "",
        "1 merged, 1 no-change in Ts · run RUN: succeeded",
        "merged result: spinney/batch/RUN (OID)",
        "to land it:    git merge --ff-only spinney/batch/RUN",
    ]


def test_the_command_that_lands_it_lands_it(cli: Spinney) -> None:
    out = cli("run", cli.batch(BATCH)).out
    [command] = [
        line.partition(":")[2].split() for line in out.splitlines() if line.startswith("to land it:")
    ]
    cli.repo.git(*command[1:])
    assert cli.repo.files("main") == ["README.md", "docs.txt", "src/app.py"]


def test_json_is_one_object_of_the_documented_shape(cli: Spinney) -> None:
    done = cli("run", cli.batch(BATCH), "--json")
    result = done.json
    oid = re.compile(r"[0-9a-f]{40}\Z")
    assert list(result) == [
        "run", "status", "base", "merged", "merged_ref", "tasks", "left_out", "notes", "metrics",
    ]  # fmt: skip
    assert result["status"] == "succeeded"
    assert result["base"] == cli.repo.head
    assert oid.match(result["merged"])
    assert result["merged_ref"] == f"refs/heads/spinney/batch/{result['run']}"
    docs, tabs = result["tasks"]
    assert list(docs) == ["id", "title", "status", "branch", "commits", "pull_request", "seconds", "attempts", "tokens",
                          "cost_usd", "reason"]  # fmt: skip
    assert docs["seconds"] > 0
    assert oid.match(docs["commits"][0]["oid"])
    assert docs == {
        "id": "docs",
        "title": "Document the API",
        "status": "merged",
        "branch": "spinney/docs",
        "commits": [{"phase": "command", "oid": docs["commits"][0]["oid"]}],
        "pull_request": {"number": 1, "url": "refs/spinney/pulls/1/head"},
        "seconds": docs["seconds"],
        "attempts": 1,
        "tokens": {"input": 0, "output": 0},
        "cost_usd": 0.0,
        "reason": "",
    }
    assert (tabs["status"], tabs["commits"], tabs["pull_request"]) == ("no-change", [], None)
    assert list(result["metrics"])[:8] == [
        "total_time_seconds", "sequential_time_seconds", "speedup", "parallel_efficiency", "overhead_seconds",
        "agent_times", "token_usage", "cache_hit_rate",
    ]  # fmt: skip


def test_the_figures_are_measured_and_agree_with_each_other(cli: Spinney) -> None:
    text = "version: 1\njobs: 2\ntasks:\n" + "".join(
        f"  - {{id: t{n}, title: T, run: 'sleep 0.3; echo {n} > {n}.txt'}}\n" for n in range(2)
    )
    result = cli("run", cli.batch(text), "--json").json
    metrics = result["metrics"]
    assert metrics["sequential_time_seconds"] >= 0.6
    assert metrics["sequential_time_seconds"] == pytest.approx(
        sum(t["seconds"] for t in result["tasks"]), abs=0.01
    )
    assert metrics["speedup"] == pytest.approx(
        metrics["sequential_time_seconds"] / metrics["total_time_seconds"], rel=0.05
    )
    assert metrics["parallel_efficiency"] == pytest.approx(metrics["speedup"] / 2, rel=0.05)
    assert 0 <= metrics["overhead_seconds"] <= metrics["total_time_seconds"] - 0.29


def test_events_are_one_json_object_a_line(cli: Spinney) -> None:
    done = cli("run", cli.batch(BATCH), "--events")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    names = [event["event"] for event in events]
    assert names[0] == "run.started"
    assert names[-1] == "run.ended"
    assert names.count("task.settled") == 2
    assert events == cli.events(), "the journal's own"


def test_quiet_prints_nothing_when_all_is_well(cli: Spinney) -> None:
    done = cli("run", cli.batch(BATCH), "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_one_command_is_a_task(cli: Spinney) -> None:
    done = cli("run", "-c", "echo x > x.txt", "--title", "Make an x", "--json")
    [task] = done.json["tasks"]
    assert task["title"] == "Make an x"
    assert re.match(r"make-an-x-[0-9a-f]{6}\Z", task["id"])
    assert cli.repo.read(done.json["merged"], "x.txt") == "x"


def test_several_commands_are_several_tasks(cli: Spinney) -> None:
    done = cli(
        "run", "-c", "echo x > x.txt", "-c", "echo y > y.txt", "--title", "x", "--title", "y", "--json"
    )
    assert done.statuses == {"x": "merged", "y": "merged"}


def test_a_task_file_is_a_task(cli: Spinney) -> None:
    cli.repo.write(
        "fix-login.md", "---\nrun: echo fixed > login.txt\n---\n# Fix the login\n\nIt is *broken*.\n"
    )
    done = cli("run", "fix-login.md", "--json")
    assert {task["id"]: task["title"] for task in done.json["tasks"]} == {"fix-login": "Fix the login"}
    assert done.statuses == {"fix-login": "merged"}


def test_a_folder_is_all_its_task_files(cli: Spinney) -> None:
    for name in ("b", "a"):
        cli.repo.write(f"tasks/{name}.md", f"---\nrun: echo {name} > {name}.txt\n---\n# Task {name}\n")
    cli.repo.write("tasks/notes.txt", "not a task")
    assert list(cli("run", "tasks", "--json").statuses) == ["a", "b"]


def test_paths_are_relative_to_where_one_is(cli: Spinney) -> None:
    cli.repo.write("tasks/one.md", "---\nrun: echo 1 > one.txt\n---\n# One\n")
    assert cli("run", "one.md", "--json", cwd=cli.repo.path / "tasks").statuses == {"one": "merged"}


def test_a_failure_says_why_and_ends_with_1(cli: Spinney) -> None:
    done = cli("run", "-c", "echo no such thing; exit 4", "--title", "broken")
    assert done.code == 1
    assert "why broken did not make it: spinney explain broken" in done.out
    assert re.search(
        r"^  broken  failed +0 commits +\d+\.\d s  COMMAND: exit status 4: no such thing$", done.out, re.M
    )


def test_output_of_agents_cannot_reach_the_terminal(cli: Spinney) -> None:
    evil = r"printf '\033]0;title\007\033[31mred\033[0m \342\200\256evil\n::set-env name=X::y\n' >&2; false"
    done = cli("run", "-c", evil, "--title", "evil")
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert not any(line.startswith("::") for line in done.out.splitlines())


def test_in_process_gives_the_same(cli: Spinney) -> None:
    done = cli("run", cli.batch(BATCH), "--json", "--in-process")
    assert done.statuses == {"docs": "merged", "tabs": "no-change"}


def test_scripted_agents_need_no_program_at_all(cli: Spinney) -> None:
    cli.repo.write("spinney.yaml", "version: 1\nbackend: scripted\nworkflow: feature\n")
    cli.repo.commit()
    cli.repo.write("fix.md", "# Fix it\n\nPlease.\n")
    done = cli("run", "fix.md", "--json")
    assert done.code == 0, done
    assert done.statuses == {"fix": "merged"}


@pytest.mark.parametrize("option", ["--jobs=0", "--no-such", "--pull-requests=some"])
def test_wrong_options_end_with_2_and_say_what_is_right(cli: Spinney, option: str) -> None:
    done = cli("run", "-c", "true", option)
    assert done.code == 2
    assert "Error: " in done.err
    assert not (cli.repo.git_dir / "spinney").exists()
