"""The attack matrix: whatever an agent leaves for git to trip over, nothing of it ever runs.

Each attack plants a program in every place it can think of; then everything that Spinney does with a worktree
is done. The program would leave a marker.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.errors import SpinneyError
from shared.git import changes
from shared.git.fingerprint import take
from shared.git.merges import Merger
from shared.git.repository import Repository, checked_out_at, open_repository, refuse_unfit
from shared.git.worktrees import Worktree, Worktrees
from shared.model import Oid
from tests.git.conftest import commit_all
from tests.support import build
from tests.support.repository import Repo, git_environment
from workflow_manager.workspace import Refusal, Workspace

pytestmark = pytest.mark.git


@dataclass
class Field:
    """Where an attack may plant something."""

    repo: Repo
    worktree: Worktree
    program: Path  # leaves the marker when it runs

    @property
    def path(self) -> Path:
        return Path(self.worktree.path)

    @property
    def admin(self) -> Path:
        return Path(self.worktree.admin_dir)

    @property
    def git_dir(self) -> Path:
        return self.repo.git_dir

    def evil_config(self) -> str:
        """Every setting that makes git run something."""
        p = self.program
        return f"""
[core]
\tfsmonitor = {p}
\thooksPath = {self.hooks()}
\tsshCommand = {p}
\teditor = {p}
\tpager = {p}
\taskPass = {p}
\tgitProxy = {p}
\talternateRefsCommand = {p}
[filter "evil"]
\tclean = {p}
\tsmudge = {p}
\tprocess = {p}
\trequired = true
[diff]
\texternal = {p}
[diff "evil"]
\tcommand = {p}
\ttextconv = {p}
[merge "evil"]
\tdriver = {p} %A %O %B
[alias]
\tstatus = !{p}
\tread-tree = !{p}
\tclean = !{p}
\tls-files = !{p}
\tmerge-tree = !{p}
[credential]
\thelper = !{p}
[gpg]
\tprogram = {p}
[commit]
\tgpgSign = true
[sequence]
\teditor = {p}
[interactive]
\tdiffFilter = {p}
[uploadpack]
\tpackObjectsHook = {p}
[trailer "x"]
\tcommand = {p}
[pager]
\tstatus = {p}
[submodule]
\trecurse = true
[status]
\tsubmoduleSummary = true
"""

    def hooks(self) -> Path:
        folder = self.program.parent / "hooks"
        folder.mkdir(exist_ok=True)
        for name in HOOKS:
            shutil.copy2(self.program, folder / name)
        return folder

    def evil_repository(self, path: Path, *, bare: bool = False) -> Path:
        """A whole repository of the agent's at ``path``; returns its git directory."""
        path.mkdir(parents=True, exist_ok=True)
        command = ["git", "init", "--quiet", "--template=", *(["--bare"] if bare else []), str(path)]
        subprocess.run(command, check=True, env=git_environment())
        git_dir = path if bare else path / ".git"
        with (git_dir / "config").open("a") as file:
            file.write(self.evil_config())
        shutil.copytree(self.hooks(), git_dir / "hooks")
        return git_dir

    def attributes(self) -> None:
        (self.path / ".gitattributes").write_text("* filter=evil diff=evil merge=evil text ident\n")
        (self.path / "src/.gitattributes").write_text("* filter=evil diff=evil merge=evil\n")


HOOKS = (
    "post-checkout", "pre-commit", "post-commit", "commit-msg", "prepare-commit-msg", "post-index-change",
    "reference-transaction", "post-rewrite", "pre-merge-commit", "post-merge", "fsmonitor-watchman",
    "pre-auto-gc", "sendemail-validate", "push-to-checkout", "pre-push", "update", "pre-receive",
)  # fmt: skip


def hooks_in_the_git_directory(field: Field) -> None:
    shutil.copytree(field.hooks(), field.git_dir / "hooks", dirs_exist_ok=True)
    shutil.copytree(field.hooks(), field.admin / "hooks", dirs_exist_ok=True)


def settings_in_the_common_configuration(field: Field) -> None:
    with (field.git_dir / "config").open("a") as file:
        file.write(field.evil_config())


def settings_by_an_include(field: Field) -> None:
    evil = field.path / "evil.cfg"
    evil.write_text(field.evil_config())
    with (field.git_dir / "config").open("a") as file:
        file.write(f'[include]\n\tpath = {evil}\n[includeIf "gitdir:**"]\n\tpath = {evil}\n')
    field.attributes()


def settings_of_the_worktree(field: Field) -> None:
    field.repo.git("config", "extensions.worktreeConfig", "true")
    (field.admin / "config.worktree").write_text(field.evil_config())
    (field.admin / "config").write_text(field.evil_config())


def filters_by_the_common_configuration(field: Field) -> None:
    settings_in_the_common_configuration(field)
    field.attributes()


def filters_by_attributes_in_the_git_directory(field: Field) -> None:
    settings_in_the_common_configuration(field)
    for folder in (field.git_dir, field.admin):
        (folder / "info").mkdir(exist_ok=True)
        (folder / "info/attributes").write_text("* filter=evil diff=evil merge=evil\n")
        (folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")


def filters_by_the_worktree_configuration(field: Field) -> None:
    settings_of_the_worktree(field)
    field.attributes()


def another_common_directory(field: Field) -> None:
    evil = field.evil_repository(field.path / "evil.git", bare=True)
    (field.admin / "commondir").write_text(f"{evil}\n")
    field.attributes()


def a_rewritten_link(field: Field) -> None:
    evil = field.evil_repository(field.path.parent / "elsewhere")
    (field.path / ".git").unlink()
    (field.path / ".git").write_text(f"gitdir: {evil}\n")
    field.attributes()


def a_link_to_a_copy_of_the_real_directory(field: Field) -> None:
    copy = field.path / "copy"
    shutil.copytree(field.admin, copy)
    (copy / "commondir").write_text(f"{field.git_dir}\n")
    (copy / "config.worktree").write_text(field.evil_config())
    (field.path / ".git").write_text(f"gitdir: {copy}\n")


def a_directory_instead_of_the_link(field: Field) -> None:
    (field.path / ".git").unlink()
    field.evil_repository(field.path)
    field.attributes()


def a_symbolic_link_instead_of_the_link(field: Field) -> None:
    evil = field.evil_repository(field.path.parent / "elsewhere")
    (field.path / ".git").unlink()
    (field.path / ".git").symlink_to(evil)
    field.attributes()


def no_link_at_all(field: Field) -> None:
    (field.path / ".git").unlink()
    field.evil_repository(field.path.parent)


def a_nested_repository(field: Field) -> None:
    nested = field.path / "nested"
    field.evil_repository(nested)
    (nested / "file").write_text("inside\n")


def a_nested_repository_in_place_of_a_folder(field: Field) -> None:
    field.evil_repository(field.path / "src")
    (field.path / "src/app.py").write_text("changed\n")


def a_submodule_that_is_evil(field: Field) -> None:
    """A gitlink that is tracked already, so that git takes the folder for a submodule."""
    git_dir = field.evil_repository(field.path / "module")
    field.repo.git("config", "submodule.module.url", "ext::sh -c true")
    (field.path / "module/file").write_text("inside\n")
    modules = field.git_dir / "modules" / "module"
    modules.parent.mkdir(exist_ok=True)
    shutil.copytree(git_dir, modules)


def environment_of_ours(field: Field) -> None:
    """Variables of the user's that would make git run something."""
    for name in (
        "GIT_EXTERNAL_DIFF",
        "GIT_SSH_COMMAND",
        "GIT_EDITOR",
        "GIT_PAGER",
        "GIT_ASKPASS",
        "EDITOR",
        "PAGER",
    ):
        os.environ[name] = str(field.program)
    os.environ["GIT_CONFIG_COUNT"] = "1"
    os.environ["GIT_CONFIG_KEY_0"] = "core.fsmonitor"
    os.environ["GIT_CONFIG_VALUE_0"] = str(field.program)


ATTACKS = [
    hooks_in_the_git_directory, settings_in_the_common_configuration, settings_by_an_include,
    settings_of_the_worktree, filters_by_the_common_configuration, filters_by_attributes_in_the_git_directory,
    filters_by_the_worktree_configuration, another_common_directory, a_rewritten_link,
    a_link_to_a_copy_of_the_real_directory, a_directory_instead_of_the_link, a_symbolic_link_instead_of_the_link,
    no_link_at_all, a_nested_repository, a_nested_repository_in_place_of_a_folder, a_submodule_that_is_evil,
    environment_of_ours,
]  # fmt: skip


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def field(repo: Repo, tmp_path: Path, marker: Path, make: Callable[..., Worktree]) -> Field:
    program = tmp_path / "evil" / "program"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{marker}'\nexec cat\n")
    program.chmod(0o755)
    submodule = repo.git(
        "hash-object", "-t", "commit", "-w", "--stdin", input=COMMIT % repo.git("write-tree").encode()
    )
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{submodule},module")
    repo.git("commit", "--quiet", "--message", "a submodule")
    return Field(repo, make(), program)


COMMIT = b"tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"


def touch_everything(field: Field) -> None:
    """Make every file look changed, so that git has to look into it."""
    for name in ("README.md", "src/app.py"):
        path = field.path / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.write_text("changed\n")
    (field.path / "new.txt").write_text("new\n")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_nothing_an_agent_planted_ever_runs(
    field: Field,
    marker: Path,
    worktrees: Worktrees,
    workspace: Callable[..., Workspace],
    attack: Callable[[Field], None],
) -> None:
    base = Oid(field.repo.head)
    task = build.task("task", allow=("git-attributes",))
    work = workspace(field.worktree, task)
    attack(field)
    touch_everything(field)

    def everything(work: Workspace) -> None:
        opened: Repository = open_repository(field.git_dir)
        changes.scan(field.worktree.admin_dir, field.worktree.path, opened, base, base)
        work.settle()
        work._baseline = {}
        try:
            commit_all(work, "[phase] message\n")
        except Refusal:
            for nested in field.path.rglob(".git"):
                if nested != field.path / ".git" and nested.is_dir():
                    shutil.rmtree(nested)
            commit_all(work, "[phase] message\n")
        work.salvage("why")
        take(str(field.git_dir), str(field.repo.path))
        refuse_unfit(opened, base)
        checked_out_at(opened, "main")
        with Merger(str(field.git_dir)) as merger:
            merger.merge(base, work.parent)

    everything(work)
    assert not marker.exists(), marker.read_text()
    everything(workspace(field.worktree, task, base))  # a new manager, as after a crash
    assert not marker.exists(), marker.read_text()
    touch_everything(field)
    worktrees.restore(field.worktree, base, "spinney/task")
    assert not marker.exists(), marker.read_text()
    attack_again(field, attack)
    touch_everything(field)
    used = worktrees.reuse(field.worktree, "next", base, None)
    assert not marker.exists(), marker.read_text()
    worktrees.move_to(used, base)
    worktrees.create("another", base, None)
    worktrees.remove(used)
    worktrees.empty_trash()
    assert not marker.exists(), marker.read_text()


def attack_again(field: Field, attack: Callable[[Field], None]) -> None:
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # some of it is still there
        attack(field)


def test_the_matrix_would_notice(field: Field, marker: Path) -> None:
    """Plain git in such a worktree does run what was planted: the matrix is not blind."""
    settings_in_the_common_configuration(field)
    subprocess.run(["git", "status"], cwd=field.path, env=git_environment(), capture_output=True)
    assert marker.exists()


@pytest.mark.parametrize("name", ["commondir", "config.worktree", "gitdir"])
def test_a_reused_worktree_has_none_of_the_old_settings(
    field: Field, worktrees: Worktrees, name: str
) -> None:
    (field.admin / name).write_text("/nowhere\n")
    used = worktrees.reuse(field.worktree, "next", Oid(field.repo.head), None)
    admin = Path(used.admin_dir)
    assert (admin / "commondir").read_text() == "../..\n"
    assert not (admin / "config.worktree").exists()
    assert (admin / "gitdir").read_text() == f"{used.path}/.git\n"


def test_an_error_of_git_is_an_error_of_ours(field: Field) -> None:
    with pytest.raises(SpinneyError, match="git read-tree"):
        Worktrees(field.git_dir, field.path.parent).restore(field.worktree, Oid("0" * 40), None)
