"""What changed in a worktree is found whole and committed as git itself would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.git import changes
from shared.git.repository import Repository, open_repository
from shared.git.worktrees import Worktree
from shared.model import Oid
from tests.git.conftest import commit_all
from tests.support import build
from tests.support.repository import Repo
from workflow_manager.workspace import Refusal, Workspace

pytestmark = pytest.mark.git


@pytest.fixture
def worktree(repo: Repo, make: Callable[..., Worktree]) -> Worktree:
    repo.write("docs/deep/page.md", "page\n")
    repo.write("run.sh", "#!/bin/sh\n")
    repo.write(".gitignore", "*.log\nbuild/\n")
    repo.commit()
    return make()


@pytest.fixture
def there(worktree: Worktree) -> Path:
    return Path(worktree.path)


@pytest.fixture
def scan(repo: Repo, worktree: Worktree, opened: Repository) -> Callable[[], tuple[str, ...]]:
    base = Oid(repo.head)

    def scanned() -> tuple[str, ...]:
        own = open_repository(worktree.admin_dir)
        head = Oid(str(own.head.target))
        return changes.scan(worktree.admin_dir, worktree.path, own, base, head)

    return scanned


def test_an_untouched_worktree_has_no_changes(scan: Callable[[], tuple[str, ...]]) -> None:
    assert scan() == ()


def test_everything_that_changed_is_found(there: Path, scan: Callable[[], tuple[str, ...]]) -> None:
    (there / "README.md").write_text("changed\n")
    (there / "src/app.py").rename(there / "src/main.py")
    (there / "docs/deep/page.md").unlink()
    (there / "run.sh").chmod(0o755)
    (there / "link").symlink_to("README.md")
    (there / 'a b\n"c" é.txt').write_text("x")
    (there / "new/folder").mkdir(parents=True)
    (there / "new/folder/file").write_text("x")
    (there / "new/empty").mkdir()
    (there / "noise.log").write_text("x")
    (there / "build").mkdir()
    (there / "build/out").write_text("x")
    (there / ".tasks").mkdir()
    (there / ".tasks/manifest.json").write_text("{}")
    assert scan() == tuple(
        sorted(["README.md", "src/app.py", "src/main.py", "docs/deep/page.md", "run.sh", "link", "a b\n\"c\" é.txt",
                "new/folder/file"])
    )  # fmt: skip


def test_what_an_agent_committed_is_found_too(there: Path, scan: Callable[[], tuple[str, ...]]) -> None:
    (there / "README.md").write_text("committed by the agent\n")
    Repo(there).commit("my own commit")
    (there / "other.txt").write_text("x")
    assert scan() == ("README.md", "other.txt")


def test_what_was_changed_and_changed_back_is_no_change(
    there: Path, scan: Callable[[], tuple[str, ...]]
) -> None:
    text = (there / "README.md").read_text()
    (there / "README.md").write_text("x")
    (there / "README.md").write_text(text)
    assert scan() == ()


# --- committed as git would: the tree is compared with what `git add --all` makes of the same folder


def modify(there: Path) -> None:
    (there / "README.md").write_text("changed\n")


def rename_and_delete(there: Path) -> None:
    (there / "src/app.py").rename(there / "moved.py")
    (there / "docs/deep/page.md").unlink()


def file_becomes_folder(there: Path) -> None:
    (there / "README.md").unlink()
    (there / "README.md").mkdir()
    (there / "README.md/part").write_text("x")


def folder_becomes_file(there: Path) -> None:
    shutil.rmtree(there / "docs")
    (there / "docs").write_text("now a file\n")


def folder_becomes_link(there: Path) -> None:
    """To a folder that has files of the same names: they must not be read through the link."""
    (there / "other/deep").mkdir(parents=True)
    (there / "other/deep/page.md").write_text("another page\n")
    shutil.rmtree(there / "docs")
    (there / "docs").symlink_to("other")


def link_becomes_file(there: Path) -> None:
    (there / "run.sh").unlink()
    (there / "run.sh").symlink_to("README.md")


def modes(there: Path) -> None:
    (there / "run.sh").chmod(0o755)
    (there / "README.md").chmod(0o600)


def odd_names(there: Path) -> None:
    for name in (
        "a b",
        "new\nline",
        "tab\t",
        '"quoted"',
        "-rf",
        "ünï",
        "*",
        "\\",
        ":(top)x",
        " lead",
        "trail ",
    ):
        (there / name).write_text(name)


def odd_contents(there: Path) -> None:
    (there / "crlf").write_bytes(b"a\r\nb\r\n")
    (there / "binary").write_bytes(bytes(range(256)))
    (there / "empty").touch()
    (there / "long").write_bytes(b"x" * 1_000_000)


def dangling_and_nested_links(there: Path) -> None:
    (there / "dangling").symlink_to("nowhere")
    (there / "deep").mkdir()
    (there / "deep/up").symlink_to("../README.md")


def everything_deleted(there: Path) -> None:
    for path in there.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


EDITS = [
    modify, rename_and_delete, file_becomes_folder, folder_becomes_file, folder_becomes_link, link_becomes_file, modes,
    odd_names, odd_contents, dangling_and_nested_links, everything_deleted,
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_a_phase_commit_is_what_git_would_have_made(
    repo: Repo,
    worktree: Worktree,
    there: Path,
    workspace: Callable[..., Workspace],
    edit: Callable[[Path], None],
) -> None:
    work = workspace(worktree)
    edit(there)
    oid, _ = commit_all(work, "[phase] message\n")
    own = Repo(there)
    assert own.git("status", "--porcelain") == "", "the index follows, so the worktree is clean"
    own.git("add", "--all")
    assert own.git("write-tree") == repo.git("rev-parse", f"{oid}^{{tree}}")
    assert repo.git("rev-parse", "spinney/task") == own.head == oid
    assert repo.git("rev-parse", f"{oid}^") == repo.head
    assert commit_all(work, "[next] nothing\n") == (None, ())


def test_a_submodules_link_is_carried_unchanged(
    repo: Repo, make: Callable[..., Worktree], workspace: Callable[..., Workspace]
) -> None:
    link = repo.head
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{link},module")
    repo.write(".gitmodules", '[submodule "module"]\n\tpath = module\n\turl = ../module\n')
    repo.git("add", ".gitmodules")
    repo.git("commit", "--quiet", "-m", "module")
    made = make()
    work = workspace(made)
    Path(made.path, "README.md").write_text("changed\n")
    oid, paths = commit_all(work, "[phase] message\n")
    assert paths == ("README.md",)
    assert repo.git("ls-tree", str(oid), "module").split()[:3] == ["160000", "commit", link]


def test_agents_own_commits_become_part_of_the_one_phase_commit(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    work = workspace(worktree)
    for number in range(3):
        (there / f"{number}.txt").write_text("x")
        Repo(there).commit(f"agent's commit {number}")
    (there / "left.txt").write_text("not committed by the agent")
    oid, paths = commit_all(work, "[phase] message\n")
    assert paths == ("0.txt", "1.txt", "2.txt", "left.txt")
    assert repo.log(f"{repo.head}..spinney/task") == ["[phase] message"]
    assert repo.git("rev-parse", "spinney/task") == oid


def test_commits_of_an_agent_that_undo_each_other_leave_no_trace(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    work = workspace(worktree)
    (there / "x.txt").write_text("x")
    Repo(there).commit()
    Repo(there).git("rm", "--quiet", "x.txt")
    Repo(there).commit()
    assert commit_all(work, "[phase] message\n") == (None, ())
    assert repo.git("rev-parse", "spinney/task") == repo.head
    assert Repo(there).head == repo.head


def test_an_agent_on_a_branch_of_its_own_is_brought_back(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    work = workspace(worktree)
    Repo(there).git("switch", "--quiet", "--create", "my-own")
    (there / "x.txt").write_text("x")
    Repo(there).commit()
    oid, paths = commit_all(work, "[phase] message\n")
    assert paths == ("x.txt",)
    assert repo.git("rev-parse", "spinney/task") == oid
    assert Repo(there).git("status", "--porcelain", "--branch") == "## spinney/task"


@pytest.mark.parametrize("where", ["/etc", "../../outside", "."])
def test_files_are_not_read_through_a_link_out_of_the_tree(
    repo: Repo,
    worktree: Worktree,
    there: Path,
    workspace: Callable[..., Workspace],
    tmp_path: Path,
    where: str,
) -> None:
    """A tracked folder replaced by a link: its files are gone, whatever is found behind the link."""
    outside = there.parent.parent / "outside"
    outside.mkdir()
    (outside / "app.py").write_text("secret\n")
    shutil.rmtree(there / "src")
    (there / "src").symlink_to(where if where != "." else str(outside))
    work = workspace(worktree, build.task("task", allow=("symlinks",)))
    oid, _ = commit_all(work, "[phase] message\n")
    assert repo.git("ls-tree", str(oid), "src").split()[0] == "120000"
    assert Repo(there).git("status", "--porcelain") == ""


def test_salvage_does_not_read_through_links_either(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    outside = there.parent.parent / "outside"
    outside.mkdir()
    (outside / "app.py").write_text("secret\n")
    shutil.rmtree(there / "src")
    (there / "src").symlink_to(outside)
    kept = workspace(worktree).salvage("a test")
    assert repo.git("ls-tree", str(kept), "src").split()[0] == "120000"


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("a nested repository", lambda there: Repo(there).git("init", "--quiet", "inside"), "inside: a repository inside"),
    ("a link out", lambda there: (there / "out").symlink_to("/etc/passwd"), "out: a link to '/etc/passwd' leaves"),
    ("attributes", lambda there: (there / ".gitattributes").write_text("* text\n"), ".gitattributes: it changes how git"),
    ("a large file", lambda there: (there / "big").write_bytes(b"x" * 10_485_761), "big: 10485761 bytes are over"),
    ("agents' settings", lambda there: (there / "CLAUDE.md").write_text("x"), "CLAUDE.md: it configures coding agents"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_may_not_be_committed_is_refused_and_stays_in_the_worktree(
    repo: Repo,
    worktree: Worktree,
    there: Path,
    workspace: Callable[..., Workspace],
    plant: Callable[[Path], object],
    message: str,
) -> None:
    work = workspace(worktree)
    (there / "README.md").write_text("changed\n")
    plant(there)
    before = sorted(os.listdir(there))
    with pytest.raises(Refusal) as caught:
        commit_all(work, "[phase] message\n")
    assert caught.value.message.startswith(message)
    assert sorted(os.listdir(there)) == before
    assert repo.git("rev-parse", "spinney/task") == repo.head


def test_a_gitlink_that_an_agent_staged_is_not_committed(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    work = workspace(worktree)
    own = Repo(there)
    own.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head},sneaky")
    own.git("commit", "--quiet", "-m", "a gitlink")
    (there / "x.txt").write_text("x")
    oid, _ = commit_all(work, "[phase] message\n")
    assert repo.files(str(oid)) == sorted([*repo.files("main"), "x.txt"])


def test_set_up_leftovers_are_not_part_of_the_work(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    work = workspace(worktree)
    (there / "generated.txt").write_text("by set-up")
    (there / "README.md").write_text("changed by set-up\n")
    work.settle()
    (there / "work.txt").write_text("by an agent")
    oid, paths = commit_all(work, "[phase] message\n")
    assert paths == ("work.txt",)
    (there / "generated.txt").write_text("by an agent now")
    oid, paths = commit_all(work, "[next] message\n")
    assert paths == ("generated.txt",)
    assert repo.read(str(oid), "README.md") == "# A repository for tests"


def test_an_interrupted_phase_is_salvaged_and_begun_again(
    repo: Repo, worktree: Worktree, there: Path, workspace: Callable[..., Workspace]
) -> None:
    work = workspace(worktree)
    (there / "done.txt").write_text("done")
    commit_all(work, "[first] message\n")
    (there / "half.txt").write_text("half")
    (there / "done.txt").write_text("overwritten")
    Repo(there).git("add", "--all")
    (Path(worktree.admin_dir) / "index.lock").touch()
    (Path(worktree.admin_dir) / "HEAD.lock").touch()
    kept = workspace(worktree, base=repo.head).start_again()
    assert kept is not None
    assert repo.read(kept, "half.txt") == "half"
    assert list(repo.refs("refs/spinney/salvage").values()) == [kept]
    assert not (there / "half.txt").exists()
    assert (there / "done.txt").read_text() == "done"
    assert Repo(there).git("status", "--porcelain", "--branch") == "## spinney/task"


def test_writing_out_never_follows_a_link(repo: Repo, opened: Repository, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "busy").mkdir(parents=True)
    (root / "busy/ignored.log").touch()
    outside.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "target")
    blob = (Oid(repo.git("hash-object", "-w", "README.md")), 0o100644)
    changes.write_out(opened, str(root), {"folder/deep/x": blob, "file": blob, "busy": blob, "gone": None})
    assert list(outside.iterdir()) == []
    for name in ("folder/deep/x", "file", "busy"):
        assert (root / name).read_text() == "# A repository for tests\n"
        assert not (root / name).is_symlink()


def test_writing_out_removes_folders_that_become_empty(
    repo: Repo, opened: Repository, tmp_path: Path
) -> None:
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/x").touch()
    changes.write_out(opened, str(tmp_path / "root"), {"a/b/x": None})
    assert list((tmp_path / "root").iterdir()) == []
