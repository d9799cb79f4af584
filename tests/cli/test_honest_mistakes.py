"""Honest mistakes: exit code 2, where it is, what to do, and nothing created."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.capacity import Disk, refuse_full_disk
from shared.errors import UserError
from tests.support.repository import Repo, git_environment
from tests.support.running import Done, running

pytestmark = pytest.mark.process


def refused(repo: Repo, *arguments: str, cwd: Path | None = None) -> str:
    """What ``spinney run`` says when it refuses; fails where it did anything else."""
    refs = repo.refs() if repo.path.is_dir() else {}
    with running(repo) as spinney:
        done = spinney("run", *arguments, cwd=cwd)
    assert done.code == 2, done
    assert done.out == ""
    assert "Traceback" not in done.err
    assert not (repo.git_dir / "spinney").exists()
    assert not spinney.worktree_folder().exists()
    assert spinney.admin_folders() == []
    if repo.path.is_dir():
        assert repo.refs() == refs
    return done.err


def ran(repo: Repo, *arguments: str, cwd: Path | None = None) -> Done:
    with running(repo) as spinney:
        done = spinney("run", "--json", *arguments, cwd=cwd)
    assert done.code == 0, [task["reason"] for task in done.json["tasks"]] if done.out else done
    return done


def batch(repo: Repo, text: str | bytes, name: str = "batch.yaml") -> str:
    repo.write(name, text)
    return name


ONE = "version: 1\ntasks:\n  - {id: one, title: One, run: 'echo 1 > one.txt'}\n"

FILES = [
    ("nothing in it", "", "batch.yaml:1:1: the batch is empty (it needs version: 1 and tasks:)\n"),
    ("only a comment", "# soon\n", "batch.yaml:1:1: the batch is empty (it needs version: 1 and tasks:)\n"),
    ("no tasks", "version: 1\ntasks: []\n", "batch.yaml:2:8: at least one entry is needed\n"),
    ("a list", "- one\n", "batch.yaml:1:1: expected a mapping of keys, found a list\n"),
    (
        "an unknown field",
        "version: 1\ntasks:\n  - id: one\n    titel: One\n    run: 'true'\n",
        "batch.yaml:4:5: unknown key 'titel' (did you mean 'title'?)\n",
    ),
    (
        "a wrong type",
        "version: 1\njobs: many\ntasks:\n  - {title: One, run: 'true'}\n",
        "batch.yaml:2:7: expected a whole number, found text\n",
    ),
    (
        "an id that is there twice",
        "version: 1\ntasks:\n  - {id: one, title: One, run: 'true'}\n  - {id: one, title: Two, run: 'true'}\n",
        "batch.yaml:4:10: the id 'one' is there twice (the first is at batch.yaml:3; give each task its own `id`)\n",
    ),
    (
        "a key that is there twice",
        "version: 1\ntasks:\n  - id: one\n    title: One\n    title: Uno\n    run: 'true'\n",
        "batch.yaml:5:5: the key 'title' is there twice (keep one of them)\n",
    ),
    (
        "a missing need",
        "version: 1\ntasks:\n  - {id: one, title: One, run: 'true'}\n"
        "  - {id: two, title: Two, run: 'true', needs: [onw]}\n",
        "batch.yaml:4:48: it needs 'onw', which is not in the batch (did you mean 'one'?)\n",
    ),
    (
        "a task that needs itself",
        "version: 1\ntasks:\n  - {id: one, title: One, run: 'true', needs: [one]}\n",
        "batch.yaml:3:48: a task cannot need itself\n",
    ),
    (
        "an id that cannot name a branch",
        "version: 1\ntasks:\n  - {id: 'a b', title: One, run: 'true'}\n",
        "batch.yaml:3:10: 'a b' cannot name a branch "
        "(lower case, digits, dot, dash and underscore; for example 'a-b-c8687a')\n",
    ),
    (
        "an unknown workflow",
        "version: 1\ntasks:\n  - {id: one, title: One, workflow: featur}\n",
        "batch.yaml:3:37: there is no workflow 'featur' (did you mean 'feature'?)\n",
    ),
    (
        "an empty command",
        "version: 1\ntasks:\n  - {id: one, title: One, run: '  '}\n",
        "batch.yaml:3:32: the command is empty\n",
    ),
]


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_mistake_in_a_batch_file_is_told_with_its_place(repo: Repo, text: str, message: str) -> None:
    said = refused(repo, batch(repo, text))
    assert said == message + "error: 1 problem in the input; nothing was started\n"


def test_a_circle_is_printed(repo: Repo) -> None:
    text = "version: 1\ntasks:\n" + "".join(
        f"  - {{id: {name}, title: {name}, run: 'true', needs: [{need}]}}\n"
        for name, need in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    said = refused(repo, batch(repo, text))
    circles = [" → ".join(c) for c in (("a", "b", "c", "a"), ("b", "c", "a", "b"), ("c", "a", "b", "c"))]
    assert said.splitlines()[0] in [f"error: the tasks need each other in a circle: {c}" for c in circles]
    assert said.splitlines()[1] == "  → remove one of these needs"


def test_five_mistakes_in_three_files_are_told_at_once(repo: Repo) -> None:
    repo.write("spinney.yaml", "version: 1\ngaet: make test\n")
    batch(
        repo,
        "version: 1\ntasks:\n  - {id: one, title: 1, run: 'true'}\n  - {id: two, run: 3}\n"
        "  - {id: three, title: T, run: 'true', needs: [x]}\n",
    )
    repo.write("task.md", "---\nid: four\nlables: [a]\n---\n# Four\n")
    assert refused(repo, "batch.yaml", "task.md").splitlines() == [
        "batch.yaml:3:22: expected text, found a number (put it in quotes)",
        "batch.yaml:4:20: expected text, found a number (put it in quotes)",
        "batch.yaml:5:48: it needs 'x', which is not in the batch",
        "spinney.yaml:2:1: unknown key 'gaet' (did you mean 'gate'?)",
        "task.md:3:1: unknown key 'lables' (did you mean 'labels'?)",
        "error: 5 problems in the input; nothing was started",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ONE.encode("utf-16"), "batch.yaml: UTF-16 text (save the file as UTF-8)"),
        (
            ONE.replace("One", "Un\xe9").encode("latin-1"),
            "batch.yaml: not valid UTF-8 on line 3 (save the file as UTF-8)",
        ),
        (
            ONE.replace("One", "\0").encode(),
            "batch.yaml: a NUL character in the text (save the file as UTF-8)",
        ),
    ],
    ids=["UTF-16", "Latin-1", "NUL"],
)
def test_text_that_is_not_utf_8_is_refused(repo: Repo, data: bytes, message: str) -> None:
    assert refused(repo, batch(repo, data)).splitlines()[0] == message


@pytest.mark.parametrize(
    "data",
    [
        ONE.replace("\n", "\r\n").encode(),
        ONE.encode("utf-8-sig"),
        ONE.replace("\n", "\r\n").encode("utf-8-sig"),
    ],
    ids=["CRLF", "BOM", "both"],
)
def test_crlf_and_a_byte_order_mark_are_fine(repo: Repo, data: bytes) -> None:
    assert ran(repo, batch(repo, data)).statuses == {"one": "merged"}


def test_a_task_file_with_crlf_and_a_byte_order_mark_is_fine(repo: Repo) -> None:
    text = "---\r\nid: dos\r\nrun: echo x > x.txt\r\n---\r\n# From another system\r\n"
    done = ran(repo, batch(repo, text.encode("utf-8-sig"), "task.md"))
    assert done.tasks["dos"]["title"] == "From another system"


# --- the repository


def test_no_repository_is_said(repo: Repo, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = refused(repo, "-c", "true", cwd=elsewhere)
    assert said.splitlines() == [
        f"error: {elsewhere} is not in a git repository",
        "  → run Spinney inside one, or make one: git init, then commit",
    ]
    assert list(elsewhere.iterdir()) == []


def test_a_bare_repository_is_said(repo: Repo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(bare))
    said = refused(repo, "-c", "true", cwd=bare)
    assert said.splitlines()[0] == "error: the repository is bare: it has no checkout to start from"
    assert not (bare / "spinney").exists()


def empty(path: Path) -> Repo:
    path.mkdir()
    new = Repo(path)
    new.git("init", "--quiet", "--initial-branch=main", "--template=")
    return new


def test_a_branch_without_a_commit_is_said(tmp_path: Path) -> None:
    said = refused(empty(tmp_path / "new"), "-c", "true")
    assert said.splitlines() == [
        "error: the repository has no commit yet",
        "  → make a first one: git add … && git commit",
    ]


STATES = [
    ("rebase", "a rebase", "git rebase --continue"),
    ("merge", "a merge", "git merge --abort"),
    ("cherry-pick", "a cherry-pick", "git cherry-pick --continue"),
    ("revert", "a revert", "git revert --continue"),
    ("bisect", "a bisect", "git bisect reset"),
    ("am", "a rebase or git am", "git rebase --continue"),
]


@pytest.mark.parametrize(("state", "what", "remedy"), STATES, ids=[case[0] for case in STATES])
def test_the_middle_of_something_is_said(repo: Repo, state: str, what: str, remedy: str) -> None:
    repo.git("branch", "other")
    for text in ("mine\n", "mine again\n"):
        repo.write("README.md", text)
        repo.commit()
    mine = repo.head
    repo.git("switch", "--quiet", "other")
    repo.write("README.md", "theirs\n")
    repo.commit()
    patch = repo.git("format-patch", "--stdout", "main~1..main")
    commands = {
        "rebase": ["rebase", "main"],
        "merge": ["merge", "main"],
        "cherry-pick": ["cherry-pick", mine],
        "revert": ["revert", "--no-edit", "main"],
        "bisect": ["bisect", "start", "main", "main~1"],
        "am": ["am"],
    }
    if state == "revert":
        repo.git("reset", "--quiet", "--hard", "main")
        repo.git("revert", "--no-commit", "main~1..main")
        (repo.git_dir / "REVERT_HEAD").write_text(f"{mine}\n")
    else:
        subprocess.run(
            ["git", *commands[state]],
            cwd=repo.path,
            env=git_environment(),
            input=patch.encode(),
            capture_output=True,
        )
    said = refused(repo, "-c", "true")
    assert said.splitlines()[0] == f"error: the checkout is in the middle of {what}"
    assert remedy in said.splitlines()[1]


def test_a_detached_head_is_fine(repo: Repo) -> None:
    repo.git("switch", "--quiet", "--detach", "HEAD")
    done = ran(repo, "-c", "echo x > x.txt", "--title", "Detached")
    assert done.json["base"] == repo.head


def test_git_lfs_is_refused_with_its_place(repo: Repo) -> None:
    repo.write("assets/.gitattributes", "# images\n*.png filter=lfs diff=lfs merge=lfs -text\n")
    repo.commit()
    said = refused(repo, "-c", "true")
    assert said.splitlines()[0] == (
        "error: assets/.gitattributes:2: the attribute 'filter=lfs' needs a program to translate files, "
        "which Spinney does not run (git LFS is not supported yet)"
    )


def test_a_sparse_checkout_is_refused(repo: Repo) -> None:
    repo.git("sparse-checkout", "set", "src")
    said = refused(repo, "-c", "true")
    assert said.splitlines() == [
        "error: sparse checkouts are not supported",
        "  → git sparse-checkout disable",
    ]
    repo.git("sparse-checkout", "disable")
    assert ran(repo, "-c", "echo x > x.txt", "--title", "x").json["status"] == "succeeded"


def test_a_tracked_tasks_folder_is_refused(repo: Repo) -> None:
    repo.write(".tasks/manifest.json", "{}")
    repo.commit()
    assert "tracks .tasks/" in refused(repo, "-c", "true")


def test_a_partial_clone_is_refused(repo: Repo) -> None:
    repo.git("config", "extensions.partialClone", "origin")
    assert "a partial clone, which Spinney cannot read yet" in refused(repo, "-c", "true")


def test_sha_256_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "new"
    path.mkdir()
    new = Repo(path)
    new.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", "--template=")
    new.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "first")
    assert "SHA-256 objects" in refused(new, "-c", "true")


def test_nobody_to_sign_commits_is_said(repo: Repo) -> None:
    repo.git("config", "--unset", "user.name")
    said = refused(repo, "-c", "true")
    assert said.splitlines()[0] == "error: git does not know who you are, and commits need an author"


def test_too_little_disk_is_said_with_figures() -> None:
    megabyte = 1024 * 1024
    refuse_full_disk(Disk(worktree=10 * megabyte, free=400 * megabyte), 5)
    with pytest.raises(UserError) as caught:
        refuse_full_disk(Disk(worktree=100 * megabyte, free=400 * megabyte), 5)
    assert caught.value.message == "5 worktrees need 500.0 MB, and 400.0 MB are free"
    assert caught.value.hints == ("free some disk, or run fewer at a time: --jobs 1",)


# --- what was asked for


ARGUMENTS = [
    (["missing.yaml"], "error: there is no file 'missing.yaml'"),
    (["README.txt"], "error: there is no file 'README.txt'"),
    (["src/app.py"], "error: src/app.py is neither a batch file (.yaml) nor a task file (.md)"),
    (["src"], "error: src holds no task files"),
    (["#12"], "error: there is no remote 'origin', so it is not known where this repository is on GitHub"),
    (
        ["--label", "ready"],
        "error: there is no remote 'origin', so it is not known where this repository is on GitHub",
    ),
    (
        ["ada/engine#12", "--forge", "local"],
        "error: ada/engine#12 is an issue on GitHub, and `forge: local` keeps this run away from it",
    ),
    (
        ["https://github.com/ada/engine/pull/12"],
        "error: https://github.com/ada/engine/pull/12 is a pull request, and a task is made of an issue",
    ),
    ([], "error: there are no tasks"),
    (["-c", "true", "--base", "nowhere"], "error: 'nowhere' is not a commit of this repository"),
    (["-c", "true", "--into", "nowhere"], "error: there is no branch 'nowhere' to merge into"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), ARGUMENTS, ids=[" ".join(case[0]) or "nothing" for case in ARGUMENTS]
)
def test_a_mistake_on_the_command_line_is_told(repo: Repo, arguments: list[str], message: str) -> None:
    said = refused(repo, *arguments).splitlines()
    assert said[0] == message
    assert len(said) == 1 or said[1].startswith("  → ")


def test_an_issue_without_a_token_is_told(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "git@github.com:ada/engine.git")
    said = refused(repo, "#12").splitlines()
    assert said[0] == "error: there is no token for GitHub at github.com"
    assert said[1] == "  → set one in the environment: export GITHUB_TOKEN=…"


def test_an_issue_of_somewhere_else_is_told(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "/srv/git/engine.git")
    said = refused(repo, "12").splitlines()
    assert "origin" in said[0]
    assert said[1].startswith("  → ")


def test_an_empty_command_is_told(repo: Repo) -> None:
    assert refused(repo, "-c", " ").splitlines()[0] == "-c: the command is empty"


def test_an_agent_with_a_prompt_and_nothing_to_execute_it_is_told(repo: Repo) -> None:
    said = refused(repo, batch(repo, "# Fix the login\n\nIt is broken.\n", "fix-login.md")).splitlines()
    assert said == [
        "error: fix-login: the agent RESEARCHER of workflow 'feature' has a prompt, but nothing to execute it",
        "  → let a model do it: --backend anthropic, or --backend claude-code",
        "  → or set `agent_command:` in spinney.yaml to a program that reads $SPINNEY_PROMPT",
        "  → or give the task a command: `run: …`",
        "  → or try the workflow without any model: --backend scripted",
    ]


def test_a_task_file_without_text_is_told(repo: Repo) -> None:
    assert refused(repo, batch(repo, "\n", "empty.md")).splitlines()[0] == (
        "empty.md:1:1: the task has no text and no command (say what to do)"
    )


# --- names


AWKWARD = 'it\'s a "test"\n$(touch pwned) `x` ü -- repo'


def test_spaces_quotes_and_newlines_in_the_repositorys_path_are_fine(repo: Repo) -> None:
    path = repo.path.with_name(AWKWARD)
    repo.path.rename(path)
    moved = Repo(path)
    done = ran(moved, "-c", "echo x > x.txt", "--title", "Awkward", "--gate", "test -f x.txt")
    assert moved.read(done.json["merged"], "x.txt") == "x"
    assert os.listdir(path.parent) == [AWKWARD]


def test_spaces_quotes_and_newlines_in_changed_paths_are_fine(repo: Repo) -> None:
    names = [
        "a b.txt",
        'it\'s "quoted".txt',
        "new\nline.txt",
        "ünï/cödé.txt",
        "-rf",
        "\\back\\slash",
        "tab\t",
        "*?[x]",
    ]
    script = "import os\nos.makedirs('ünï')\n" + "".join(
        f"open({name!r}, 'w').write('x')\n" for name in names
    )
    repo.write("make.py", script)
    repo.commit()
    done = ran(repo, "-c", "python3 make.py", "--title", "Awkward files")
    listed = repo.git("ls-tree", "-r", "-z", "--name-only", done.json["merged"]).split("\0")
    assert sorted(name for name in listed if name) == sorted(["README.md", "make.py", "src/app.py", *names])


def test_names_that_are_not_utf_8_are_refused_and_what_else_was_done_is_kept(repo: Repo) -> None:
    with running(repo) as spinney:
        done = spinney(
            "run", "--json", "-c", "echo x > x.txt; touch $(printf 'caf\\351.txt')", "--title", "latin"
        )
    assert done.code == 1
    [task] = done.json["tasks"]
    assert task["reason"] == ("phase command: 'caf\\udce9.txt': its name is not valid UTF-8; rename it")
    [salvaged] = repo.refs("refs/spinney/salvage").values()
    assert repo.read(salvaged, "x.txt") == "x"


def test_two_tasks_whose_names_differ_only_in_case_get_branches_of_their_own(repo: Repo) -> None:
    repo.write("tasks/Fix.md", "---\nrun: echo 1 > one.txt\n---\n# Fix\n")
    repo.write("tasks/fix.md", "---\nrun: echo 2 > two.txt\n---\n# fix\n")
    done = ran(repo, "tasks")
    assert set(done.statuses.values()) == {"merged"}
    branches = [task["branch"].lower() for task in done.json["tasks"]]
    assert len(set(branches)) == 2


def test_ids_given_in_upper_case_are_refused_with_what_would_do(repo: Repo) -> None:
    text = "version: 1\ntasks:\n  - {id: fix, title: A, run: 'true'}\n  - {id: Fix, title: B, run: 'true'}\n"
    assert refused(repo, batch(repo, text)).startswith(
        "batch.yaml:4:10: 'Fix' cannot name a branch (lower case"
    )


def test_a_dirty_tree_is_no_mistake(repo: Repo) -> None:
    repo.write("README.md", "changed\n")
    with running(repo) as spinney:
        done = spinney("run", "-c", "echo x > x.txt", "--title", "x")
    assert done.code == 0
    assert "note: uncommitted changes are not part of the run and stay as they are: README.md" in done.out


def test_a_shallow_repository_is_fine_and_noted(repo: Repo, tmp_path: Path) -> None:
    for number in range(3):
        repo.write("README.md", f"{number}\n")
        repo.commit()
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    shallow = Repo(tmp_path / "shallow")
    shallow.git("config", "user.name", "A")
    shallow.git("config", "user.email", "a@b")
    with running(shallow) as spinney:
        done = spinney("run", "-c", "echo x > x.txt", "--title", "x")
    assert done.code == 0, done
    assert "note: the repository is shallow" in done.out
