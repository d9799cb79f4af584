"""What agents that work at the same time leave, and whose commit it goes into."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.git.worktrees import Worktree, Worktrees
from shared.model import Agent
from tests.support.build import agent, phase, workflow
from tests.support.build import task as build_task
from tests.support.repository import Repo
from workflow_manager.workspace import Refusal, Workspace

Opened = tuple[Workspace, Path]
SRC, DOCS, ALL = agent("SRC", writes=("src/**",)), agent("DOCS", writes=("docs/**",)), agent("ALL")
LATER = agent("LATER", writes=("src/**", "extra/**"))


@pytest.fixture
def task(make: Callable[..., Worktree], workspace: Callable[..., Workspace]) -> Opened:
    worktree = make()
    return workspace(worktree), Path(worktree.path)


def write(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


def run(task: Opened, phase: str, who: Agent, files: dict[str, str]) -> None:
    work, folder = task
    work.starts(phase, who)
    for path, text in files.items():
        write(folder, path, text)
    work.ends(phase, who)


def test_commit_of_a_phase_holds_nothing_of_an_agent_that_still_works(repo: Repo, task: Opened) -> None:
    work, folder = task
    work.starts("two", LATER)
    write(folder, "extra/half.txt", "half")
    run(task, "one", DOCS, {"docs/a.md": "done"})
    oid, paths = work.commit("one", "one\n")
    assert paths == ("docs/a.md",)
    assert repo.files(str(oid)) == ["README.md", "docs/a.md", "src/app.py"]
    work.ends("two", LATER)
    oid, paths = work.commit("two", "two\n")
    assert paths == ("extra/half.txt",)
    assert repo.read(str(oid), "extra/half.txt") == "half"


def test_later_phase_that_goes_on_from_a_file_does_not_change_the_earlier_commit(
    repo: Repo, task: Opened
) -> None:
    work, folder = task
    work.starts("one", DOCS)  # slow, so that phase one is still open
    run(task, "one", SRC, {"src/app.py": "by SRC\n", "src/new.py": "new\n"})
    work.starts("two", LATER)
    write(folder, "src/app.py", "by LATER\n")
    (folder / "src/new.py").unlink()
    write(folder, "docs/a.md", "by DOCS\n")
    work.ends("one", DOCS)
    one, _ = work.commit("one", "one\n")
    assert repo.read(str(one), "src/app.py") == "by SRC"
    assert repo.read(str(one), "src/new.py") == "new"
    work.ends("two", LATER)
    two, paths = work.commit("two", "two\n")
    assert repo.read(str(two), "src/app.py") == "by LATER"
    assert repo.files(str(two)) == ["README.md", "docs/a.md", "src/app.py"]
    assert paths == ("src/app.py", "src/new.py")
    assert (work.left_by(SRC.name), work.left_by(LATER.name)) == (
        ("src/app.py", "src/new.py"),
        ("src/app.py", "src/new.py"),
    )


def test_later_phase_that_takes_a_change_back_leaves_both_commits_true(repo: Repo, task: Opened) -> None:
    work, folder = task
    before = (folder / "src/app.py").read_text()
    work.starts("one", DOCS)
    run(task, "one", SRC, {"src/app.py": "changed\n"})
    run(task, "two", LATER, {"src/app.py": before})
    work.ends("one", DOCS)
    one, _ = work.commit("one", "one\n")
    two, _ = work.commit("two", "two\n")
    assert repo.read(str(one), "src/app.py") == "changed"
    assert repo.read(str(two), "src/app.py") == before.removesuffix("\n")


def test_second_try_that_is_under_way_is_not_held_against_its_phase(task: Opened) -> None:
    work, folder = task
    run(task, "two", LATER, {"src/first.py": "first try"})
    work.starts("two", LATER)
    write(folder, "extra/.gitattributes", "half done, and gone again")
    run(task, "one", DOCS, {"docs/a.md": "x"})
    work.commit("one", "one\n")
    (folder / "extra/.gitattributes").unlink()
    work.ends("two", LATER)
    assert work.commit("two", "two\n")[1] == ("src/first.py",)


def test_tree_after_all_phases_is_what_the_worktree_holds(repo: Repo, task: Opened) -> None:
    work, folder = task
    work.starts("one", DOCS)
    run(task, "one", SRC, {"src/a.py": "1"})
    run(task, "two", LATER, {"src/b.py": "2", "src/a.py": "3"})
    write(folder, "docs/x.md", "4")
    work.ends("one", DOCS)
    work.commit("one", "one\n")
    oid, _ = work.commit("two", "two\n")
    on_disk = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".git"}
    assert set(repo.files(str(oid))) == on_disk
    assert repo.git("-C", str(folder), "status", "--porcelain") == ""


def test_who_may_write_anywhere_owns_what_nobody_else_does(task: Opened) -> None:
    work, _ = task
    run(task, "one", ALL, {"anything.txt": "x", "src/app.py": "y"})
    assert work.commit("one", "one\n")[1] == ("anything.txt", "src/app.py")


def test_reader_that_works_beside_a_writer_is_not_taken_for_its_author(task: Opened) -> None:
    work, folder = task
    reader = agent("READER", writes=())
    work.starts("two", ALL)
    write(folder, "made.txt", "x")
    work.starts("one", reader)
    work.ends("one", reader)
    assert work.commit("one", "one\n") == (None, ())
    work.ends("two", ALL)
    assert work.commit("two", "two\n")[1] == ("made.txt",)


def test_path_that_nobody_at_work_may_write_is_refused_with_who_was_there(task: Opened) -> None:
    work, folder = task
    work.starts("one", DOCS)
    work.starts("one", SRC)
    write(folder, "elsewhere.txt", "x")
    work.ends("one", SRC)
    work.ends("one", DOCS)
    with pytest.raises(Refusal, match=r"DOCS, SRC wrote outside the declared `writes`: elsewhere\.txt"):
        work.commit("one", "one\n")


def test_what_may_not_be_committed_is_refused_although_a_later_phase_removed_it(task: Opened) -> None:
    work, folder = task
    work.starts("one", DOCS)
    run(task, "one", agent("CONF", writes=("conf/**",)), {"conf/.gitattributes": "* text"})
    work.starts("two", agent("LAST", writes=("conf/**",)))
    (folder / "conf/.gitattributes").unlink()
    work.ends("one", DOCS)
    with pytest.raises(Refusal, match="it changes how git treats files"):
        work.commit("one", "one\n")


def test_changed_lines_count_what_is_committed_and_what_is_not(task: Opened) -> None:
    work, _ = task
    run(task, "one", ALL, {"a.md": "1\n2\n3\n"})
    work.commit("one", "one\n")
    run(task, "two", ALL, {"b.md": "1\n", "a.md": "1\n2\n"})
    assert work.changed_lines() == {"a.md": 2, "b.md": 1}


# --- scratch worktrees


def apart(work: Workspace, who: Agent, files: dict[str, str], phase: str = "one"):  # type: ignore[no-untyped-def]
    scratch = work.scratch(phase, who)
    for path, text in files.items():
        write(Path(scratch.worktree.path), path, text)
    return scratch


def test_scratch_work_goes_into_its_own_phase(repo: Repo, task: Opened) -> None:
    work, folder = task
    later = apart(work, agent("B"), {"b.txt": "b"}, "two")
    run(task, "one", ALL, {"a.txt": "a"})
    assert work.fold(later) is None
    work.scratches.drop(later)
    assert (folder / "b.txt").read_text() == "b"
    one, _ = work.commit("one", "one\n")
    assert repo.files(str(one)) == ["README.md", "a.txt", "src/app.py"]
    two, _ = work.commit("two", "two\n")
    assert repo.files(str(two)) == ["README.md", "a.txt", "b.txt", "src/app.py"]


def test_scratch_starts_without_the_half_done_work_of_others(task: Opened) -> None:
    work, folder = task
    work.starts("one", SRC)
    write(folder, "src/half.py", "half")
    scratch = work.scratch("one", agent("B"))
    assert not Path(scratch.worktree.path, "src/half.py").exists()


def test_scratch_work_never_overwrites_what_an_agent_is_writing(task: Opened) -> None:
    work, folder = task
    forced = agent("FORCED", isolation="shared")
    work.starts("one", forced)
    write(folder, "src/app.py", "being written\n")
    scratch = apart(work, agent("B"), {"src/app.py": "other\n"})
    conflict = work.fold(scratch)
    assert conflict is not None
    assert conflict.paths == ("src/app.py",)
    assert (folder / "src/app.py").read_text() == "being written\n"


def collide(work: Workspace):  # type: ignore[no-untyped-def]
    first, second = (
        apart(work, agent("A"), {"src/app.py": "A\n"}),
        apart(work, agent("B"), {"src/app.py": "B\n"}),
    )
    assert work.fold(first) is None
    work.scratches.drop(first)
    conflict = work.fold(second)
    assert conflict is not None
    assert conflict.paths == ("src/app.py",)
    return conflict


def test_conflict_can_be_resolved_with_both_sides_between_markers(repo: Repo, task: Opened) -> None:
    work, folder = task
    conflict = collide(work)
    resolving = work.conflicted(conflict, agent("FIXER"))
    assert resolving.resolves == ("src/app.py",)
    shown = Path(resolving.worktree.path, "src/app.py")
    assert [line[:7] for line in shown.read_text().splitlines()] == [
        "<<<<<<<",
        "A",
        "=======",
        "B",
        ">>>>>>>",
    ]
    shown.write_text("A and B\n")
    assert work.fold(resolving) is None
    assert (folder / "src/app.py").read_text() == "A and B\n"
    oid, _ = work.commit("one", "one\n")
    assert repo.read(str(oid), "src/app.py") == "A and B"


def test_markers_that_are_left_are_no_resolution(task: Opened) -> None:
    work, _ = task
    resolving = work.conflicted(collide(work), agent("FIXER"))
    with pytest.raises(Refusal, match=r"conflict markers are left in src/app\.py"):
        work.fold(resolving)


def test_conflict_that_is_given_up_is_kept_on_a_ref(repo: Repo, task: Opened) -> None:
    work, _ = task
    work.give_up(collide(work))
    (ref,) = repo.git("for-each-ref", "--format=%(refname)", "refs/spinney/salvage").splitlines()
    assert repo.read(ref, "src/app.py") == "B"


def test_file_removed_on_one_side_and_changed_on_the_other_is_shown_as_changed(task: Opened) -> None:
    work, _ = task
    first = work.scratch("one", agent("A"))
    second = apart(work, agent("B"), {"src/app.py": "B\n"})
    Path(first.worktree.path, "src/app.py").unlink()
    assert work.fold(first) is None
    work.scratches.drop(first)
    conflict = work.fold(second)
    assert conflict is not None
    resolving = work.conflicted(conflict, agent("FIXER"))
    assert Path(resolving.worktree.path, "src/app.py").read_text() == "B\n"


def test_files_that_come_and_go_beside_it_do_not_hinder_who_takes_in_what_others_left(
    repo: Repo, task: Opened
) -> None:
    work, folder = task
    busy = agent("BUSY", writes=("tmp/**",))
    work.starts("two", busy)
    over = threading.Event()

    def churn() -> None:
        number = 0
        while not over.is_set():
            number += 1
            write(folder, f"tmp/{number % 50}.txt", "x")
            (folder / f"tmp/{(number - 25) % 50}.txt").unlink(missing_ok=True)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for number in range(20):
            run(task, "one", SRC, {f"src/{number}.py": "x"})
            work.absorb()
    finally:
        over.set()
        thread.join()
    oid, paths = work.commit("one", "one\n")
    assert len(paths) == 20
    assert not [path for path in repo.files(str(oid)) if path.startswith("tmp/")]


def test_file_that_becomes_a_folder_in_a_scratch_worktree_is_one_in_the_task(
    repo: Repo, task: Opened
) -> None:
    work, folder = task
    scratch = work.scratch("one", agent("A"))
    place = Path(scratch.worktree.path)
    (place / "README.md").unlink()
    write(place, "README.md/inside", "x")
    assert work.fold(scratch) is None
    assert (folder / "README.md/inside").read_text() == "x"
    oid, _ = work.commit("one", "one\n")
    assert repo.files(str(oid)) == ["README.md/inside", "src/app.py"]


def test_scratch_work_of_a_killed_manager_is_kept_on_a_ref_and_its_worktree_goes(
    repo: Repo, task: Opened, workspace: Callable[..., Workspace], worktrees: Worktrees
) -> None:
    work, _ = task
    apart(work, agent("A"), {"src/app.py": "A\n"})
    apart(work, agent("B"), {})
    half = apart(work, agent("C"), {"src/app.py": "C\n"})
    (
        repo.git_dir / "spinney/indexes" / Path(half.worktree.admin_dir).name
    ).unlink()  # while it was checked out
    again = workspace(worktrees.at("task"))
    again.start_again()
    kept = repo.refs("refs/spinney/salvage").values()
    assert [repo.read(oid, "src/app.py") for oid in kept] == ["A"]
    assert worktrees.names() == ["task"]
    assert repo.refs("refs/spinney/scratch") == {}


def test_agent_of_an_earlier_phase_that_goes_on_from_a_later_one_is_committed_with_that_one(
    repo: Repo, make: Callable[..., Worktree], workspace: Callable[..., Workspace]
) -> None:
    both = workflow(phase("one", agent("SLOW"), agent("B")), phase("two", agent("A")))
    work = workspace(make(), build_task("task", workflow=both))
    first = apart(work, agent("A"), {"list.txt": "A\n"}, "two")
    assert work.fold(first) is None
    second = apart(work, agent("B"), {"list.txt": "A\nB\n", "b.txt": "b\n"}, "one")
    assert work.fold(second) is None
    one, paths = work.commit("one", "one\n")
    assert paths == ("b.txt",)
    assert repo.files(str(one)) == ["README.md", "b.txt", "src/app.py"]
    two, _ = work.commit("two", "two\n")
    assert repo.read(str(two), "list.txt") == "A\nB"


def test_locks_of_a_manager_that_was_killed_while_it_moved_a_ref_do_not_hinder_the_next_one(
    repo: Repo, task: Opened, workspace: Callable[..., Workspace], worktrees: Worktrees
) -> None:
    work, _ = task
    apart(work, agent("A"), {"src/app.py": "A\n"})
    for ref in ("refs/heads/spinney/task", *repo.refs("refs/spinney/scratch")):
        (repo.git_dir / f"{ref}.lock").touch()
    again = workspace(worktrees.at("task"))
    again.start_again()
    run((again, again.root), "one", ALL, {"a.txt": "x"})
    assert again.commit("one", "one\n")[0] == repo.git("rev-parse", "spinney/task")
