from __future__ import annotations

import pytest

from shared.model import Allowance
from shared.secrets import digests
from tests.support.build import agent, task
from workflow_manager.inspection import Found, leak, outside_writes, refusals

LIMIT = 1000


def refused(found: Found, *allow: Allowance) -> str:
    """What is said about one change; empty where it may be committed."""
    said = refusals(task("t", allow=allow), [found], LIMIT)
    assert len(said) <= 1
    return said[0] if said else ""


@pytest.mark.parametrize(
    "found",
    [
        Found("src/app.py", size=10),
        Found("README.md", gone=True),
        Found(".github/CODEOWNERS"),
        Found(".github/ISSUE_TEMPLATE/bug.yml"),
        Found("docs/workflows/ci.yml"),
        Found("my-agents.md"),
        Found("claude/notes.md"),
        Found(".vscode/settings.json"),
        Found("docs/.github/copilot-instructions.md"),
        Found("examples/spinney.yaml"),  # only the root's is read
        Found(".gitignore"),
        Found("src/.github/workflows/ci.yml"),  # only the root's are run
        Found("git/config"),
        Found(".gitx/config"),
        Found("big", size=LIMIT),
        Found("docs/link", link="../src/app.py"),
        Found("link", link="src"),
        Found("a/b/link", link="../.."),
    ],
)
def test_ordinary_change_may_be_committed(found: Found) -> None:
    assert refused(found) == ""


REFUSED: list[tuple[Found, Allowance, str]] = [
    (Found(".github/workflows/ci.yml"), "workflows", "it is a workflow that runs with the repository's rights"),
    (Found(".github/actions/a/action.yml"), "workflows", "it is a workflow that runs with the repository's rights"),
    (Found(".github/workflows/ci.yml", gone=True), "workflows", "it is a workflow that runs with the repository's "
     "rights"),
    (Found("CLAUDE.md"), "agent-config", "it configures coding agents"),
    (Found("sub/AGENTS.md"), "agent-config", "it configures coding agents"),
    (Found("agents.md"), "agent-config", "it configures coding agents"),
    (Found(".claude/settings.json"), "agent-config", "it configures coding agents"),
    (Found("deep/down/.claude/hooks/x.sh"), "agent-config", "it configures coding agents"),
    (Found(".mcp.json"), "agent-config", "it configures coding agents"),
    (Found(".cursor/rules"), "agent-config", "it configures coding agents"),
    (Found("CLAUDE.local.md"), "agent-config", "it configures coding agents"),
    (Found(".gemini/settings.json"), "agent-config", "it configures coding agents"),
    (Found(".aider.conf.yml"), "agent-config", "it configures coding agents"),
    (Found(".aider.model.settings.yml"), "agent-config", "it configures coding agents"),
    (Found("sub/opencode.json"), "agent-config", "it configures coding agents"),
    (Found("opencode.jsonc"), "agent-config", "it configures coding agents"),
    (Found(".opencode/plugin/x.js"), "agent-config", "it configures coding agents"),
    (Found(".cursorrules"), "agent-config", "it configures coding agents"),
    (Found(".windsurfrules"), "agent-config", "it configures coding agents"),
    (Found(".vscode/mcp.json"), "agent-config", "it configures coding agents"),
    (Found(".github/copilot-instructions.md"), "agent-config", "it configures coding agents"),
    (Found("spinney.yaml"), "spinney", "its commands run with the rights of whoever starts Spinney"),
    (Found("Spinney.YAML", gone=True), "spinney", "its commands run with the rights of whoever starts Spinney"),
    (Found(".claude", link="docs"), "agent-config", "it configures coding agents"),
    (Found(".github/workflows", link="../ci"), "workflows", "it is a workflow that runs with the repository's "
     "rights"),
    (Found(".codex"), "agent-config", "it configures coding agents"),
    (Found(".gitattributes"), "git-attributes", "it changes how git treats files"),
    (Found("sub/.gitattributes"), "git-attributes", "it changes how git treats files"),
    (Found(".GitAttributes"), "git-attributes", "it changes how git treats files"),
    (Found(".gitmodules"), "git-attributes", "it changes how git treats files"),
    (Found(".gitmodules", gone=True), "git-attributes", "it changes how git treats files"),
    (Found("big", size=LIMIT + 1), "large-files", "1001 bytes are over the limit of 1000"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "allowance", "why"), REFUSED)
def test_dangerous_change_is_refused_with_what_would_allow_it(
    found: Found, allowance: Allowance, why: str
) -> None:
    assert refused(found) == f"{found.path}: {why}; `allow: [{allowance}]` permits it"


@pytest.mark.parametrize(("found", "allowance", "why"), REFUSED)
def test_dangerous_change_that_is_allowed_may_be_committed(
    found: Found, allowance: Allowance, why: str
) -> None:
    assert refused(found, allowance) == ""


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("link", "/etc/passwd"),
        ("link", ".."),
        ("link", "../"),
        ("link", "../other/file"),
        ("a/link", "../.."),
        ("a/b/link", "../../../x"),
        ("link", "a/../../x"),
        ("link", "./.././x"),
        ("link", ".git"),
        ("link", ".git/config"),
        ("a/link", "../.git/hooks"),
        ("link", ".GIT/config"),
        ("link", "a/b/up/../x"),  # where it leads if a/b/up is a link, too
    ],
)
def test_link_that_leaves_the_repository_is_refused(path: str, target: str) -> None:
    assert refused(Found(path, link=target)) == (
        f"{path}: a link to {target!r} leaves the repository; `allow: [symlinks]` permits it"
    )
    assert refused(Found(path, link=target), "symlinks") == ""


def test_link_is_no_way_around_the_other_rules() -> None:
    assert refused(Found(".gitattributes", link="x"), "symlinks").startswith(".gitattributes: it changes how")


@pytest.mark.parametrize(
    "path",
    [".git/config", "sub/.git/hooks/pre-commit", ".GIT/config", ".git ", ".git.", "git~1/config", "GIT~1",
     ".g\u200cit/config", ".git\u200b", "a/.Git"],
)  # fmt: skip
def test_nothing_ever_allows_a_path_that_is_gits_own(path: str) -> None:
    everything: tuple[Allowance, ...] = (
        "workflows",
        "agent-config",
        "spinney",
        "git-attributes",
        "symlinks",
        "large-files",
    )
    assert refused(Found(path), *everything) == f"{path}: a path may not contain .git"


def test_nothing_ever_allows_a_repository_inside_the_worktree() -> None:
    assert refused(Found("vendor/lib", repository=True), "symlinks", "git-attributes") == (
        "vendor/lib: a repository inside the worktree cannot be committed; remove its .git"
    )


def test_every_change_is_looked_at() -> None:
    found = [Found("ok"), Found("CLAUDE.md"), Found("big", size=5000), Found(".gitattributes")]
    assert [line.partition(":")[0] for line in refusals(task("t"), found, LIMIT)] == [
        "CLAUDE.md",
        "big",
        ".gitattributes",
    ]


def test_size_of_a_removed_file_does_not_matter() -> None:
    assert refused(Found("big", gone=True, size=LIMIT * 10)) == ""


# --- declared writes


def test_paths_that_no_agent_declared_are_found() -> None:
    agents = [agent("A", writes=("src/**",)), agent("B", writes=("docs/*.md",))]
    assert outside_writes(agents, ["src/a.py", "docs/x.md", "docs/x.txt", "tests/a.py"]) == (
        "docs/x.txt",
        "tests/a.py",
    )


def test_agent_that_may_write_anywhere_makes_every_path_declared() -> None:
    assert outside_writes([agent("A", writes=()), agent("B")], ["x"]) == ()


def test_agents_that_write_nothing_may_change_nothing() -> None:
    assert outside_writes([agent("A", writes=())], ["x"]) == ("x",)
    assert outside_writes([], ["x"]) == ("x",)


# --- secrets

OWN = "sk-ant-api03-" + "Zq8vT1xR5kW2mN9pLs4d" * 4
SECRETS = digests([OWN])
FOREIGN = "ghp_" + "Zq8vT1xR5kW2mN9pLs4dYb6Jc0uFgEaQoXiT"


def leaking(new: str, old: str = "", *allow: Allowance, path: str = "src/app.py") -> str:
    return leak(task("t", allow=allow), SECRETS, path, new.encode(), old.encode())


def test_secret_of_this_run_is_told_by_its_place_and_never_shown() -> None:
    assert leaking(f"import os\n\nKEY = {OWN!r}\n") == "src/app.py:3: it holds a secret of this run"


def test_secret_of_this_run_is_permitted_by_nothing() -> None:
    assert leaking(OWN, "", "secrets")
    assert leaking(f"\0binary{OWN}", "", "secrets")


def test_secret_wrapped_over_lines_is_told_without_a_line() -> None:
    assert leaking(f"{OWN[:50]}\n{OWN[50:]}\n") == "src/app.py: it holds a secret of this run"


def test_secret_in_a_name_is_not_repeated() -> None:
    assert leaking("", path=f"docs/{OWN}.md") == "the name of a file: it holds a secret of this run"


def test_what_looks_like_a_secret_is_refused_with_what_would_allow_it() -> None:
    text = f"a = 1\ntoken = '{FOREIGN}'\n"
    assert leaking(text) == "src/app.py:2: it looks like a GitHub token; `allow: [secrets]` permits it"
    assert leaking(text, "", "secrets") == ""


def test_several_are_told_by_the_first_line_and_their_number() -> None:
    assert "src/app.py:1: it looks like a GitHub token, and 2 more;" in leaking(f"{FOREIGN}\n" * 3)


def test_what_was_there_before_is_not_held_against_who_changes_the_file() -> None:
    before = f"token = '{FOREIGN}'\nkey = '{OWN}'\n"
    assert leaking(f"# a comment\n{before}", before) == ""
    assert leaking(f"token = '{FOREIGN}' # moved into a new line\n", before).startswith("src/app.py:1: ")


def test_binary_file_is_not_searched_for_what_only_looks_like_a_secret() -> None:
    assert leaking(f"\0{FOREIGN}") == ""
