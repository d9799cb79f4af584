"""The gate executes what agents wrote: where they are shut in, it is."""

from __future__ import annotations

import pytest

from shared.sandbox import LET_OUT
from tests.support.running import Spinney

pytestmark = [pytest.mark.process, pytest.mark.git]
# What a hostile agent may have put into the tests that the gate runs.
PROBE = """\
printf '%s' "${DEPLOY_TOKEN:-none}" > seen-token
test -z "${GITHUB_TOKEN-}" || exit 4  # ours alone, whoever asks
cat "$HIDDEN/secret" > seen-file 2>/dev/null || echo none > seen-file
touch "$HIDDEN/written" 2>/dev/null
cat seen-token seen-file
test -f 'node_modules/a[b]*'
"""


def batch(spinney: Spinney, **settings: str) -> str:
    hidden = spinney.repo.path.parent / "hidden"
    hidden.mkdir()
    (hidden / "secret").write_text("hidden secret")
    spinney.extra |= {
        "GITHUB_TOKEN": "ghp-ours-alone",
        "DEPLOY_TOKEN": "ghp-not-for-agents",
        "HIDDEN": str(hidden),
    }
    head = "".join(f"{key}: {value}\n" for key, value in settings.items())
    gate = "gate: sh probe.sh\nsetup: mkdir node_modules && touch 'node_modules/a[b]*'\n"
    probe = PROBE.replace("\n", "\n        ").replace("$HIDDEN", str(hidden))
    return spinney.batch(
        f"version: 1\n{head}{gate}tasks:\n  - id: two\n    title: Two\n    run: cp README.md probe.sh; echo true > probe.sh\n"
        f"  - id: one\n    title: One\n    needs: [two]\n    run: |\n"
        f"      cat > probe.sh <<'END'\n        {probe.rstrip()}\n      END\n"
    )


def said(spinney: Spinney) -> str:
    [log] = (spinney.repo.git_dir / "spinney/runs").glob("*/logs/@gate/one.log")
    return log.read_text()


@pytest.mark.parametrize("settings", [{"sandbox": "'on'"}, {"sandbox_commands": "'on'"}])
def test_gate_in_a_sandbox_sees_no_secret_and_writes_nothing_outside(
    held: Spinney, settings: dict[str, str]
) -> None:
    done = held("run", batch(held, **settings), "--json")
    assert done.statuses == {"one": "merged", "two": "merged"}, done.out
    assert said(held) == "nonenone\n"
    assert not (held.repo.path.parent / "hidden/written").exists()


def test_gate_for_the_users_own_commands_is_not_shut_in(held: Spinney) -> None:
    done = held("run", batch(held), "--json")
    assert done.statuses == {"one": "merged", "two": "merged"}, done.out
    assert said(held) == "ghp-not-for-agentshidden secret"


def test_gate_that_fails_in_its_sandbox_says_how_to_let_it_out(held: Spinney) -> None:
    text = "version: 1\nsandbox_commands: 'on'\ngate: exit 3\ntasks:\n  - {id: one, title: One, run: touch one}\n"
    reason = held("run", held.batch(text), "--json").tasks["one"]["reason"]
    assert reason == "the gate failed, exit status 3" + LET_OUT


def test_gate_that_must_be_shut_in_is_refused_where_it_cannot_be(free: Spinney) -> None:
    done = free("run", "-c", "touch one", "--gate", "true", "--sandbox", "on")
    assert done.code == 2
    assert "asks for sandboxes, and there can be none" in done.err


def test_rejected_task_cannot_make_the_gate_pass_for_later_ones(held: Spinney) -> None:
    """Set-up's tools are ignored by git, stay between gates, and can be written by what the gate runs."""
    held.repo.write(".gitignore", "tools/\n")
    held.repo.write("test.sh", "true\n")
    held.repo.commit("a gate that runs a tool")
    text = """\
version: 1
sandbox: 'on'
setup: mkdir tools && printf 'exec sh "$@"' > tools/sh
gate: sh tools/sh test.sh
tasks:
  - {id: first, title: First, run: "printf 'echo exit 0 > tools/sh; exit 1' > test.sh"}
  - {id: second, title: Second, run: "echo exit 1 > test.sh; touch second"}
"""
    done = held("run", held.batch(text), "--json")
    assert done.statuses == {"first": "unmerged", "second": "unmerged"}, done.out


def test_token_that_was_taken_may_not_be_in_a_commit(free: Spinney) -> None:
    token = "ordinary-looking-words-of-ours"
    free.extra["GITHUB_TOKEN"] = token
    done = free(
        "run", "-c", f"echo {token} > a.txt", "-c", "env > b.txt", "--pull-requests", "none", "--json"
    )
    statuses = [task["status"] for task in done.tasks.values()]
    assert statuses == ["failed", "merged"], done.out
    [refused, _] = done.tasks.values()
    assert "secret" in refused["reason"]
    assert token not in free.repo.git("log", "--all", "-p", "--format=", "--", "b.txt")
