"""Which commands of a list may run at the same time, and why the others may not."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from shlex import quote
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UserError
from workflow_manager.commands import effects, options, programs, scripts, variables, words
from workflow_manager.commands.batches import MOST_COMMANDS, Batches, in_batches
from workflow_manager.commands.effects import understand
from workflow_manager.commands.paths import Paths, resolve
from workflow_manager.commands.scripts import awk_is_harmless, sed_is_harmless
from workflow_manager.commands.syntax import Unclear
from workflow_manager.commands.words import parse

ROOT = "/work/tree"


def batched(*commands: str) -> list[list[int]]:
    return numbers(in_batches(commands, ROOT))


def numbers(batches: Batches) -> list[list[int]]:
    return [[command.number for command in batch] for batch in batches.batches]


def reasons(*commands: str) -> list[str]:
    """Why the last command waits."""
    return [f"{need.command}: {need.reason}" for need in in_batches(commands, ROOT).commands[-1].needs]


def alone(command: str) -> str:
    """Why ``command`` runs alone; empty where it need not."""
    return understand(command, ROOT, (ROOT,)).effects.unclear


def shown(paths: frozenset[str]) -> set[str]:
    return {path.removeprefix(ROOT + "/") for path in paths}


# --- what runs at the same time


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (["touch a", "touch b", "cat a b"], [[1, 2], [3]]),
        (["echo x > a", "echo y >> a"], [[1], [2]]),
        (["cat a", "cat a", "grep x a", "wc -l < a"], [[1, 2, 3, 4]]),
        (["cat < a", "echo x > a"], [[1], [2]]),
        (["sort a -o b", "cat b"], [[1], [2]]),
        (["sort -ob a", "cat b"], [[1], [2]]),
        (["sort --output=b a", "cat b"], [[1], [2]]),
        (["sort --outp b a", "cat b"], [[1], [2]]),
        (["echo x | tee a b > c", "cat b", "cat c"], [[1], [2, 3]]),
        (["make 2> log", "cat log"], [[1], [2]]),
        (["cat a 2> log", "cat log"], [[1], [2]]),
        (["cat a > out 2>&1", "cat 1"], [[1, 2]]),
        (["cat a > /dev/null", "cat b > /dev/null"], [[1, 2]]),
        (["cp a b", "cp a c"], [[1, 2]]),
        (["cp a b c/", "cp d c/"], [[1, 2]]),
        (["cp a c", "cp d c"], [[1], [2]]),
        (["cp -t c a b", "cat c/a"], [[1], [2]]),
        (["cp a d/b", "touch d/c"], [[1, 2]]),
        (["mv a b", "cat a"], [[1], [2]]),
        (["mv a b", "cat b/x"], [[1], [2]]),
        (["rm -rf build", "touch build/x"], [[1], [2]]),
        (["echo x > build", "cat build/x"], [[1], [2]]),
        (["ls", "touch x"], [[1], [2]]),
        (["ls src", "touch x"], [[1, 2]]),
        (["ls src", "touch src/x"], [[1], [2]]),
        (["cat src/*.py", "touch src/b.py"], [[1], [2]]),
        (["cat src/*.py", "touch src/b.txt"], [[1, 2]]),
        (["cat src/[ab].py", "touch src/b.py"], [[1], [2]]),
        (["cat {a,b}.py", "touch b.py"], [[1], [2]]),
        (["echo *", "touch b.py"], [[1], [2]]),
        (["touch Readme", "cat README"], [[1], [2]]),  # the same on some file systems
        (["touch 'a b'", "cat a\\ b", 'cat "a b"'], [[1], [2, 3]]),
        (["touch ./a", "cat b/../a"], [[1], [2]]),
        (["touch /work/tree/a", "cat a"], [[1], [2]]),
        (["touch /tmp/a", "cat a"], [[1, 2]]),
        (["touch ../other/a", "cat a"], [[1, 2]]),
        (["sed -i 's/a/b/' x", "sed -i 's/a/b/' y", "cat x"], [[1, 2], [3]]),
        (["sed -n '1,3p' x", "cat x"], [[1, 2]]),
        (["tar xzf a.tgz -C out", "cat out/x", "cat y"], [[1, 3], [2]]),
        (["tar czf a.tgz src", "cat a.tgz"], [[1], [2]]),
        (["unzip -q a.zip -d out", "cat out/x"], [[1], [2]]),
        (["curl -so a.zip https://example.com/a.zip", "unzip -q a -d b"], [[1], [2]]),
        (["curl -s file:///work/tree/a", "touch a"], [[1], [2]]),
        (["date -r a", "touch a"], [[1], [2]]),
        (["curl -fsSLo a https://example.com/x", "cat a", "cat x"], [[1, 3], [2]]),
        (["find . -name x", "touch y"], [[1], [2]]),
        (["find src -delete", "cat src/x", "cat y"], [[1, 3], [2]]),
        (["ln -s v2 latest", "echo x > latest/a", "cat v2/a"], [[1], [2], [3]]),
        (["ln a b", "echo x > a", "cat b"], [[1], [2], [3]]),
        (["pytest -q tests/a", "pytest tests/b", "ruff check src", "mypy --strict"], [[1, 2, 3, 4]]),
        (["touch src/a.py", "pytest -q"], [[1], [2]]),
        (["ruff check src", "ruff check --fix src"], [[1], [2]]),
        (["black --check src", "black src", "black --check src"], [[1], [2], [3]]),
        (["python3 -m pytest -q", "python -m unittest -q", "go test ./x"], [[1, 2, 3]]),
        (["git status", "git diff", "git log -3"], [[1, 2, 3]]),
        (["git diff --output=a", "cat a"], [[1], [2]]),
        (["timeout -k 5 10 cat a", "env X=y cat a", "command -v cat"], [[1, 2, 3]]),
        (["sh -c 'touch a'", "cat a", "cat b"], [[1, 3], [2]]),
        (["test -f a && echo yes", "touch a", "[ x = a ]"], [[1, 3], [2]]),
        (['test "$(cat a)" = x', "echo y > b", "echo x > a"], [[1, 2], [3]]),
        (["if test -f a; then rm a; fi", "cat a", "cat b"], [[1, 3], [2]]),
        (["for i in 1 2; do echo $i; done > a", "cat a"], [[1], [2]]),
        (["cat > a <<'END'\n$(rm b) > c\nEND", "cat a", "cat b"], [[1, 3], [2]]),
        (["grep -q 'x' a", "touch x"], [[1, 2]]),  # the pattern is no file
        (["grep -q -e x a", "touch a"], [[1], [2]]),
        (["grep -rq x", "touch a"], [[1], [2]]),
        (["echo a # > b", "cat b"], [[1, 2]]),
        (["touch a\ntouch b", "cat b"], [[1], [2]]),
        (["python3 -m venv .venv", ".venv/bin/pytest -q", "touch a"], [[1], [2], [3]]),
    ],
)
def test_commands_wait_only_for_those_whose_files_they_touch(
    commands: list[str], expected: list[list[int]]
) -> None:
    assert batched(*commands) == expected


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        # Folders that several make are nobody's, unless somebody relies on another one to make them.
        (["mkdir -p a/b", "mkdir -p a/c"], [[1, 2]]),
        (["mkdir -p a/b", "touch a/x"], [[1], [2]]),
        (["mkdir -p a && touch a/x", "mkdir -p a && touch a/y"], [[1, 2]]),
        (["mkdir -p a && touch a/x", "touch a/y"], [[1], [2]]),
        (["mkdir -p a && touch a/x", "mkdir -p a && touch a/x"], [[1], [2]]),
        (["mkdir -p a && cp *.txt a/", "mkdir -p a && touch a/y.txt"], [[1], [2]]),
        (["mkdir -p a && rm -f a/*.o", "mkdir -p a && touch a/y.c"], [[1, 2]]),
        (["mkdir -p a", "touch a/x; mkdir -p a"], [[1], [2]]),
        (["mkdir -p a", "test -f q && mkdir -p a; touch a/x"], [[1], [2]]),
        (["mkdir -p a", "test -f q || mkdir -p a; touch a/x"], [[1], [2]]),
        (["mkdir -p a", "X=y sh -c 'false && mkdir -p a'; touch a/x"], [[1], [2]]),
        (["mkdir -p a", "echo $(false && mkdir -p a); touch a/x"], [[1], [2]]),
        (["mkdir -p a && touch a/x", "rm -rf a"], [[1], [2]]),
        (["mkdir a", "mkdir -p a"], [[1], [2]]),
        (["mkdir -p a", "ls"], [[1], [2]]),
        (["mkdir -p a", "ls b"], [[1, 2]]),
    ],
)
def test_making_a_folder_twice_is_no_conflict_but_using_it_is(
    commands: list[str], expected: list[list[int]]
) -> None:
    assert batched(*commands) == expected


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("make all", "runs `make all`, and what that changes cannot be told"),
        ("npm run build", "runs `npm run`, and what that changes cannot be told"),
        ("cargo build", "runs `cargo build`, and what that changes cannot be told"),
        ("./run.sh", "runs `./run.sh`, and what that changes cannot be told"),
        ("frobnicate x", "runs `frobnicate x`, and what that changes cannot be told"),
        ("pip install -r requirements.txt", "runs `pip install`, which sets up what others use"),
        ("npm ci", "runs `npm ci`, which sets up what others use"),
        ("apt-get install -y jq", "runs `apt-get install`, which sets up what others use"),
        ("make deps", "runs `make deps`, which sets up what others use"),
        ("python -m pip install x", "runs `pip install`, which sets up what others use"),
        ("python tool.py", "runs `python`, and what that changes cannot be told"),
        ("python -c 'x'", "runs `python`, and what that changes cannot be told"),
        ("git commit -m x", "runs `git commit`, and what that changes cannot be told"),
        ("git -C x status", "runs `git`, and what that changes cannot be told"),
        ("ruff check --fix", "gives `ruff check` the option --fix, and what that does cannot be told"),
        ("prettier --write a.js", "gives `prettier` the option --write, and what that does cannot be told"),
        ("pytest --junitxml=x", "gives `pytest` the option --junitxml, and what that does cannot be told"),
        ("find . -exec rm {} +", "gives `find` the option -exec, and what that does cannot be told"),
        ("sort --files0-from=x", "gives `sort` the option --files0-from, and what that does cannot be told"),
        ("rm $X", "gives `rm` options that cannot be told"),
        ("touch a/$X", "writes a file whose name cannot be told"),
        ("echo x > $X", "writes a file whose name cannot be told"),
        ("touch ~/x", "writes a file whose name cannot be told"),
        ("touch a/../../x", "writes what cannot be told"),
        ("$X a", "runs a program that cannot be told"),
        ("eval 'touch a'", "runs `eval touch a`, and what that changes cannot be told"),
        ("ls | xargs rm", "runs `xargs rm`, and what that changes cannot be told"),
        ("touch a &", "runs a part of itself in the background"),
        ("touch `cat x`", "holds a command in backquotes"),
        ("cat <<E\n$(touch a)\nE", "has commands in a here-document"),
        ("f() { touch a; }", "defines a function, or is more than a list of commands"),
        ("case x in x) touch a;; esac", "closes a parenthesis that was not opened"),
        ("echo 'a", "leaves a quote open"),
        ("echo $(cat a", "leaves a parenthesis open"),
        ("diff <(cat a) b", "substitutes a process"),
        ("cd $X && touch a", "goes to a folder that cannot be told"),
        ("cd - && touch a", "goes to a folder that cannot be told"),
        ("sed -i.bak s/a/b/ x", "keeps copies with `sed` that cannot be told"),
        ("sed -n 's/a/b/w y' x", "has a `sed` script that cannot be followed"),
        ("sed -f x y", "gives `sed` the option -f, and what that does cannot be told"),
        ("awk '{print > \"x\"}' y", "has an `awk` program that cannot be followed"),
        ("GIT_DIR=x git status", "sets GIT_DIR, and what that changes cannot be told"),
        ("export PYTEST_ADDOPTS=--x && pytest", "sets PYTEST_ADDOPTS, and what that changes cannot be told"),
        ("curl -o '#1.html' 'https://example.com/{a,b}'", "writes a file whose name cannot be told"),
        ("mkdir -p a/../b", "writes what cannot be told"),
        ("sha256sum -c sums", "gives `sha256sum` the option -c, and what that does cannot be told"),
        ("sleep 1", "only waits"),
        ("exec > log", "sends the output of later ones elsewhere"),
        ("sh x.sh", "runs `sh`, and what that changes cannot be told"),
        ("sudo rm x", "runs `sudo rm`, and what that changes cannot be told"),
        ("echo $((touch a) | (touch b))", "has arithmetic that cannot be followed"),
        ("x" * 70_000, "is too long to be looked at"),
    ],
)
def test_what_cannot_be_told_runs_alone(command: str, why: str) -> None:
    assert alone(command) == why
    assert batched("cat a", "cat b", command, "cat c", "cat d") == [[1, 2], [3], [4, 5]]


@pytest.mark.parametrize(
    "command",
    [
        "echo $X",
        'printf "%s" "$X" > a',
        "cat $X",
        'test -n "$X"',
        "echo $((1 + 2))",
        "echo ${X:-y}",
        "cat a | sort",
    ],
)
def test_variables_that_name_nothing_written_do_no_harm(command: str) -> None:
    assert alone(command) == ""


# --- the shell that commands share


def test_a_change_of_the_shell_goes_in_front_of_each_later_command() -> None:
    made = in_batches(
        ["mkdir -p build", "cd build", "export X=y", "touch a", "touch b", "set -e", "cat a"], ROOT
    )
    assert numbers(made) == [[1], [4, 5], [7]]
    assert [command.number for command in made.commands if not command.batch] == [2, 3, 6]
    by_number = {command.number: command for command in made.commands}
    assert by_number[4].script() == "{ cd build\n} || exit\n{ export X=y\n} || exit\ntouch a"
    assert by_number[4].script("touch z").endswith("\ntouch z")
    assert by_number[7].before == ("cd build", "export X=y", "set -e")
    assert [(n.command, n.reason) for n in by_number[4].needs] == [
        (1, "needs the folder build, which 1 makes")
    ]
    assert [(n.command, n.reason) for n in by_number[7].needs] == [(4, "reads build/a, which 4 writes")]


def test_a_change_of_the_shell_with_nothing_after_it_is_run_itself() -> None:
    assert batched("touch a", "cd b") == [[1, 2]]
    assert batched("mkdir b", "cd b") == [[1], [2]]


def test_going_elsewhere_within_a_command_stays_there() -> None:
    assert batched("cd a && touch x", "touch x", "cat a/x") == [[1, 2], [3]]
    assert batched("(cd a && touch x) && touch y", "cat y", "cat a/x", "cat z") == [[1, 4], [2, 3]]


def test_where_it_is_unsure_whether_it_went_both_places_count() -> None:
    assert batched("cd a; touch x", "cat x", "cat a/x", "cat b/x") == [[1, 4], [2, 3]]
    assert batched("cd a || touch x", "cat x") == [[1], [2]]


def test_a_comment_after_a_change_of_the_shell_does_not_swallow_what_follows() -> None:
    assert (
        in_batches(["cd a # there", "touch b"], ROOT).commands[1].script()
        == "{ cd a # there\n} || exit\ntouch b"
    )


def test_after_a_file_was_sourced_everything_runs_in_order_unless_it_is_an_environment() -> None:
    assert batched(". ./env.sh", "touch a", "touch b") == [[1]]
    assert batched(". .venv/bin/activate", "touch a", "touch b") == [[2, 3]]
    assert batched("python3 -m venv .venv", ". .venv/bin/activate", "touch a") == [[1], [3]]


@pytest.mark.parametrize(
    "command",
    ["export T=$(mktemp -d)", "cd $X", "X=$(cat x)", ". ./env.sh", "cd a > log", "export GIT_DIR=x"],
)
def test_where_the_shell_cannot_be_made_again_the_rest_runs_in_one(command: str) -> None:
    made = in_batches(["touch a", "cd b", command, "cd c", "touch 'd e'"], ROOT)
    assert numbers(made) == [[1], [3]]
    before, rest = made.commands[-1].script().split("|| exit\n", 1)
    assert before == "{ cd b\n} "
    lines = [line.partition(" || {")[0] for line in rest.splitlines()]
    assert lines == [f"eval {quote(command)}", "eval 'cd c'", f"( eval {quote('touch ' + quote('d e'))} )"]


def test_links_that_are_there_already_are_followed() -> None:
    commands = ["echo x > latest/a", "cat v2/a", "cat v1/a"]
    assert batched(*commands) == [[1, 2, 3]]
    assert numbers(in_batches(commands, ROOT, [(f"{ROOT}/latest", f"{ROOT}/v2")])) == [[1, 3], [2]]


# --- reasons, figures and limits


def test_every_wait_has_its_reason_in_words() -> None:
    assert reasons("echo x > build/app", "cat build/app") == ["1: reads build/app, which 1 writes"]
    assert reasons("touch a/x", "rm -r a") == ["1: writes a; 1 writes a/x"]
    assert reasons("cat a", "touch a") == ["1: writes a, which 1 reads"]
    assert reasons("touch a", "touch a") == ["1: writes a, which 1 writes too"]
    assert reasons("touch a", "pytest") == ["1: may read anything; 1 writes a"]
    assert reasons("ls", "touch a") == ["1: writes a; 1 reads the tree"]
    assert reasons("ls", "mkdir -p a") == ["1: makes the folder a, which 1 looks at"]
    assert reasons("make x", "cat a") == ["1: 1 runs `make x`, and what that changes cannot be told"]
    assert reasons("cat a", "make x") == ["1: it runs `make x`, and what that changes cannot be told"]


def test_what_is_implied_is_not_said_again() -> None:
    assert reasons("touch a", "cp a b", "cat a b") == ["2: reads b, which 2 writes"]


def test_nothing_in_a_reason_controls_a_terminal() -> None:
    [reason] = reasons("touch 'a\x1b[31m'", "cat 'a\x1b[31m'")
    assert reason == "1: reads a, which 1 writes"


def test_a_list_that_is_too_long_is_refused() -> None:
    with pytest.raises(UserError, match="1,001 commands"):
        in_batches(["true"] * (MOST_COMMANDS + 1), ROOT)


def test_an_empty_list_has_no_batches() -> None:
    assert in_batches([], ROOT).batches == ()


@pytest.mark.parametrize(
    "commands",
    [
        [f"mkdir -p a/{n} && echo x > a/{n}/f" for n in range(MOST_COMMANDS)],
        [f"rm -f *{n}z*" for n in range(MOST_COMMANDS)],
        [f"rm -f {'*a' * 28}{n}z{n}" for n in range(16)],
        [f"rm -f *{n} f{n}" for n in range(100, 350)],
        [f"ln -s a{n} b{n}" for n in range(MOST_COMMANDS)],
        [f"cat f{n} > f{n + 1}" for n in range(MOST_COMMANDS)],
        [f"cd a{n}" for n in range(MOST_COMMANDS)],
    ],
    ids=["folders", "patterns", "stars", "few-patterns", "links", "chain", "cd"],
)
def test_the_longest_list_is_ordered_in_seconds(commands: list[str]) -> None:
    started = time.process_time()
    in_batches(commands, ROOT)
    assert time.process_time() - started < 10


# --- hostile text

HOSTILE = [
    "(" * 65_536, "$(" * 32_768, "'" * 65_535, "'\"a" * 21_845, "{a" * 32_768, "${a" * 21_845, "$((" * 21_845,
    "cat " + "*?[" * 21_000, "cat " + "a " * 32_000, "cat " + "../" * 21_000, "cat " + "a/" * 32_000,
    "cat <<E\n" + "a\n" * 32_000, "cat " + "<<E " * 15_000, "A" * 65_000 + "=b x", "\\" * 65_535, "#" * 65_536,
    "sed 's/" + "[" * 65_000 + "/x/' f", "sed '" + "/" * 65_000 + "' f", "cat --" + "a" * 65_000,
    "a|" * 32_000, "cd a; " * 10_000, "test " + "-f a -a " * 8_000, " " * 65_536, "\n" * 65_536, "0" * 65_536 + ">a",
    "_OPTS" * 13_000 + "=x",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_no_command_takes_long_to_understand(text: str) -> None:
    started = time.process_time()
    understand(text[:65_536], ROOT, (ROOT,))
    assert time.process_time() - started < 1.5


def patterns(*modules: ModuleType) -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", value


@pytest.mark.parametrize(
    ("name", "pattern"),
    list(patterns(words, options, programs, scripts, effects, variables)),
    ids=lambda value: str(value)[:30],
)
def test_no_regular_expression_is_slow_on_64_kib(name: str, pattern: re.Pattern[str]) -> None:
    for text in [*HOSTILE, "a" * 65_536, "0." * 32_768, "{" + "a," * 32_000]:
        for ask in (pattern.match, pattern.fullmatch):
            started = time.process_time()
            ask(text[:65_536])
            assert time.process_time() - started < 0.05, text[:20]


@given(st.text(alphabet=st.sampled_from("ab /.*?[]{}()<>|&;$`'\"\\#~=-\n012!,"), max_size=60))
def test_any_text_is_understood_or_not_but_never_an_error(text: str) -> None:
    understood = understand(text, ROOT, (ROOT,))
    touched = understood.effects.reads | understood.effects.writes | understood.effects.makes
    assert all(path.startswith("/") for path in touched)
    in_batches([text, "touch a", text], ROOT)


# --- the parts


def test_words_are_read_as_the_shell_reads_them() -> None:
    [simple] = parse(r"""A=b cmd 'a b' "c\"d$" e\ f g'h'"i" 2>&1 > out""")
    assert [word.text for word in simple.words] == ["A=b", "cmd", "a b", 'c"d$', "e f", "ghi"]
    assert [(redirect.operator, redirect.target.text) for redirect in simple.redirects] == [
        (">&", "1"),
        (">", "out"),
    ]


def test_a_quoted_star_is_no_pattern_for_the_shell() -> None:
    [simple] = parse("cat 'a*' b* \\*c d[e]")
    assert [word.pattern for word in simple.words] == [False, False, True, False, True]


def test_expansions_are_left_out_and_their_commands_kept() -> None:
    [simple] = parse('echo "a$X" ${Y} b$(cat c; cat d)')
    assert [(word.text, word.known) for word in simple.words[1:]] == [("a", False), ("", False), ("b", False)]
    assert [inner.words[1].text for inner in simple.words[3].inner] == ["c", "d"]


def test_here_documents_are_skipped_where_they_stand() -> None:
    simples = parse("cat <<A <<-B; echo x\none\nA\n\ttwo\n\tB\ntouch y")
    assert [simple.words[0].text for simple in simples] == ["cat", "echo", "touch"]


def test_nesting_has_an_end() -> None:
    assert parse("echo " + "$(echo " * 8 + ")" * 8)
    with pytest.raises(Unclear, match="nested too deeply"):
        parse("echo " + "$(echo " * 20 + ")" * 20)


@pytest.mark.parametrize(
    ("script", "harmless"),
    [
        ("s/a/b/", True),
        ("s/a/b/g; s|c|d|", True),
        ("1,3p", True),
        ("$d", True),
        ("/a/,/b/d", True),
        ("/a/!s/b/c/", True),
        ("1i some text; w x", True),
        ("s/[a-z]/x/", True),
        ("y/ab/cd/", True),
        ("/a/{s/b/c/;p}", True),
        ("w x", False),
        ("s/a/b/w x", False),
        ("s/a/b/e", False),
        ("1e date", False),
        ("r x", False),
        ("s/[/]/x/w y", False),
        ("s/a/b", False),
        ("1a\\\nw x", False),
    ],
)
def test_only_a_sed_script_that_stays_in_its_stream_is_harmless(script: str, harmless: bool) -> None:
    assert sed_is_harmless(script) is harmless


@pytest.mark.parametrize(
    ("program", "harmless"),
    [
        ("{print $1}", True),
        ("$1 == 2", True),
        ('{print > "x"}', False),
        ('BEGIN{system("x")}', False),
        ("a|b", False),
    ],
)
def test_only_an_awk_program_that_stays_in_its_stream_is_harmless(program: str, harmless: bool) -> None:
    assert awk_is_harmless(program) is harmless


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", "/w/t/a"),
        ("./a//b/", "/w/t/a/b"),
        ("../a", "/w/a"),
        ("../../../a", "/a"),
        ("/a", "/a"),
        (".", "/w/t"),
        ("a/../b", "/"),
        ("a?", "/w/t/a*"),
        ("[ab]c/d", "/w/t/*/d"),
        ("*" + "a*" * 50, "/w/t/*"),
    ],
)
def test_paths_are_absolute_and_never_narrower_than_meant(text: str, path: str) -> None:
    assert resolve(text, "/w/t") == path


PARTS = st.sampled_from(["a", "b", "A", "a*", "*", "*b"])
SOME_PATHS = st.frozensets(
    st.lists(PARTS, min_size=1, max_size=3).map(lambda p: "/" + "/".join(p)), max_size=4
)


@given(SOME_PATHS, SOME_PATHS)
def test_meeting_is_the_same_both_ways_and_never_misses_a_shared_path(
    left: frozenset[str], right: frozenset[str]
) -> None:
    assert bool(Paths(left).meeting(Paths(right))) == bool(Paths(right).meeting(Paths(left)))
    if left & right:
        assert Paths(left).meeting(Paths(right))


# --- properties, on a made-up tree


@dataclass(frozen=True)
class Op:
    """One act on a tree, and how a command writes it."""

    text: str
    act: str
    paths: tuple[str, ...]


@dataclass
class Tree:
    """Folders, and files with their content."""

    folders: set[str] = field(default_factory=lambda: {"", "a", "b"})
    files: dict[str, str] = field(default_factory=lambda: {"x": "1", "a/y": "2"})

    def apply(self, op: Op) -> bool:
        """Whether it worked, as the real program would say."""
        first, last = op.paths[0], op.paths[-1]
        match op.act:
            case "write" | "append":
                return self._put(first, (self.files.get(first, "") if op.act == "append" else "") + op.text)
            case "copy":
                return first in self.files and last not in self.folders and self._put(last, self.files[first])
            case "move":
                done = first in self.files and last not in self.folders and self._put(last, self.files[first])
                return bool(done and (first == last or self.files.pop(first)))
            case "remove":
                self.files.pop(first, None)
                return first not in self.folders
            case "clear":
                self.folders -= {
                    path for path in self.folders if path == first or path.startswith(first + "/")
                }
                self.files = {
                    p: c for p, c in self.files.items() if p != first and not p.startswith(first + "/")
                }
                return True
            case "make":
                parts = first.split("/")
                made = {"/".join(parts[: n + 1]) for n in range(len(parts))}
                if made & self.files.keys():
                    return False
                self.folders |= made
                return True
            case _:  # gather
                names = sorted(p for p in self.files if p.rpartition("/")[0] == first)
                return first in self.folders and self._put(last, "".join(self.files[name] for name in names))

    def _put(self, path: str, content: str) -> bool:
        if path.rpartition("/")[0] not in self.folders or path in self.folders:
            return False
        self.files[path] = content
        return True


FILES = st.sampled_from(["x", "y", "z", "a/x", "a/y", "b/x", "b/c/x", "d/x", "d/e/x"])
FOLDERS = st.sampled_from(["a", "b", "b/c", "d", "d/e"])


def _write(path: str, text: str) -> Op:
    return Op(f"printf {text} > {path}", "write", (path,))


OPS = st.one_of(
    st.builds(_write, FILES, st.sampled_from("uvw")),
    st.builds(lambda path: Op(f"printf q >> {path}", "append", (path,)), FILES),
    st.builds(lambda a, b: Op(f"cat {a} > {b}.copy", "copy", (a, f"{b}.copy")), FILES, FILES),
    st.builds(lambda a, b: Op(f"mv {a} {b}", "move", (a, b)), FILES, FILES).filter(
        lambda op: len(set(op.paths)) > 1
    ),
    st.builds(lambda path: Op(f"rm -f {path}", "remove", (path,)), FILES),
    st.builds(lambda path: Op(f"rm -rf {path}", "clear", (path,)), FOLDERS),
    st.builds(lambda path: Op(f"mkdir -p {path}", "make", (path,)), FOLDERS),
    st.builds(lambda a, b: Op(f"cat {a}/* > {b}.all", "gather", (a, f"{b}.all")), FOLDERS, FILES),
)
LISTS = st.lists(st.lists(OPS, min_size=1, max_size=3), min_size=1, max_size=8)


@given(LISTS, st.randoms(use_true_random=False))
def test_in_batches_a_list_does_what_it_does_in_order(
    commands: list[list[Op]], chance: random.Random
) -> None:
    in_order = Tree()
    if not all(in_order.apply(op) for command in commands for op in command):
        return  # where one fails the list ends there, and others of its batch may be further
    batches = in_batches([" && ".join(op.text for op in command) for command in commands], ROOT)
    at_once = Tree()
    for batch in batches.batches:
        left = [list(commands[command.number - 1]) for command in batch]
        while left := [ops for ops in left if ops]:
            op = chance.choice(left).pop(0)
            assert at_once.apply(op), op
    assert at_once == in_order


def _conflict(one: list[Op], other: list[Op]) -> bool:
    """Whether a file that one of them writes is read or written by the other; told without looking at text."""

    def touched(ops: list[Op], *, written: bool) -> set[str]:
        found: set[str] = set()
        for op in ops:
            found |= {op.paths[-1]} if written and op.act in ("copy", "gather") else set(op.paths)
        return found

    return any(
        a == b or a.startswith(b + "/") or b.startswith(a + "/")
        for left, right in ((one, other), (other, one))
        for a in touched(left, written=True)
        for b in touched(right, written=False)
    )


@given(
    st.lists(
        st.lists(OPS.filter(lambda op: op.act != "make"), min_size=1, max_size=2), min_size=2, max_size=10
    )
)
def test_conflicting_commands_never_share_a_batch_and_keep_their_order(commands: list[list[Op]]) -> None:
    made = in_batches(["; ".join(op.text for op in command) for command in commands], ROOT)
    place = {command.number: command.batch for command in made.commands}
    assert sorted(place) == list(range(1, len(commands) + 1))
    for later in range(len(commands)):
        for earlier in range(later):
            if _conflict(commands[earlier], commands[later]):
                assert place[earlier + 1] < place[later + 1]


@given(
    st.lists(
        st.sampled_from(["make", "touch a", "cat a", "cat b", "cd a", "echo x > b", "eval x"]), max_size=12
    )
)
def test_nothing_shares_a_batch_with_what_cannot_be_told(commands: list[str]) -> None:
    made = in_batches(commands, ROOT)
    for batch in made.batches:
        assert len(batch) == 1 or not any(command.text in ("make", "eval x") for command in batch)
    for command in made.commands:
        assert all(need.command < command.number and need.reason for need in command.needs)
