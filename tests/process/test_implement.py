"""Lists of commands and the preset ``implement``: with real shells, worktrees, commits and merges."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.running import Done, Spinney
from workflow_manager.commands.batches import Command, in_batches
from workflow_manager.commands.effects import understand
from workflow_manager.commands.paths import Paths

pytestmark = pytest.mark.process

# --- the same tree in batches as in order

FILES = st.sampled_from(["x", "y", "a/x", "a/y", "b/c/x", "d/x"])
FOLDERS = st.sampled_from(["a", "b", "b/c", "d"])
SHELL = ["cd a", "cd ..", "WHO=me", "export WHO=you && cd b", "WHO=$(cat x)"]  # they hold for all that follow
ACTS = st.one_of(
    st.builds("printf {1} > {0}".format, FILES, st.sampled_from("uv")),
    st.builds("printf q >> {}".format, FILES),
    st.builds("cat {} {} > {}.all 2> {}.err".format, FILES, FILES, FILES, FILES),
    st.builds("mv -f {} {}".format, FILES, FILES),
    st.builds("cp {} {}/".format, FILES, FOLDERS),
    st.builds("rm -f {}".format, FILES),
    st.builds("rm -rf {}".format, FOLDERS),
    st.builds("mkdir -p {}".format, FOLDERS),
    st.builds("mkdir -p {0} && printf m > {0}/x".format, FOLDERS),
    st.builds("sed -i s/u/w/ {}".format, FILES),
    st.builds("cat {}/* > {}.sum".format, FOLDERS, FILES),
    st.builds("ls {} > {}.ls".format, FOLDERS, FILES),
    st.builds("cd {0} && cp x z".format, FOLDERS),
    st.builds("test -f {} && touch {}".format, FILES, FILES),
    st.builds("tee {} {}.tee < {} > /dev/null".format, FILES, FILES, FILES),
    st.builds("find {} -name x -delete".format, FOLDERS),
    st.builds("ln -sfn {} link && printf l > link/l".format, FOLDERS),
    st.builds("echo $(cat {}) > {}".format, FILES, FILES),
    st.just("cat link/l x > both"),
    st.sampled_from(SHELL),
    st.builds("echo $WHO > {}".format, FILES),
)


PIECES = st.one_of(
    ACTS,
    st.builds("echo '{0}' | tee -a {1} >> {2}".format, FILES, FILES, FILES),
    st.builds('cat "{}" 2>&1 > {}'.format, FILES, FILES),
    st.builds("cp -t {} {} {}".format, FOLDERS, FILES, FILES),
    st.builds("mv {}/* {}/".format, FOLDERS, FOLDERS),
    st.builds("rm -f {}/[xy]".format, FOLDERS),
    st.builds("touch {}/{{m,n}}".format, FOLDERS),
    st.builds("cat > {} <<END\nhere $WHO\nEND\n".format, FILES),
    st.builds("sort -o{} {}".format, FILES, FILES),
    st.builds("sed -i -e 's/u/v/g; $d' {} {}".format, FILES, FILES),
    st.builds("install -m 644 {} {}".format, FILES, FILES),
    st.builds("truncate -s 3 {}".format, FILES),
    st.builds("tar cf {} {}".format, FILES, FOLDERS),
    st.builds("mkdir -p e && tar cf e/t.tar {} && tar xf e/t.tar -C e".format, FOLDERS),
    st.builds("if test -f {}; then echo y > {}; else rm -rf {}; fi".format, FILES, FILES, FOLDERS),
    st.builds("for i in 1 2; do echo $i >> {}; done".format, FILES),
    st.builds("sh -c 'cd {} && touch s'".format, FOLDERS),
    st.builds("(cd {} && touch g) > {}".format, FOLDERS, FILES),
    st.builds("find {} -name 'x' -print > {}".format, FOLDERS, FILES),
    st.builds('touch "{} with blank" {}\\ too'.format, FILES, FILES),
    st.builds("ln -f {} {}".format, FILES, FILES),
)
JOINED = st.builds(
    lambda first, rest: first + "".join(join + piece for join, piece in rest),
    PIECES,
    st.lists(st.tuples(st.sampled_from([" && ", " || ", "; ", "\n", " | "]), PIECES), max_size=3),
)


def tree(root: Path) -> dict[str, str]:
    """Every path with its content, or what it is."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            shown = (
                os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "folder"
            )
            found[str(path.relative_to(root))] = shown
    return found


def new_tree(parent: str, name: str) -> Path:
    root = Path(parent, name)
    for folder in ("a", "b/c", "d"):
        (root / folder).mkdir(parents=True)
    for path in ("x", "a/x", "a/y", "b/c/x"):
        (root / path).write_text(f"u{path}\n")
    return root


def shell(root: Path, script: str) -> bool:
    environ = {
        **os.environ,
        "TAR_OPTIONS": "--mtime=@0 --sort=name",
    }  # an archive is of what is there, not of when
    done = subprocess.run(["/bin/sh", "-c", script], cwd=root, env=environ, capture_output=True, timeout=20)
    return done.returncode == 0


def one_after_the_other(commands: Sequence[str]) -> str:
    """A script that does the same in one shell, each command that does not only change it for itself."""
    lines = [f"{{ {command}\n}}" if command in SHELL else f"( {command}\n)" for command in commands]
    return "\n".join(f"{line} || exit" for line in lines)


def carried_out(root: Path, commands: Sequence[str], pool: ThreadPoolExecutor) -> bool:
    def together(batch: Iterable[Command]) -> bool:
        return all(pool.map(lambda command: shell(root, command.script()), batch))

    return all(map(together, in_batches(commands, str(root)).batches))


@settings(max_examples=60)
@given(st.lists(PIECES, min_size=1, max_size=8))
def test_in_batches_a_list_leaves_the_tree_that_it_leaves_in_order(commands: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(8) as pool:
        in_order, at_once = new_tree(folder, "one"), new_tree(folder, "two")
        if shell(in_order, one_after_the_other(commands)):
            assert carried_out(at_once, commands, pool), commands
            assert tree(at_once) == tree(in_order)


@settings(max_examples=150)
@given(JOINED)
def test_a_command_changes_nothing_but_what_was_told(command: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = new_tree(folder, "tree")
        effects = understand(command, str(root), (str(root),)).effects
        if effects.unclear:
            return
        before = tree(root)
        shell(root, command)
        after = tree(root)
        told = Paths(effects.writes | effects.makes)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        linked = {target for pair in effects.links for target in pair}
        for path in changed:
            here = Paths(frozenset({f"{root}/{path}"}))
            assert here.meeting(told) or here.meeting(Paths(frozenset(linked))), (path, command)


# --- a list in a batch file


def run(spinney: Spinney, text: str, *arguments: str) -> Done:
    return spinney("run", spinney.batch(text), "--json", *arguments)


LIST = """\
version: 1
tasks:
  - id: pages
    title: Make the pages
    run:
      - mkdir -p out
      - echo a > out/a
      - echo b > out/b
      - cd out
      - cat a b > all
"""


def test_commands_of_a_list_run_as_agents_of_their_own_in_one_commit(both: Spinney) -> None:
    done = run(both, LIST, "-j4")
    assert done.statuses == {"pages": "merged"}, done
    assert both.repo.log(f"main..{done.tasks['pages']['branch']}") == ["[command] Make the pages"]
    assert both.repo.read(done.json["merged"], "out/all") == "a\nb"
    ended = [event["agent"] for event in both.events() if event["event"] == "agent.ended"]
    assert sorted(ended) == ["COMMAND", "COMMAND/c1", "COMMAND/c2", "COMMAND/c3", "COMMAND/c5"]
    assert ended[0] == "COMMAND/c1"
    assert ended[-2:] == ["COMMAND/c5", "COMMAND"]


def test_a_list_ends_with_a_single_slot_too(spinney: Spinney) -> None:
    assert run(spinney, LIST, "-j1").statuses == {"pages": "merged"}


def test_independent_commands_really_run_at_the_same_time(spinney: Spinney, tmp_path: Path) -> None:
    """Each waits for the other at a pipe; under its two names nothing can tell that it is one."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "same").symlink_to("pipe")
    done = run(
        spinney,
        "version: 1\ntasks:\n  - id: two\n    title: Two\n    run:\n"
        f"      - timeout 20 cat {tmp_path}/pipe > a\n      - echo met > {tmp_path}/same\n",
        "-j4",
    )
    assert done.statuses == {"two": "merged"}, done
    assert spinney.repo.read(done.json["merged"], "a") == "met"


def test_a_command_that_fails_is_named_in_the_task_s_reason(spinney: Spinney) -> None:
    done = run(
        spinney,
        "version: 1\ntasks:\n  - {id: t, title: T, run: [touch a, 'echo broken >&2; exit 3', 'cat a > b']}\n",
    )
    assert done.code == 1
    assert done.tasks["t"]["reason"] == (
        "COMMAND: command 2 (`echo broken >&2; exit 3`) failed: exit status 3: broken"
    )


# --- the preset

IMPLEMENT = """\
version: 1
backend: scripted
workflow: implement
tasks:
  - id: list
    title: Two things
    body: |
      - [ ] 1. Make the first
      - [x] 2. Make the second
        - with care
"""


def test_a_task_list_is_planned_carried_out_checked_and_merged(spinney: Spinney) -> None:
    done = run(spinney, IMPLEMENT, "-j8", "--keep-worktrees")
    assert done.statuses == {"list": "merged"}, done
    branch = done.tasks["list"]["branch"]
    assert spinney.repo.log(f"main..{branch}") == ["[execute] Two things"], (
        "planning and checking change nothing"
    )
    changed = sorted(set(spinney.repo.files(branch)) - set(spinney.repo.files("main")))
    assert changed == [f"implemented/list/{name}.txt" for name in ("all", "item-1", "item-2", "title")]
    assert spinney.repo.read(done.json["merged"], "implemented/list/all.txt") == "first\nsecond"
    assert spinney.repo.read(branch, "implemented/list/title.txt") == "Two things"


def test_what_the_agents_tell_each_other_is_in_the_task_s_folder(spinney: Spinney) -> None:
    run(spinney, IMPLEMENT, "--keep-worktrees")
    folder = spinney.worktree_folder() / "list" / ".tasks"
    items = json.loads((folder / "items.json").read_text())
    assert [(item["number"], item["done"], item["details"]) for item in items] == [
        ("1", False, ""),
        ("2", True, "- with care"),
    ]
    assert len(json.loads((folder / "ANALYST" / "output.json").read_text())["commands"]) == 5
    assert list(json.loads((folder / "ANALYST" / "decisions.json").read_text())) == ["approach"]
    criteria = json.loads((folder / "CRITERIA" / "output.json").read_text())
    assert len(criteria["checks"]) == 4
    assert list(criteria["fallbacks"]) == ["mkdir -p implemented/list"]
    assert (
        json.loads((folder / "EXECUTOR" / "output.json").read_text())["summary"] == "5 commands in 3 batches"
    )
    assert json.loads((folder / "CHECKER" / "output.json").read_text())["summary"] == "4 commands in 1 batch"


def test_planning_takes_two_calls_at_most_side_by_side(spinney: Spinney) -> None:
    run(spinney, IMPLEMENT)
    started = [event for event in spinney.events() if event["event"] == "agent.started"]
    assert sorted(event["agent"] for event in started if event["kind"] == "model") == ["ANALYST", "CRITERIA"]
    assert {event["kind"] for event in started if event["agent"].startswith(("EXECUTOR", "CHECKER"))} == {
        "cpu"
    }


def test_a_check_that_fails_fails_the_task_and_keeps_its_commit(spinney: Spinney) -> None:
    spinney.repo.write(
        "strict.yaml",
        "version: 1\nname: strict\nextends: implement\nphases:\n  - name: plan\n    agents:\n"
        "      - name: CRITERIA\n        script:\n"
        '          - {action: plan, path: checks, text: "test -s implemented/list/all.txt\\ngrep -q third implemented/list/all.txt"}\n',
    )
    spinney.repo.commit("a workflow")
    done = run(spinney, IMPLEMENT.replace("workflow: implement", "workflow: strict.yaml"))
    assert done.statuses == {"list": "failed"}, done
    assert done.tasks["list"]["reason"] == (
        "CHECKER: command 2 (`grep -q third implemented/list/all.txt`) failed: exit status 1"
    )
    assert [commit["phase"] for commit in done.tasks["list"]["commits"]] == ["execute"]


def test_slips_of_a_plan_that_the_table_knows_are_put_right_on_the_way(spinney: Spinney) -> None:
    spinney.repo.write(
        "hasty.yaml",
        "version: 1\nname: hasty\nextends: implement\nphases:\n  - name: plan\n    agents:\n"
        "      - name: ANALYST\n        script:\n"
        "          - {action: decide, path: approach, text: in haste}\n"
        '          - {action: plan, path: commands, text: "echo first > docs/api/a.md\\n[[ -s docs/api/a.md ]] && touch b"}\n'
        "      - name: CRITERIA\n        script:\n"
        "          - {action: plan, path: checks, text: test -e b}\n",
    )
    spinney.repo.commit("a workflow")
    done = run(spinney, IMPLEMENT.replace("workflow: implement", "workflow: hasty.yaml"), "--keep-worktrees")
    assert done.statuses == {"list": "merged"}, done
    assert spinney.repo.read(done.json["merged"], "docs/api/a.md") == "first"
    output = json.loads((spinney.worktree_folder() / "list/.tasks/EXECUTOR/output.json").read_text())
    assert len(output["warnings"]) == 2
    assert "there is no folder docs/api; it ran well after" in output["warnings"][0]


def test_secret_that_a_command_leaves_is_not_committed(spinney: Spinney) -> None:
    token = "ghp_" + "Zq8vT1xR5kW2mN9pLs4dYb6Jc0uFgEaQoXiT"
    batch = f"version: 1\ntasks:\n  - {{id: t, title: T, run: 'echo token={token} > conf.ini'}}\n"
    done = run(spinney, batch)
    assert done.statuses == {"t": "failed"}
    assert done.tasks["t"]["reason"] == (
        "phase command: conf.ini:1: it looks like a GitHub token; `allow: [secrets]` permits it"
    )
    assert token not in done.out
    assert run(spinney, batch.replace("run:", "allow: [secrets], run:"), "--fresh").statuses == {
        "t": "merged"
    }


def test_secret_of_the_environment_is_in_no_commit_message_and_no_journal(spinney: Spinney) -> None:
    secret = "Zq8vT1xR5kW2mN9pLs4d"
    spinney.extra["DEPLOY_TOKEN"] = secret
    batch = (
        "version: 1\ntasks:\n  - {id: said, title: T, run: 'touch a; echo $DEPLOY_TOKEN'}\n"
        "  - {id: written, title: T, run: 'echo $DEPLOY_TOKEN | base64 > b'}\n"
        "  - {id: failed, title: T, run: 'echo $DEPLOY_TOKEN | rev; exit 3'}\n"
    )
    done = run(spinney, batch)
    assert done.statuses == {"said": "merged", "written": "failed", "failed": "failed"}
    assert done.tasks["written"]["reason"] == "phase command: b:1: it holds a secret of this run"
    assert done.tasks["failed"]["reason"] == "COMMAND: [not shown: it held a secret of this run]"
    assert secret not in done.out
    journal = json.dumps(list(spinney.events()))
    assert secret not in journal
    assert secret[::-1] not in journal
    assert secret not in "".join(spinney.repo.log("spinney/said", "%B"))
