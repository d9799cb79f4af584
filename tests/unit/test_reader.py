from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.intake.reader import CommandLine, Request, Workflows, read_request
from shared.errors import InvalidInput, UserError
from shared.model import ChangeType, Machine, Need, Settings, TaskId, Workflow
from workflow_manager import workflows

WORKFLOWS = Workflows(workflows.find, workflows.single_command, workflows.with_command)
PRESETS = f"presets: {', '.join(workflows.preset_names())}; or the path of a .yaml file"
Read = Callable[..., Request]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def read(root: Path) -> Read:
    """Write ``files`` and read ``arguments`` among them."""

    def call(files: dict[str, str | bytes], *arguments: str, cwd: str = ".", **named: Any) -> Request:
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        named.setdefault("overrides", {})
        return read_request(arguments, root=root, cwd=root / cwd, workflows=WORKFLOWS, **named)

    return call


@pytest.fixture
def problems(read: Read) -> Callable[..., str]:
    """What a user is told about ``files``, line by line."""

    def call(files: dict[str, str | bytes], *arguments: str, **named: Any) -> str:
        with pytest.raises(InvalidInput) as caught:
            read(files, *arguments, **named)
        return "".join(f"{problem}\n" for problem in caught.value.problems)

    return call


Problems = Callable[..., str]

# --- batches

BATCH = """\
version: 1
base: main
into: main
gate: python -m unittest
pull_requests: stacked
tasks:
  - id: rename-api
    title: Rename the old API
    run: python tools/codemod.py
    touches: ["src/**"]
  - id: docs
    title: Document the new API
    needs: [rename-api]
    workflow: feature
    labels: [docs]
    body: |
      What changed and why.
  - title: Tidy up
    needs: [{task: docs, when: always}]
    run: make tidy
"""


def test_batch_becomes_tasks_in_its_order(read: Read) -> None:
    request = read({"batch.yaml": BATCH}, "batch.yaml")
    rename, docs, tidy = request.tasks
    assert (rename.id, rename.title, rename.touches) == ("rename-api", "Rename the old API", ("src/**",))
    assert (rename.source, request.sources) == ("batch.yaml", ("batch.yaml",))
    assert docs.needs == (Need(TaskId("rename-api")),)
    assert (docs.body, docs.labels) == ("What changed and why.\n", ("docs",))
    assert tidy.needs == (Need(TaskId("docs"), always=True),)
    assert tidy.id.startswith("tidy-up-")
    assert request.settings == Settings(
        base="main", into="main", gate="python -m unittest", pull_requests="stacked"
    )


def test_task_with_a_command_has_one_agent_that_runs_it(read: Read) -> None:
    task = read({"b.yaml": "version: 1\ntasks: [{title: x, run: make x}]\n"}, "b.yaml").tasks[0]
    assert [(agent.name, agent.run, agent.backend) for agent in task.workflow.agents] == [
        ("COMMAND", "make x", "command")
    ]


def test_task_that_is_only_text_is_work_for_the_feature_workflow(read: Read) -> None:
    assert read({"t.md": "# Do it\n"}, "t.md").tasks[0].workflow.name == "feature"


def test_task_without_a_title_takes_its_commands_first_words(read: Read) -> None:
    request = read({"b.yaml": "version: 1\ntasks: [{run: make a}, {run: make b}]\n"}, "b.yaml")
    assert [task.title for task in request.tasks] == ["make a", "make b"]
    assert len({task.id for task in request.tasks}) == 2


def test_title_is_one_line_without_hidden_characters(read: Read) -> None:
    batch = 'version: 1\ntasks: [{id: a, run: x, title: "Fix\\n \\e[31mthe\\u202e login"}]\n'
    assert read({"b.yaml": batch}, "b.yaml").tasks[0].title == "Fix the login"


def test_repeated_need_counts_once(read: Read) -> None:
    batch = "version: 1\ntasks: [{id: a, run: x}, {id: b, run: x, needs: [a, a]}]\n"
    assert read({"b.yaml": batch}, "b.yaml").tasks[1].needs == (Need(TaskId("a")),)


def test_several_sources_make_one_batch(read: Read) -> None:
    files = {"b.yaml": "version: 1\ntasks: [{id: a, run: x, needs: [late]}]\n", "late.md": "Text"}
    request = read(files, "b.yaml", "late.md", commands=[CommandLine("make it")])
    assert [task.id for task in request.tasks] == ["a", "late", "command-1"]


def test_windows_file_with_byte_order_mark_reads_like_any_other(read: Read) -> None:
    windows = b"\xef\xbb\xbf" + BATCH.replace("\n", "\r\n").encode()
    assert read({"b.yaml": windows}, "b.yaml").tasks == read({"b.yaml": BATCH}, "b.yaml").tasks


def test_batch_with_five_mistakes_is_told_all_of_them(problems: Problems) -> None:
    batch = """\
version: 1
gat: make test
tasks:
  - id: Fix Login
    title: Fix the login page
    run: make fix
  - id: docs
    title: Document it
    needs: [fixlogin]
    workflow: featur
  - id: docs
    title: Document it again
    run: make docs
    timeout: never
"""
    assert problems({"batch.yaml": batch}, "batch.yaml") == (
        "batch.yaml:2:1: unknown key 'gat' (did you mean 'gate'?)\n"
        "batch.yaml:4:9: 'Fix Login' cannot name a branch "
        "(lower case, digits, dot, dash and underscore; for example 'fix-login-6bf6e2')\n"
        "batch.yaml:9:13: it needs 'fixlogin', which is not in the batch (did you mean 'fix-login-6bf6e2'?)\n"
        "batch.yaml:10:15: there is no workflow 'featur' "
        "(did you mean 'feature'?)\n"
        "batch.yaml:11:9: the id 'docs' is there twice "
        "(the first is at batch.yaml:7; give each task its own `id`)\n"
        "batch.yaml:14:14: expected a number, found text\n"
    )


def test_mistakes_of_all_files_are_told_together(problems: Problems, read: Read) -> None:
    files = {
        "spinney.yaml": "jobs: many\n",
        "a.yaml": "version: 1\ntasks: [{title: x, run: ''}]\n",
        "b.md": "---\ntitel: x\n---\ntext\n",
        "c.md": b"caf\xe9",
    }
    assert problems(files, "a.yaml", "b.md", "c.md") == (
        "a.yaml:2:25: the command is empty\n"
        "b.md:2:1: unknown key 'titel' (did you mean 'title'?)\n"
        "c.md: not valid UTF-8 on line 1 (save the file as UTF-8)\n"
        "spinney.yaml:1:7: expected a whole number, found text\n"
    )
    with pytest.raises(InvalidInput) as caught:
        read(files, "a.yaml")
    assert caught.value.message == "2 problems in the input; nothing was started"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ("[{id: a, run: x, needs: [a]}]", "2:33: a task cannot need itself"),
        ("[{id: a, run: x, needs: [b]}]", "2:33: it needs 'b', which is not in the batch"),
        ("[{id: abc, run: x}, {id: d, run: x, needs: [abd]}]",
         "2:52: it needs 'abd', which is not in the batch (did you mean 'abc'?)"),
        ("[{id: a}]", "2:9: 'title' is missing (every task needs one)"),
        ('[{title: "\\u200b"}]', "2:9: 'title' is missing (every task needs one)"),
        ("[{title: ''}]", "2:9: 'title' is missing (every task needs one)"),
        ("[{title: x, workflow: command}]", "2:30: the workflow 'command' needs a command (add `run:` to the task)"),
        ("[{title: x, workflow: w.yaml}]", f"2:30: there is no workflow 'w.yaml' ({PRESETS})"),
        ("[{title: x, workflow: ../command}]", "2:30: there is no workflow '../command' (did you mean 'command'?)"),
        ("[{run: []}]", "2:15: at least one entry is needed"),
        ("[{run: [make, ' ']}]", "2:22: the command is empty"),
        ("[{title: x, run: {make: x}}]", "2:25: expected text, found a mapping"),
        ("[{title: x, change: doc}]", "2:28: 'doc' is not one of: 'documentation', 'typo', 'configuration', 'tests', 'full'"),
        ("[{title: x, run: '  '}]", "2:25: the command is empty"),
    ],
)  # fmt: skip
def test_mistake_of_a_task_is_told_with_its_place(problems: Problems, tasks: str, told: str) -> None:
    assert problems({"b.yaml": f"version: 1\ntasks: {tasks}\n"}, "b.yaml") == f"b.yaml:{told}\n"


@pytest.mark.parametrize(
    "name",
    ["Fix", "a b", "a/b", "..", "a..b", "a.lock", "-rf", "batch", "x" * 65, "$(touch${IFS}p)", "é", "a\\n"],
)
def test_ids_that_cannot_name_branches_are_refused_with_one_that_can(problems: Problems, name: str) -> None:
    told = problems({"b.yaml": f'version: 1\ntasks: [{{id: "{name}", run: x}}]\n'}, "b.yaml")
    assert told.startswith("b.yaml:2:14: ")
    assert "cannot name a branch (lower case, digits, dot, dash and underscore; for example '" in told


def test_tasks_with_equal_titles_need_ids(problems: Problems) -> None:
    batch = "version: 1\ntasks:\n  - {title: Same, run: x}\n  - {title: Same, run: y}\n"
    assert problems({"b.yaml": batch}, "b.yaml") == (
        "b.yaml:4:5: the id 'same-2a98b1' is there twice "
        "(the first is at b.yaml:3; give each task its own `id`)\n"
    )


def test_need_of_a_task_that_is_wrong_itself_is_no_second_mistake(problems: Problems) -> None:
    batch = "version: 1\ntasks: [{id: a, run: x, timeout: no}, {id: b, run: x, needs: [a]}]\n"
    assert problems({"b.yaml": batch}, "b.yaml") == "b.yaml:2:34: expected a number, found text\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "b.yaml:1:1: the batch is empty (it needs version: 1 and tasks:)"),
        ("# nothing\n", "b.yaml:1:1: the batch is empty (it needs version: 1 and tasks:)"),
        ("version: 1\n", "b.yaml:1:1: 'tasks' is missing"),
        ("version: 1\ntasks: []\n", "b.yaml:2:8: at least one entry is needed"),
        ("- a\n", "b.yaml:1:1: expected a mapping of keys, found a list"),
        ("version: 1\ntasks: {", "b.yaml:2:9: not valid YAML: expected the node content, but found '<stream end>'"),
        (b"\xff\xfea\x00", "b.yaml: UTF-16 text (save the file as UTF-8)"),
        (b"a" * (1024 * 1024 + 1), "b.yaml: larger than 1024 KiB (split the batch)"),
    ],
)  # fmt: skip
def test_file_that_is_no_batch_is_one_problem(problems: Problems, content: str | bytes, told: str) -> None:
    assert problems({"b.yaml": content}, "b.yaml") == told + "\n"


# --- workflows


def test_workflow_file_is_found_from_the_root(read: Read) -> None:
    files = {
        "ci/flow.yaml": "name: flow\nphases: [{name: p, agents: [{name: A}, {name: B, run: make b}]}]\n",
        "sub/t.md": "---\nworkflow: ci/flow.yaml\nrun: make a\n---\n",
    }
    task = read(files, "t.md", cwd="sub").tasks[0]
    assert [(agent.name, agent.run) for agent in task.workflow.agents] == [("A", "make a"), ("B", "make b")]
    assert task.workflow.source == "ci/flow.yaml"


def test_mistakes_of_a_workflow_file_are_told_once_and_there(problems: Problems) -> None:
    files = {
        "w.yaml": "name: w\nphases:\n- name: p\n  agents: [{name: A, needs: [B]}, {name: A}]\n- name: p\n",
        "b.yaml": "version: 1\nworkflow: w.yaml\ntasks: [{title: x}, {title: y}]\n",
    }
    assert problems(files, "b.yaml") == (
        "w.yaml:4:30: A needs B, which is not an agent (known: A)\n"
        "w.yaml:4:42: the agent A is there twice\n"
        "w.yaml:5:9: the phase 'p' is there twice\n"
    )


def test_workflow_of_the_command_line_wins(read: Read) -> None:
    files = {"t.md": "---\nworkflow: command\n---\ntext", "spinney.yaml": "workflow: command\n"}
    assert read(files, "t.md", workflow="feature").tasks[0].workflow.name == "feature"


def test_workflow_of_the_batch_wins_over_the_configurations(read: Read) -> None:
    files = {
        "spinney.yaml": "workflow: command\n",
        "b.yaml": "version: 1\nworkflow: feature\ntasks: [{title: x}]\n",
    }
    assert read(files, "b.yaml").tasks[0].workflow.name == "feature"


def test_default_workflow_that_is_not_there_is_told_where_it_is_named(problems: Problems) -> None:
    files = {"spinney.yaml": "jobs: 1\nworkflow: nope\n", "a.md": "x", "b.md": "y"}
    assert problems(files, "a.md", "b.md") == (
        f"spinney.yaml:2:11: there is no workflow 'nope' ({PRESETS})\n"
    )


def test_own_workflow_is_found_by_its_name_at_the_root(read: Read) -> None:
    files = {
        "mine.yaml": "name: mine\nextends: feature\nbudget: 500\n",
        "sub/t.md": "---\nworkflow: mine\n---\ntext",
    }
    workflow = read(files, "t.md", cwd="sub").tasks[0].workflow
    assert (workflow.name, workflow.source, workflow.budget) == ("mine", "mine", 500)


def test_several_commands_and_the_kind_of_change_arrive_in_the_task(read: Read) -> None:
    batch = "version: 1\ntasks: [{run: [make a, make b], change: tests}, {title: x, change: typo}]\n"
    first, second = read({"b.yaml": batch}, "b.yaml").tasks
    assert (first.title, first.change, second.change) == ("make a", ChangeType.TESTS, ChangeType.TYPO)
    assert [agent.commands for agent in first.workflow.agents] == [("make a", "make b")]


def test_several_commands_go_to_the_agents_that_have_nothing_to_do(read: Read) -> None:
    files = {
        "w.yaml": "name: w\nphases: [{name: p, agents: [{name: A}]}]\n",
        "t.md": "---\nworkflow: w\nrun: [make a, make b]\nchange: documentation\n---\n",
    }
    task = read(files, "t.md").tasks[0]
    assert task.workflow.agents[0].commands == ("make a", "make b")
    assert task.change is ChangeType.DOCUMENTATION


def test_workflow_is_read_once_for_all_tasks_that_name_it(root: Path) -> None:
    found: list[str] = []

    def find(name: str, folder: Path, machine: Machine | None) -> Workflow:
        found.append(name)
        return workflows.find(name, folder, machine)

    (root / "b.yaml").write_text(
        "version: 1\ntasks: [{title: a}, {title: b}, {title: c, workflow: nope}, {title: d, workflow: nope}]\n"
    )
    counting = Workflows(find, workflows.single_command, workflows.with_command)
    with pytest.raises(InvalidInput) as caught:
        read_request(["b.yaml"], root=root, cwd=root, overrides={}, workflows=counting)
    assert found == ["feature", "nope"]
    assert len(caught.value.problems) == 2


# --- resource profiles

SIZED = """\
name: sized
profile: large
profiles:
  small: {agents: 2, memory: 1GB, memory_per_agent: 512MB, cpu_per_agent: 1}
  large: {agents: 8, memory: 64GB, memory_per_agent: 2GB, cpu_per_agent: 2}
phases: [{name: p, agents: [{name: A, prompt: Do it.}]}]
"""
MACHINE = Machine(processors=4, memory=8 * 1024**3)
LARGE = "the profile 'large' wants 64 GB of memory, and this machine has 8 GB (these fit: small)"


def test_profile_of_any_workflow_of_the_batch_is_taken(read: Read) -> None:
    files = {
        "sized.yaml": SIZED,
        "spinney.yaml": "profile: large\n",
        "b.yaml": "version: 1\nprofile: small\ntasks: [{run: x}, {title: y, workflow: sized}]\n",
    }
    assert read(files, "b.yaml", machine=MACHINE).settings.profile == "small"
    assert read(files, "b.yaml", overrides={"profile": "large"}).settings.profile == "large"


@pytest.mark.parametrize(
    ("settings", "batch", "overrides", "told"),
    [
        ("profile: smal\n", "", {}, "spinney.yaml:1:10: unknown profile 'smal' (did you mean 'small'?)"),
        ("profile: small\n", "profile: tiny\n", {}, "b.yaml:2:10: unknown profile 'tiny' (known: large, small)"),
        ("", "profile: small\n", {"profile": "lage"}, "--profile: unknown profile 'lage' (did you mean 'large'?)"),
        ("profile: large\n", "", {}, f"spinney.yaml:1:10: {LARGE}"),
        ("", "profile: small\n", {"profile": "large"}, f"--profile: {LARGE}"),
        ("", "", {}, f"sized.yaml:2:10: {LARGE}"),
    ],
)  # fmt: skip
def test_profile_that_is_unknown_or_too_large_is_told(
    problems: Problems, settings: str, batch: str, overrides: dict[str, str], told: str
) -> None:
    files = {
        "sized.yaml": SIZED,
        "spinney.yaml": settings,
        "b.yaml": f"version: 1\n{batch}tasks: [{{run: x}}, {{title: y, workflow: sized}}]\n",
    }
    assert problems(files, "b.yaml", overrides=overrides, machine=MACHINE) == f"{told}\n"


def test_profile_without_a_workflow_that_has_any_is_told(problems: Problems) -> None:
    files = {"b.yaml": "version: 1\nprofile: small\ntasks: [{run: x}]\n"}
    assert problems(files, "b.yaml") == (
        "b.yaml:2:10: unknown profile 'small' (the workflows of this batch have no profiles)\n"
    )


def test_profile_is_not_doubted_where_a_workflow_could_not_be_read(problems: Problems) -> None:
    files = {"b.yaml": "version: 1\nprofile: small\ntasks: [{run: x}, {title: y, workflow: nope}]\n"}
    assert problems(files, "b.yaml") == f"b.yaml:3:40: there is no workflow 'nope' ({PRESETS})\n"


# --- settings


def test_command_line_wins_over_batch_over_configuration(read: Read) -> None:
    files = {
        "spinney.yaml": "gate: config\nsetup: config\njobs: 1\ntimeout: 5\n",
        "b.yaml": "version: 1\ngate: batch\njobs: 2\ntasks: [{run: x}]\n",
    }
    settings = read(files, "b.yaml", overrides={"jobs": 3, "gate": None, "keep_worktrees": True}).settings
    assert settings == Settings(gate="batch", setup="config", jobs=3, timeout=5.0, keep_worktrees=True)


def test_empty_configuration_changes_nothing(read: Read) -> None:
    assert read({"spinney.yaml": "# all defaults\n", "t.md": "x"}, "t.md").settings == Settings()


def test_configuration_is_the_roots_wherever_the_user_is(read: Read) -> None:
    files = {"spinney.yaml": "gate: root\n", "sub/spinney.yaml": "gate: sub\n", "sub/t.md": "x"}
    assert read(files, "t.md", cwd="sub").settings.gate == "root"


def test_explicit_false_of_the_batch_wins(read: Read) -> None:
    files = {
        "spinney.yaml": "keep_worktrees: true\n",
        "b.yaml": "version: 1\nkeep_worktrees: false\ntasks: [{run: x}]\n",
    }
    assert read(files, "b.yaml").settings.keep_worktrees is False


# --- task files


def test_task_file_without_front_matter_takes_title_and_id_from_heading_and_name(read: Read) -> None:
    task = read({"fix-login.md": "\nIntro\n\n## Fix the login\n\nIt hangs.\n"}, "fix-login.md").tasks[0]
    assert (task.id, task.title) == ("fix-login", "Fix the login")
    assert task.body == "Intro\n\n## Fix the login\n\nIt hangs."


def test_task_file_without_heading_is_called_like_the_file(read: Read) -> None:
    task = read({"Fix Login.md": "It hangs.\n"}, "Fix Login.md").tasks[0]
    assert (task.id, task.title) == ("fix-login-6bf6e2", "Fix Login")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_front_matter_says_the_rest(read: Read, newline: str) -> None:
    text = """\
---
id: login
title: Fix it
needs: [{task: other, when: always}]
touches: [src/**]
labels: [bug]
run: make fix
evidence: make check
timeout: 60
allow: [workflows]
---
# Heading

Text
"""
    files = {"t.md": text.replace("\n", newline), "other.md": "x"}
    task = read(files, "t.md", "other.md").tasks[0]
    assert (task.id, task.title, task.body) == ("login", "Fix it", "# Heading\n\nText")
    assert task.needs == (Need(TaskId("other"), always=True),)
    assert (task.touches, task.labels) == (("src/**",), ("bug",))
    assert (task.evidence, task.timeout, task.allow) == ("make check", 60.0, ("workflows",))
    assert task.workflow.agents[0].run == "make fix"


@pytest.mark.parametrize("text", ["---\n---\nText\n", "---\n\n---\nText", "---\n# comment\n---\nText"])
def test_empty_front_matter_says_nothing(read: Read, text: str) -> None:
    task = read({"t.md": text}, "t.md").tasks[0]
    assert (task.id, task.title, task.body) == ("t", "t", "Text")


def test_rule_in_the_text_is_no_front_matter(read: Read) -> None:
    text = "---\ntitle: x\n---\nOne\n\n---\n\nTwo\n"
    assert read({"t.md": text}, "t.md").tasks[0].body == "One\n\n---\n\nTwo"


def test_front_matter_may_be_all_there_is(read: Read) -> None:
    assert read({"t.md": "---\nrun: make x\n---"}, "t.md").tasks[0].workflow.agents[0].run == "make x"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "t.md:1:1: the task has no text and no command (say what to do)"),
        ("---\ntitle: x\n---\n \n", "t.md:1:1: the task has no text and no command (say what to do)"),
        ("---\ntitle: x\n", "t.md:1:1: the front matter has no end (close it with a line that is only ---)"),
        ("---\ntitle: [\n---\nx", "t.md:2:9: not valid YAML: expected the node content, but found '<stream end>'"),
        ("---\ntitle: *a\n---\nx", "t.md:2:8: aliases are not allowed (write the value out)"),
        ("---\n- a\n---\nx", "t.md:2:1: expected a mapping of keys, found a list"),
        ("---\ntext\n---\nx", "t.md:2:1: expected a mapping of keys, found text"),
        ("---\nbody: x\n---\nx", "t.md:2:1: unknown key 'body' (known: allow, budget, change, evidence, id, labels, needs, "
         "run, timeout, title, touches, workflow)"),
        ("---\nid: X Y\n---\nx", "t.md:2:5: 'X Y' cannot name a branch (lower case, digits, dot, dash and "
         "underscore; for example 'x-y-40489e')"),
        ("a\0b", "t.md: a NUL character in the text (save the file as UTF-8)"),
    ],
)  # fmt: skip
def test_mistake_of_a_task_file_is_told(problems: Problems, content: str, told: str) -> None:
    assert problems({"t.md": content}, "t.md") == told + "\n"


def test_directory_means_all_its_task_files_by_name(read: Read) -> None:
    files = {"todo/b.md": "B", "todo/a.md": "A", "todo/notes.txt": "x", "todo/deep/c.md": "C"}
    request = read(files, "todo")
    assert [(task.id, task.source) for task in request.tasks] == [("a", "todo/a.md"), ("b", "todo/b.md")]


def test_same_file_name_in_two_folders_is_told_with_both_places(problems: Problems) -> None:
    assert problems({"x/a.md": "A", "y/a.md": "B"}, "x", "y") == (
        "y/a.md:1:1: the id 'a' is there twice (the first is at x/a.md:1; give each task its own `id`)\n"
    )


# --- the command line


def test_commands_become_tasks(read: Read) -> None:
    request = read({}, commands=[CommandLine("make a && make b"), CommandLine("make c", "Build C")])
    assert [(task.id, task.title) for task in request.tasks] == [
        ("command-1", "make a && make b"),
        ("build-c-084746", "Build C"),
    ]
    assert request.tasks[0].workflow.agents[0].run == "make a && make b"


def test_empty_command_is_one_problem(problems: Problems) -> None:
    assert problems({}, commands=[CommandLine(" ")]) == "-c: the command is empty\n"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("nope.md", "there is no file 'nope.md'"),
        ("Makefile", "Makefile is neither a batch file (.yaml) nor a task file (.md)"),
        ("empty", "empty holds no task files"),
    ],
)
def test_what_is_no_source_is_refused_by_name(read: Read, argument: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read({"Makefile": "all:\n", "empty/x.txt": ""}, argument)
    assert caught.value.message == message
    assert caught.value.exit_code == 2


def test_nothing_asked_for_is_refused(read: Read) -> None:
    with pytest.raises(UserError) as caught:
        read({})
    assert caught.value.message == "there are no tasks"
    assert caught.value.hints == (
        "name a batch file, a task file, a directory or an issue, or use -c 'command'",
    )


def test_reading_writes_nothing(read: Read, root: Path) -> None:
    read({"b.yaml": BATCH}, "b.yaml")
    assert [path.name for path in root.rglob("*")] == ["b.yaml"]
