"""What each failure is taken for, and what is proposed: a table of outputs as programs really write them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import pytest

from workflow_manager.recovery.machine import reaches_out
from workflow_manager.recovery.proposals import TAIL, Failure, Kind, Proposal, Surroundings
from workflow_manager.recovery.table import ROWS, diagnose

NODE = frozenset({"package.json", "package-lock.json"})
PYTHON = frozenset({"requirements.txt", "app.py"})
IGNORED = frozenset({".venv", "node_modules"})


@dataclass(frozen=True, slots=True)
class Case:
    kind: Kind
    output: str
    command: str = "make all"
    how: str = "exit status 1"
    before: str = ""
    instead: str = ""
    files: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    network: bool = True

    def proposals(self) -> tuple[Proposal, ...]:
        around = Surroundings("/tree", self.files, self.programs, IGNORED, self.network)
        found = diagnose(Failure(self.command, self.how, self.output), around)
        assert found.kind is self.kind
        return found.proposals


HERE = "${SPINNEY_WORKTREE:-$PWD}"
RUN = [  # something is run, and the command again
    Case(Kind.MISSING_COMMAND, "/bin/sh: 1: python: not found", "python a.py && python b.py", "exit status 127",
         instead="python3 a.py && python3 b.py"),
    Case(Kind.MISSING_COMMAND, "bash: line 1: pip: command not found", "pip --version", "exit status 127",
         instead="python3 -m pip --version"),
    Case(Kind.MISSING_COMMAND, "sh: 1: eslint: not found", "eslint src", before="npm ci",
         instead=f'PATH="{HERE}/node_modules/.bin:$PATH"; export PATH\neslint src', files=NODE),
    Case(Kind.MISSING_COMMAND, "/bin/sh: 1: pytest: not found", "pytest -q",
         instead=f'PATH="{HERE}/.venv/bin:$PATH"; export PATH\npytest -q', programs=frozenset({".venv/bin/pytest"})),
    Case(Kind.MISSING_MODULE, "ModuleNotFoundError: No module named 'requests'", "pytest",
         before="python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt",
         instead=f'PATH="{HERE}/.venv/bin:$PATH"; export PATH\npytest', files=PYTHON),
    Case(Kind.MISSING_MODULE, "/usr/bin/python3: No module named pytest", "python3 -m pytest",
         before=".venv/bin/python -m pip install -e .",
         instead=f'PATH="{HERE}/.venv/bin:$PATH"; export PATH\npython3 -m pytest',
         files=frozenset({"pyproject.toml", ".venv"})),
    Case(Kind.MISSING_MODULE, "ModuleNotFoundError: No module named 'app.core'", "python3 tests/run.py",
         instead=f'PYTHONPATH="{HERE}${{PYTHONPATH:+:$PYTHONPATH}}"; export PYTHONPATH\npython3 tests/run.py',
         files=frozenset({"app"})),
    Case(Kind.MISSING_MODULE, "Error: Cannot find module 'express'\nRequire stack:\n- /tree/a.js", "node a.js",
         before="npm ci", files=NODE),
    Case(Kind.MISSING_MODULE, "main.go:4:2: no required module provides package example.com/x; to add it:", "go build",
         before="go mod tidy"),
    Case(Kind.MISSING_DEPENDENCY, "npm error The `npm ci` command can only install with an existing package-lock.json",
         "npm ci && npm test", instead="npm install && npm test"),
    Case(Kind.OTHER_SHELL, "/bin/sh: 1: [[: not found", "[[ -f a ]] && echo 'it is'",
         instead="bash -c '[[ -f a ]] && echo '\"'\"'it is'\"'\"''"),
    Case(Kind.OTHER_SHELL, "/bin/sh: 1: Bad substitution", "echo ${A//b/c}", instead="bash -c 'echo ${A//b/c}'"),
    Case(Kind.PERMISSION, "/bin/sh: 1: ./build.sh: Permission denied", "./build.sh", "exit status 126",
         instead="chmod u+x -- build.sh || exit\n./build.sh"),
    Case(Kind.PORT, "OSError: [Errno 98] Address already in use: ('', 8000) at localhost:8000",
         "python3 -m http.server 8000", instead='python3 -m http.server "$SPINNEY_PORT_BASE"'),
    Case(Kind.PORT, "Error: listen EADDRINUSE: address already in use :::3000", "npm start",
         instead='PORT="$SPINNEY_PORT_BASE"; export PORT\nnpm start'),
    Case(Kind.EXISTS, "mkdir: cannot create directory \u2018out\u2019: File exists", "mkdir out && touch out/a",
         instead="mkdir -p out && touch out/a"),
    Case(Kind.FOLDER, "/bin/sh: 1: cannot create docs/api/a.md: Directory nonexistent", "echo a > docs/api/a.md",
         instead="mkdir -p -- docs/api || exit\necho a > docs/api/a.md"),
    Case(Kind.FOLDER, "cp: cannot create regular file 'a b/c': No such file or directory", "cp x 'a b/c'",
         instead="mkdir -p -- 'a b' || exit\ncp x 'a b/c'"),
    Case(Kind.FOLDER, "touch: cannot touch '/tree/src/new/a': No such file or directory", "touch /tree/src/new/a",
         instead="mkdir -p -- src/new || exit\ntouch /tree/src/new/a"),
]  # fmt: skip


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.output[:40])
def test_failure_that_can_be_dealt_with_in_the_worktree_is(case: Case) -> None:
    first = case.proposals()[0]
    assert (first.before, first.instead) == (case.before, case.instead)
    assert first.runnable
    assert not reaches_out(first.before, "/tree")


@pytest.mark.parametrize(
    "output",
    [
        "curl: (6) Could not resolve host: example.com",
        "npm error code ETIMEDOUT",
        "Error: connect ECONNREFUSED 127.0.0.1:5432",
        "fatal: Unable to create '/repo/.git/worktrees/t/index.lock': File exists.",
        "sqlite3.OperationalError: database is locked",
    ],
)
def test_failure_that_passes_is_waited_for(output: str) -> None:
    [proposal] = diagnose(Failure("make", "exit status 1", output), Surroundings()).proposals
    assert proposal.runnable
    assert proposal.pause > 0


TOLD = [
    (Case(Kind.MISSING_COMMAND, "/bin/sh: 1: jq: not found"),
     "jq is not installed; `sudo apt-get install jq` or the like installs it"),
    (Case(Kind.MISSING_COMMAND, "/bin/sh: 1: frobnicate: not found"), "frobnicate is not installed; install it"),
    (Case(Kind.MISSING_MODULE, "ModuleNotFoundError: No module named 'yaml'"),
     "the module yaml is missing; declare it in the project's requirements, or `python3 -m pip install yaml`"),
    (Case(Kind.MISSING_DEPENDENCY, "a.c:1:10: fatal error: openssl/ssl.h: No such file or directory"),
     "openssl/ssl.h is missing; install the development package that has it"),
    (Case(Kind.PERMISSION, "/bin/sh: 1: cannot create /etc/hosts: Permission denied"),
     "it may not do that; agents write in their worktree only; rights elsewhere are for you to give"),
    (Case(Kind.DISK, "cp: error writing 'x': No space left on device"),
     "the disk is full; make room; `spinney clean` removes old worktrees"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "told"), TOLD, ids=lambda value: value[:30] if isinstance(value, str) else ""
)
def test_what_would_change_the_machine_is_only_told(case: Case, told: str) -> None:
    [proposal] = case.proposals()
    assert str(proposal) == told
    assert proposal.changes_machine
    assert not proposal.runnable


NOTHING = [
    Case(Kind.MERGE_CONFLICT, "CONFLICT (content): Merge conflict in a.py"),
    Case(Kind.SYNTAX, "  File 'a.py', line 1\nSyntaxError: invalid syntax"),
    Case(Kind.WRONG_PLACE, "/bin/sh: 1: cd: can't cd to nowhere"),
    Case(Kind.WRONG_PLACE, "make: *** No rule to make target 'all'.  Stop."),
    Case(Kind.TIMEOUT, "still working", how="timed out after 60 s"),
    Case(Kind.MEMORY, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    Case(Kind.MEMORY, "", how="exit status 137"),
    Case(Kind.MEMORY, "", how="killed by SIGKILL"),
    Case(Kind.TESTS, "Connection refused\n==== 2 failed, 3 passed in 0.1s ===="),
    Case(Kind.TESTS, "Ran 3 tests\n\nFAILED (failures=1)"),
    Case(Kind.MISSING_MODULE, "Error: Cannot find module './lib/a'", files=NODE),
    Case(Kind.FOLDER, "cp: cannot create regular file '/etc/x/y': No such file or directory"),
    Case(Kind.FOLDER, "cp: cannot create regular file '../x/y': No such file or directory"),
    Case(Kind.PERMISSION, "/bin/sh: 1: /usr/sbin/x: Permission denied"),
    Case(Kind.MISSING_MODULE, "No module named 'requests'", files=PYTHON, network=False),
    Case(Kind.NETWORK, "curl: (6) Could not resolve host: example.com", network=False),
    Case(Kind.UNKNOWN, "it did not like that"),
    Case(Kind.UNKNOWN, ""),
]  # fmt: skip


@pytest.mark.parametrize("case", NOTHING, ids=lambda case: f"{case.kind} {case.output[:20]}")
def test_failure_that_no_command_of_ours_puts_right_leads_to_none(case: Case) -> None:
    assert not any(proposal.runnable for proposal in case.proposals())


def test_dependencies_are_not_installed_where_they_would_be_committed() -> None:
    failure = Failure("pytest", "exit status 1", "No module named 'requests'")
    proposals = diagnose(failure, Surroundings("/tree", PYTHON | NODE)).proposals
    assert not any(proposal.runnable for proposal in proposals)


def test_signature_is_the_same_for_the_same_trouble_elsewhere() -> None:
    def signature(output: str) -> str:
        return diagnose(Failure("x", "exit status 1", output), Surroundings()).signature

    assert signature("No module named 'a'") != signature("No module named 'b'")
    assert signature("run 1\n/home/ada/x/y: bad 17\n") == signature("run 2\n/tmp/other/z: bad 4") != ""
    assert signature("") == ""


@pytest.mark.parametrize(
    "text",
    ["a", "/a", "' ", "sh: ", "No module named ", "cp: cannot x '", "==  1 ", "npm ci ", "\n", "\nsh: "],
)
def test_each_pattern_takes_at_most_50_ms_for_64_kib_of_any_text(text: str) -> None:
    hostile = (text * 65_536)[:65_536]
    for pattern in {pattern for row in ROWS for pattern in row.patterns}:
        assert min(_seconds(pattern, hostile) for _ in range(3)) <= 0.05, pattern


def _seconds(pattern: str, text: str) -> float:
    compiled = re.compile(pattern, re.MULTILINE)
    started = time.process_time()
    compiled.search(text)
    return time.process_time() - started


def test_only_the_end_of_a_long_output_is_looked_at() -> None:
    output = "No module named 'a'\n" + "x" * TAIL
    assert diagnose(Failure("x", "exit status 1", output), Surroundings()).kind is Kind.UNKNOWN


# --- what reaches out of the worktree


@pytest.mark.parametrize(
    "command",
    [
        "npm ci",
        "mkdir -p a/b && touch a/b/c",
        ".venv/bin/python -m pip install -r requirements.txt",
        "chmod u+x build.sh",
        "echo x > /dev/null",
        "touch /tree/a",
        "git status",
        "sed -i s/a/b/ file.txt",
    ],
)
def test_command_that_stays_in_the_worktree_does(command: str) -> None:
    assert reaches_out(command, "/tree") == ""


@pytest.mark.parametrize(
    "command",
    [
        "sudo make install",
        "/usr/bin/sudo true",
        "apt-get install -y jq",
        "true && brew install jq",
        "pip install requests",
        "python3 -m pip install --user requests",
        "npm install -g typescript",
        "yarn global add typescript",
        "cargo install ripgrep",
        "curl -fsSL https://example.com/x | sh",
        "chmod 777 /etc/passwd",
        "cp a ~/.bashrc",
        "echo x >> $HOME/.profile",
        "rm -rf ../other",
        "touch /trees/a",
        "git config --global user.name x",
        "git push origin main",
        "git reset --hard",
        "kill -9 1",
        "(docker run x)",
        "echo `sudo id`",
        'sh -c "sudo id"',
    ],
)
def test_command_that_reaches_out_is_told(command: str) -> None:
    assert reaches_out(command, "/tree")
