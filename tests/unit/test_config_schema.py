from __future__ import annotations

import pytest

from shared.config.document import Document
from shared.config.fields import size_in_bytes
from shared.config.schema import (
    BatchModel,
    ConfigurationModel,
    NeedModel,
    TaskFields,
    WorkflowModel,
)
from shared.config.validation import Strict, validate


def check(model: type[Strict], text: str) -> tuple[Strict | None, list[str]]:
    document = Document("f.yaml", text.encode())
    assert document.problems == []
    made = validate(document, model, document.value)
    return made, [str(problem) for problem in sorted(document.problems)]


def problems(model: type[Strict], text: str) -> list[str]:
    made, found = check(model, text)
    assert made is None
    return found


def batch(*lines: str) -> str:
    return "\n".join(["version: 1", "tasks:", "  - title: x", *lines, ""])


def test_whole_batch_is_taken() -> None:
    made, found = check(
        BatchModel,
        """\
version: 1
base: main
into: main
workflow: command
gate: python -m unittest
gate_timeout: 90
pull_requests: stacked
jobs: 3
outside_writes: warn
tasks:
  - id: rename-api
    title: Rename the old API
    run: python tools/codemod.py old_name new_name
    touches: ["src/**"]
  - id: docs
    title: Document the new API
    needs: [rename-api, {task: other, when: always}]
    labels: [docs]
    allow: [workflows]
    timeout: 1.5
    body: |
      Text
""",
    )
    assert found == []
    assert isinstance(made, BatchModel)
    assert made.gate_timeout == 90
    assert made.tasks[1].needs == ["rename-api", NeedModel(task="other", when="always")]
    assert made.tasks[1].body == "Text\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (batch("    tilte: y"), "f.yaml:4:5: unknown key 'tilte' (did you mean 'title'?)"),
        ("version: 1\ntask: []\n", "f.yaml:2:1: unknown key 'task' (did you mean 'tasks'?)"),
        (
            batch("    needs: [{task: a, wen: always}]"),
            "f.yaml:4:23: unknown key 'wen' (did you mean 'when'?)",
        ),
    ],
)
def test_unknown_key_is_told_with_the_nearest_one(text: str, message: str) -> None:
    assert message in problems(BatchModel, text)


def test_unknown_key_without_a_near_one_lists_all() -> None:
    assert problems(TaskFields, "zebra: 1\n") == [
        "f.yaml:1:1: unknown key 'zebra' "
        "(known: allow, budget, change, evidence, id, labels, needs, run, timeout, title, touches, workflow)"
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("title: 12", "1:8: expected text, found a number (put it in quotes)"),
        ("title: true", "1:8: expected text, found true or false (put it in quotes)"),
        ("title: 2024-01-01", "1:8: expected text, found a date (put it in quotes)"),
        ("title: [a]", "1:8: expected text, found a list"),
        ("title: {a: b}", "1:8: expected text, found a mapping"),
        ("needs: a", "1:8: expected a list, found text"),
        ("needs: [a, 1]", "1:12: expected text, found a number (put it in quotes)"),
        ("labels: [a, [b]]", "1:13: expected text, found a list"),
        ("labels:", "1:1: expected a list, found nothing"),
        ("timeout: soon", "1:10: expected a number, found text"),
        ("timeout: 0", "1:10: input should be greater than 0"),
        ("timeout: .inf", "1:10: input should be less than or equal to 604800"),
        ("needs: [{when: always}]", "1:9: 'task' is missing"),
        ("needs: [{task: a, when: never}]", "1:25: 'never' is not one of: 'done', 'always'"),
        ("touches: [/etc/passwd]", "1:11: a path pattern is relative to the repository and stays inside it"),
        ("touches: [src/../../x]", "1:11: a path pattern is relative to the repository and stays inside it"),
        ("touches: ['']", "1:11: a path pattern has 1 to 24 components and at most 512 characters"),
        ("allow: [everything]", "1:9: 'everything' is not one of: 'workflows', 'agent-config', 'spinney', "
         "'git-attributes', 'symlinks', 'large-files', 'secrets'"),
    ],
)  # fmt: skip
def test_wrong_value_is_told_with_its_place(line: str, message: str) -> None:
    assert problems(TaskFields, line + "\n") == [f"f.yaml:{message}"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("jobs: many", "1:7: expected a whole number, found text"),
        ("jobs: true", "1:7: expected a whole number, found true or false"),
        ("jobs: 0", "1:7: input should be greater than or equal to 1"),
        ("keep_worktrees: 'yes'", "1:17: expected true or false, found text"),
        ("pull_requests: all", "1:16: 'all' is not one of: 'per-task', 'stacked', 'batch', 'none'"),
        ("version: 2", "1:10: 2 is not one of: 1"),
        ("tasks: []", "1:1: unknown key 'tasks' (known: agent_command, all_agents, backend, base, budget, "
         "forge, gate, gate_timeout, github, into, jobs, keep_worktrees, max_file_size, models, outside_writes, "
         "pass_environment, ports, profile, programs, pull_requests, sandbox, sandbox_commands, sandbox_read, setup "
         "and 5 more)"),
        ("sandbox: of", "1:10: 'of' is not one of: 'auto', 'on', 'off' (did you mean 'off'?)"),
        ("backend: claud-code", "1:10: 'claud-code' is not one of: 'command', 'scripted', 'anthropic', 'claude-code', "
         "'codex', 'gemini', 'aider', 'opencode' (did you mean 'claude-code'?)"),
        ("budget: 5", "1:9: expected a mapping, found a number"),
        ("budget: {}", "1:9: a budget needs `usd`, `tokens` or both"),
        ("budget: {usd: 0}", "1:15: input should be greater than 0"),
        ("budget: {dollars: 5}", "1:10: unknown key 'dollars' (known: tokens, usd)"),
        ("models: {base_url: 'http://example.com'}", "1:20: an address begins with https://, or with http:// on this "
         "machine: the key is sent there"),
        ("models: {prices: {m: {input: 1}}}", "1:22: 'output' is missing"),
        ("models: {prices: {m: {input: 1, output: 2, over: {many: {input: 1, output: 2}}}}}",
         "1:51: 'many' is not a number of tokens, such as 100000"),
        ("models: {base_url: 'http://127.0.0.1:80@example.com'}", "1:20: an address begins with https://, or with http:// "
         "on this machine: the key is sent there"),
        ("models: {deep: ''}", "1:16: '' is not a model's name, such as claude-sonnet-5-5"),
        ("models: {steps: 0}", "1:17: input should be greater than or equal to 1"),
        ("programs: {aidr: {}}", "1:12: 'aidr' is not one of: 'claude-code', 'codex', 'gemini', 'aider', "
         "'opencode' (did you mean 'aider'?)"),
        ("- x", "1:1: expected a mapping of keys, found a list"),
        ("text", "1:1: expected a mapping of keys, found text"),
    ],
)  # fmt: skip
def test_wrong_setting_is_told_with_its_place(line: str, message: str) -> None:
    assert problems(ConfigurationModel, line + "\n") == [f"f.yaml:{message}"]


def test_whole_numbers_are_numbers_and_anchored_values_are_values() -> None:
    made, found = check(ConfigurationModel, "timeout: 60\nkeep_worktrees: &here true\n")
    assert found == []
    assert isinstance(made, ConfigurationModel)
    assert (made.timeout, made.keep_worktrees) == (60.0, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: [{title: x}]\n", "f.yaml:1:1: 'version' is missing"),
        ("version: 1\n", "f.yaml:1:1: 'tasks' is missing"),
        ("version: 1\ntasks: []\n", "f.yaml:2:8: at least one entry is needed"),
        ("version: 1\ntasks: {a: b}\n", "f.yaml:2:8: expected a list, found a mapping"),
        ("version: 1\ntasks: [text]\n", "f.yaml:2:9: expected a mapping, found text"),
        ("version: 1\ntasks:\n", "f.yaml:2:1: expected a list, found nothing"),
    ],
)
def test_batch_without_the_necessary_says_what_is_missing(text: str, message: str) -> None:
    assert problems(BatchModel, text) == [message]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert problems(
        BatchModel,
        """\
version: 1
gat: make
jobs: x
tasks:
  - id: 1
    title: One
    need: [b]
  - title: Two
    needs: [{task: [x], when: sometimes}]
""",
    ) == [
        "f.yaml:2:1: unknown key 'gat' (did you mean 'gate'?)",
        "f.yaml:3:7: expected a whole number, found text",
        "f.yaml:5:9: expected text, found a number (put it in quotes)",
        "f.yaml:7:5: unknown key 'need' (did you mean 'needs'?)",
        "f.yaml:9:20: expected text, found a list",
        "f.yaml:9:31: 'sometimes' is not one of: 'done', 'always'",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{name: coder}", "'coder' is not an agent's name: capitals, digits and underscores, such as CODER"),
        ("{tier: fast}", "'name' is missing"),
        ("{name: A, tier: huge}", "'huge' is not one of: 'fast', 'balanced', 'deep'"),
        (
            "{name: A, tier: blanced}",
            "'blanced' is not one of: 'fast', 'balanced', 'deep' (did you mean 'balanced'?)",
        ),
        (
            "{name: A, backend: comand}",
            "'comand' is not one of: 'command', 'scripted', 'anthropic', 'claude-code', 'codex', 'gemini', 'aider', 'opencode' (did you mean 'command'?)",
        ),
        ("{name: A, when: {changes: [test]}}", "(did you mean 'tests'?)"),
        ("{name: A, script: [{action: spwan}]}", "(did you mean 'spawn'?)"),
        (
            "{name: A, script: [{action: spawn, agents: [{name: x, rum: y}]}]}",
            "unknown key 'rum' (did you mean 'run'?)",
        ),
        ("{name: A, run: []}", "at least one entry is needed"),
        ("{name: A, run: [make, 1]}", "expected text, found a number (put it in quotes)"),
        ("{name: A, run: {form: B, from: B}}", "unknown key 'form' (did you mean 'from'?)"),
        ("{name: A, run: {}}", "'from' is missing"),
        ("{name: A, run: 1}", "expected text, found a number (put it in quotes)"),
        ("{name: A, reads: [{from: B, form: small}]}", "'small' is not one of: 'full', 'compressed'"),
        ("{name: A, reads: [../x]}", "stays inside it"),
        ("{name: A, reads: [[x]]}", "expected text, found a list"),
        ("{name: A, outputs: {files: [/x]}}", "stays inside it"),
        ("{name: A, evidence: {verdict: aprove}}", "(did you mean 'approve'?)"),
        ("{name: A, evidence: {comand: x}}", "unknown key 'comand' (did you mean 'command'?)"),
        ("{name: A, evidence: [x]}", "expected text, found a list"),
        (
            "{name: A, budget: 99}",
            "a budget of at least 100 tokens is needed: the pointer to the task costs that",
        ),
        ("{name: A, retries: 11}", "input should be less than or equal to 10"),
        ("{name: A, when: {label: [x]}}", "unknown key 'label' (did you mean 'labels'?)"),
        ("{name: A, script: [{action: explode}]}", "'explode' is not one of: 'write'"),
        ("{name: A, script: [{action: write, path: ../x}]}", "stays inside it"),
        ("{name: A, script: [{action: write, path: /etc/x}]}", "stays inside it"),
        ("{name: A, writes: [/etc]}", "stays inside it"),
    ],
)
def test_wrong_agent_is_told(line: str, message: str) -> None:
    found = problems(WorkflowModel, f"name: w\nphases:\n  - name: p\n    agents: [{line}]\n")
    assert len(found) == 1
    assert found[0].startswith("f.yaml:4:")
    assert message in found[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("layers: {web: {wrods: [a], words: [b]}}", "3:16: unknown key 'wrods' (did you mean 'words'?)"),
        ("layers: {web: {words: []}}", "3:23: at least one entry is needed"),
        ("layers: {Web UI: {words: [b]}}", "3:10: 'Web UI' is not a name: lower case, digits and dashes, beginning "
         "with a letter"),
        ("layers: {str: {words: 1}}", "3:23: expected a list, found a number"),
        ("profiles: {s: {agents: 1, memory: 8G, memory_per_agent: 1GB, cpu_per_agent: 1}}",
         "3:35: '8G' is not a size, such as 8GB or 512MB"),
        ("profiles: {s: {agents: 1, memory: 8GB, cpu_per_agent: 1}}", "3:15: 'memory_per_agent' is missing"),
        ("budget: 20", "3:9: a budget of at least 100 tokens is needed: the pointer to the task costs that"),
    ],
)  # fmt: skip
def test_wrong_layer_profile_or_budget_is_told(line: str, message: str) -> None:
    assert problems(WorkflowModel, f"name: w\nphases: [{{name: p}}]\n{line}\n") == [f"f.yaml:{message}"]


@pytest.mark.parametrize(
    ("size", "count"), [("1GB", 1024**3), ("0.5 GB", 512 * 1024**2), ("3MB", 3 * 1024**2)]
)
def test_sizes_are_bytes(size: str, count: int) -> None:
    assert size_in_bytes(size) == count


@pytest.mark.parametrize("size", ["", "8", "8G", "-1GB", "1e3GB", "8GB\n"])
def test_what_is_no_size_has_no_bytes(size: str) -> None:
    assert size_in_bytes(size) is None


def test_names_with_a_newline_at_the_end_are_refused() -> None:
    """``$`` in a pattern would let one through, and agents' names become folders."""
    text = 'name: "w\\n"\nphases: [{name: "p\\n", agents: [{name: "A\\n"}]}]\n'
    assert len(problems(WorkflowModel, text)) == 3
