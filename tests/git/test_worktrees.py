"""Worktrees: made, used again and removed whole, whatever was done to them and whenever they were killed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import GitError
from shared.git.repository import Repository, open_repository, read_ref
from shared.git.worktrees import Worktree, Worktrees, ensure_branch
from shared.model import Oid
from tests.support.repository import Repo
from tests.support.running import snapshot

pytestmark = pytest.mark.git

Make = Callable[..., Worktree]


def contents(folder: str | Path) -> dict[str, str]:
    """Files and links of a worktree, without its ``.git``."""
    root = Path(folder)
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name != ".git" and not name.startswith(".git/") and (path.is_symlink() or not path.is_dir()):
            found[name] = f"→ {os.readlink(path)}" if path.is_symlink() else path.read_text()
    return found


CLEAN = {"README.md": "# A repository for tests\n", "src/app.py": "def answer():\n    return 42\n"}


def test_a_worktree_holds_the_commit_on_its_branch(repo: Repo, make: Make) -> None:
    made = make()
    assert contents(made.path) == CLEAN
    there = Repo(Path(made.path))
    assert there.git("status", "--porcelain", "--branch") == "## spinney/task"
    assert there.git("rev-parse", "HEAD") == repo.head
    assert Path(made.path, ".git").read_text() == f"gitdir: {made.admin_dir}\n"


def test_git_knows_the_worktree_as_its_own(repo: Repo, make: Make) -> None:
    made = make()
    listed = repo.git("worktree", "list", "--porcelain").split("\n\n")[1].splitlines()
    assert listed == [
        f"worktree {made.path}", f"HEAD {repo.head}", "branch refs/heads/spinney/task", "locked spinney",
    ]  # fmt: skip
    repo.git("worktree", "prune", "--expire=now")
    assert made.exists


def test_making_one_leaves_everything_of_the_users_alone(repo: Repo, make: Make) -> None:
    repo.write("dirty.txt", "x")
    before = {path: shot for path, shot in snapshot(repo.path).items() if Path(path).is_file()}
    make()
    after = snapshot(repo.path)
    assert {path: after.get(path) for path in before} == before


def test_a_worktree_without_a_branch_is_detached(repo: Repo, worktrees: Worktrees) -> None:
    made = worktrees.create("@gate", Oid(repo.head), None)
    assert Path(made.admin_dir, "HEAD").read_text() == f"{repo.head}\n"
    assert contents(made.path) == CLEAN


def test_folders_with_spaces_quotes_and_newlines_are_no_matter(repo: Repo, tmp_path: Path) -> None:
    folder = tmp_path / "a 'b' \"c\"\nd $(touch x) é"
    made = Worktrees(repo.git_dir, folder).create("task", Oid(repo.head), None)
    assert contents(made.path) == CLEAN


def test_what_is_in_the_way_is_put_aside(repo: Repo, worktrees: Worktrees, make: Make) -> None:
    folder = repo.path.with_name("repo.spinney")
    (folder / "task").mkdir(parents=True)
    (folder / "task/old").write_text("x")
    (folder / "spinney-task").symlink_to(repo.path)
    admin = repo.git_dir / "worktrees/spinney-task"
    admin.mkdir(parents=True)
    (admin / "HEAD").write_text("nonsense")
    assert contents(make().path) == CLEAN
    assert contents(repo.path) == CLEAN


def test_a_worktree_of_the_users_with_the_same_name_is_left_alone(repo: Repo, make: Make) -> None:
    theirs = repo.path.with_name("task")
    repo.git("worktree", "add", "--quiet", "--detach", str(theirs))
    make()
    assert contents(theirs) == CLEAN
    assert Repo(theirs).git("status", "--porcelain") == ""


def hide_by_assume_unchanged(there: Repo) -> None:
    there.git("update-index", "--assume-unchanged", "README.md", "src/app.py")


def hide_by_skip_worktree(there: Repo) -> None:
    there.git("update-index", "--skip-worktree", "README.md", "src/app.py")


def hide_by_times(there: Repo) -> None:
    for name in ("README.md", "src/app.py"):
        path = there.path / name
        status = path.stat()
        path.write_text("X" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def hide_by_the_index(there: Repo) -> None:
    there.git("add", "--all")


def hide_by_no_index(there: Repo) -> None:
    admin = Path(there.path.joinpath(".git").read_text().removeprefix("gitdir: ").strip())
    (admin / "index").unlink()


def hide_by_a_broken_index(there: Repo) -> None:
    admin = Path(there.path.joinpath(".git").read_text().removeprefix("gitdir: ").strip())
    (admin / "index").write_bytes(b"DIRC\0\0\0\2garbage")


def hide_by_a_lock(there: Repo) -> None:
    admin = Path(there.path.joinpath(".git").read_text().removeprefix("gitdir: ").strip())
    (admin / "index.lock").touch()
    (admin / "HEAD.lock").touch()


def hide_by_an_index_of_ones_own(there: Repo) -> None:
    """Every copy of the index within reach is replaced by one that says nothing has changed."""
    there.git("update-index", "--assume-unchanged", "README.md", "src/app.py")
    admin = Path(there.path.joinpath(".git").read_text().removeprefix("gitdir: ").strip())
    for copy in admin.glob("*index*"):
        if copy.name != "index":
            shutil.copy2(admin / "index", copy)


def hide_by_settings(there: Repo) -> None:
    admin = Path(there.path.joinpath(".git").read_text().removeprefix("gitdir: ").strip())
    (admin / "config.worktree").write_text(
        "[core]\n\tignoreStat = true\n\ttrustctime = false\n\tcheckStat = minimal\n\tsparseCheckout = true\n"
    )
    (admin / "info").mkdir(exist_ok=True)
    (admin / "info/sparse-checkout").write_text("/nothing\n")
    hide_by_times(there)


def hide_by_no_link(there: Repo) -> None:
    (there.path / ".git").unlink()


def hide_by_a_directory(there: Repo) -> None:
    (there.path / ".git").unlink()
    (there.path / ".git").mkdir()
    (there.path / ".git/HEAD").write_text("x")


def hide_by_a_link(there: Repo) -> None:
    (there.path / ".git").unlink()
    (there.path / ".git").symlink_to("/nowhere")


def leave_a_mess(there: Repo) -> None:
    (there.path / "README.md").unlink()
    (there.path / "README.md").mkdir()
    (there.path / "README.md/file").write_text("x")
    shutil.rmtree(there.path / "src")
    (there.path / "src").symlink_to("/etc")
    there.git("init", "--quiet", "nested")
    (there.path / "nested/deep").mkdir()
    (there.path / "nested/deep/file").write_text("x")
    (there.path / "empty/folder").mkdir(parents=True)
    (there.path / "-n --force\n").write_text("x")


HIDERS = [
    hide_by_assume_unchanged, hide_by_skip_worktree, hide_by_times, hide_by_the_index, hide_by_no_index,
    hide_by_a_broken_index, hide_by_a_lock, hide_by_an_index_of_ones_own, hide_by_settings, hide_by_no_link,
    hide_by_a_directory, hide_by_a_link, leave_a_mess,
]  # fmt: skip
hiders = pytest.mark.parametrize("hide", HIDERS, ids=lambda hide: hide.__name__)


@pytest.fixture
def used(repo: Repo, make: Make) -> Callable[[Callable[[Repo], None]], Worktree]:
    """A worktree in which an agent changed everything and then hid it."""

    def made(hide: Callable[[Repo], None]) -> Worktree:
        repo.git("config", "extensions.worktreeConfig", "true")
        worktree = make()
        for name in CLEAN:
            Path(worktree.path, name).write_text("evil\n")
        Path(worktree.path, "untracked.txt").write_text("x")
        hide(Repo(Path(worktree.path)))
        return worktree

    return made


@hiders
def test_a_reused_worktree_is_as_a_fresh_one(
    repo: Repo, worktrees: Worktrees, used: Callable[..., Worktree], hide: Callable[[Repo], None]
) -> None:
    old = used(hide)
    Path(old.path, "ignored.log").write_text("x")
    (repo.git_dir / "info").mkdir(exist_ok=True)
    (repo.git_dir / "info/exclude").write_text("*.log\n")
    repo.write("new.txt", "new\n")
    newer = repo.commit()
    made = worktrees.reuse(old, "next", Oid(newer), None)
    assert contents(made.path) == {**CLEAN, "new.txt": "new\n"}
    assert Repo(Path(made.path)).git("status", "--porcelain", "--ignored") == ""
    assert not Path(old.path).exists()
    assert not Path(old.admin_dir).exists()
    assert not (Path(made.path) / "empty").exists()


@hiders
def test_a_restored_worktree_is_as_its_commit(
    repo: Repo, worktrees: Worktrees, used: Callable[..., Worktree], hide: Callable[[Repo], None]
) -> None:
    old = used(hide)
    worktrees.restore(old, Oid(repo.head), "spinney/task")
    assert contents(old.path) == CLEAN
    assert Repo(Path(old.path)).git("status", "--porcelain", "--branch") == "## spinney/task"


@hiders
def test_the_gates_worktree_holds_exactly_what_is_gated(
    repo: Repo, worktrees: Worktrees, hide: Callable[[Repo], None]
) -> None:
    """What runs in the gate is code of agents too; the next tree must not be judged by its leftovers."""
    gate = worktrees.create("@gate", Oid(repo.head), None)
    for name in CLEAN:
        Path(gate.path, name).write_text("evil\n")
    hide(Repo(Path(gate.path)))
    repo.write("new.txt", "new\n")
    worktrees.move_to(gate, Oid(repo.commit()))
    assert contents(gate.path) == {**CLEAN, "new.txt": "new\n"}


@pytest.mark.parametrize("torn", [b"", b"DIRC\0\0\0\2\0\0\0\2", None], ids=["empty", "half", "missing"])
def test_a_torn_copy_of_the_index_costs_only_time(
    repo: Repo, worktrees: Worktrees, make: Make, torn: bytes | None
) -> None:
    made = make()
    [copy] = (repo.git_dir / "spinney/indexes").iterdir()
    copy.unlink()
    if torn is not None:
        copy.write_bytes(torn)
    Path(made.path, "README.md").write_text("changed\n")
    worktrees.restore(made, Oid(repo.head), "spinney/task")
    assert contents(made.path) == CLEAN
    assert Repo(Path(made.path)).git("status", "--porcelain") == ""


def test_ignored_files_stay_when_a_worktree_is_restored_or_warm(
    repo: Repo, worktrees: Worktrees, make: Make
) -> None:
    repo.write(".gitignore", "*.cache\n")
    repo.commit()
    made = make()
    Path(made.path, "build.cache").write_text("warm")
    (Path(made.path) / ".tasks").mkdir()
    Path(made.path, ".tasks/manifest.json").write_text("{}")
    worktrees.restore(made, Oid(repo.head), "spinney/task")
    assert Path(made.path, "build.cache").read_text() == "warm"
    assert Path(made.path, ".tasks/manifest.json").exists()
    worktrees.move_to(made, Oid(repo.head))
    assert Path(made.path, "build.cache").read_text() == "warm"


def test_a_reused_worktree_is_used_again_and_again(repo: Repo, worktrees: Worktrees, make: Make) -> None:
    current = make("first")
    for number in range(4):
        Path(current.path, "README.md").write_text("changed\n")
        Repo(Path(current.path)).git("update-index", "--assume-unchanged", "README.md")
        current = worktrees.reuse(current, f"next-{number}", Oid(repo.head), None)
        assert contents(current.path) == CLEAN


def test_a_removed_worktree_is_gone_from_git_and_disk(repo: Repo, worktrees: Worktrees, make: Make) -> None:
    made = make()
    worktrees.remove(made)
    assert not made.exists
    assert repo.git("worktree", "list").count("\n") == 0
    worktrees.empty_trash()
    assert not Path(made.path).parent.exists()
    assert read_ref(open_repository(repo.git_dir), "refs/heads/spinney/task") == repo.head


def test_removing_what_is_not_there_is_no_error(worktrees: Worktrees) -> None:
    worktrees.remove(worktrees.at("nobody"))
    worktrees.empty_trash()


def test_the_trash_is_emptied_of_read_only_folders(repo: Repo, worktrees: Worktrees, make: Make) -> None:
    made = make()
    locked = Path(made.path, "locked")
    locked.mkdir()
    (locked / "file").touch()
    worktrees.remove(made)
    worktrees.empty_trash()
    assert not Path(made.path).parent.exists()


def test_a_branch_elsewhere_is_not_taken_over(repo: Repo, opened: Repository) -> None:
    old = Oid(repo.head)
    ensure_branch(opened, "spinney/task", old)
    ensure_branch(opened, "spinney/task", old)
    newer = Oid(repo.commit())
    with pytest.raises(GitError, match="the branch spinney/task exists already, at another commit"):
        ensure_branch(opened, "spinney/task", newer)
    assert read_ref(opened, "refs/heads/spinney/task") == old


# --- killed while they are made

_CREATE = """
import sys
from pathlib import Path
from shared.git.worktrees import Worktrees
print("begin", flush=True)
Worktrees(Path(sys.argv[1]), Path(sys.argv[2])).create("task", sys.argv[3], "spinney/task")
print("end", flush=True)
"""


def kill_a_creation(repo: Repo, folder: Path, after: float) -> bool:
    """Start a creation and kill it, git included, ``after`` seconds; whether it had ended by then."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CREATE, str(repo.git_dir), str(folder), repo.head],
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begin\n"
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    rest = process.communicate()[0]
    return bool(rest)


def assert_recovers(repo: Repo, worktrees: Worktrees) -> None:
    began = time.monotonic()
    made = worktrees.create("task", Oid(repo.head), "spinney/task")
    assert time.monotonic() - began < 1.0
    assert made.exists
    assert Repo(Path(made.path)).git("status", "--porcelain", "--branch") == "## spinney/task"
    assert len(contents(made.path)) == len(repo.files("HEAD"))
    assert [path.name for path in (repo.git_dir / "worktrees").iterdir()] == ["spinney-task"]
    assert list(repo.git_dir.rglob("*.lock")) in ([], [repo.git_dir / "spinney/worktrees.lock"])
    worktrees.remove(made)
    worktrees.empty_trash()
    assert repo.git("worktree", "list").count("\n") == 0


@pytest.fixture
def larger(repo: Repo, opened: Repository) -> Repo:
    """With enough files that a checkout takes some milliseconds."""
    for number in range(300):
        repo.write(f"many/{number % 20}/{number}.txt", f"{number}\n" * 50)
    repo.commit()
    ensure_branch(opened, "spinney/task", Oid(repo.head))
    return repo


def test_a_creation_killed_anywhere_recovers(larger: Repo, worktrees: Worktrees) -> None:
    folder = larger.path.with_name("repo.spinney")
    ended = [
        kill_a_creation(larger, folder, number * 0.003) or assert_recovers(larger, worktrees)
        for number in range(15)
    ]
    assert ended.count(None) > 2, "most of them were killed in the middle"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_hundred_killed_creations_recover(larger: Repo, worktrees: Worktrees) -> None:
    folder = larger.path.with_name("repo.spinney")
    chance = random.Random(5)
    killed = 0
    while killed < 300:
        if not kill_a_creation(larger, folder, chance.uniform(0.0, 0.06)):
            killed += 1
        assert_recovers(larger, worktrees)


@pytest.mark.parametrize("missing", ["HEAD", "commondir", "gitdir", "index", "locked", ".git", "everything"])
def test_half_an_administrative_folder_is_replaced(
    repo: Repo, worktrees: Worktrees, make: Make, missing: str
) -> None:
    made = make()
    if missing == "everything":
        shutil.rmtree(made.admin_dir)
        Path(made.admin_dir).mkdir()
    else:
        Path(made.path if missing == ".git" else made.admin_dir, missing).unlink()
    assert_recovers(repo, worktrees)


# --- many at once


def make_many(repo: Repo, opened: Repository, worktrees: Worktrees, count: int, at_once: int) -> None:
    head = Oid(repo.head)

    def one(number: int) -> Worktree:
        name = f"task-{number}"
        ensure_branch(open_repository(repo.git_dir), f"spinney/{name}", head)
        made = worktrees.create(name, head, f"spinney/{name}")
        if number % 3 == 0:
            worktrees.remove(made)
            made = worktrees.create(name, head, f"spinney/{name}")
        return made

    with ThreadPoolExecutor(at_once) as pool:
        made = list(pool.map(one, range(count)))
    assert all(worktree.exists for worktree in made)
    assert repo.git("worktree", "list").count("\n") == count
    assert all(contents(worktree.path) == CLEAN for worktree in made)
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(worktrees.remove, made))
    worktrees.empty_trash()
    assert list(repo.git_dir.glob("worktrees/*")) == []
    assert [path for path in repo.git_dir.rglob("*.lock") if path.name != "worktrees.lock"] == []


def test_twenty_four_worktrees_at_eight_at_once(repo: Repo, opened: Repository, worktrees: Worktrees) -> None:
    make_many(repo, opened, worktrees, 24, 8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ninety_six_worktrees_at_thirty_two_at_once_twenty_times(
    repo: Repo, opened: Repository, worktrees: Worktrees
) -> None:
    for round_ in range(20):
        for number in range(96):
            ref = f"refs/heads/spinney/task-{number}"
            if round_ and read_ref(opened, ref):
                repo.git("update-ref", "-d", ref)
        make_many(repo, opened, worktrees, 96, 32)
