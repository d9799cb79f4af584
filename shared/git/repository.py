"""A repository opened once: its places, its refs moved by compare-and-swap, and what makes it unfit."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from shared.errors import GitError, UserError
from shared.git import program
from shared.git.durability import switch
from shared.model import Identity, Oid
from shared.retry import LockHeld, while_locked

STATE_FOLDER = "spinney"
Repository = pygit2.Repository  # the type, for those who only hand it on


def open_repository(git_dir: str | Path) -> pygit2.Repository:
    """Open exactly ``git_dir``, without discovery; writes through it are flushed to disk.

    The user's and the system's configuration are left out, as in the wrapper around the program.
    """
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
        pygit2.settings.search_path[level] = "/nonexistent"
    pygit2.settings.owner_validation = False  # the user pointed us here; the program checks ownership too
    pygit2.settings.enable_fsync_gitdir(True)
    program.pin_common_directory(Path(git_dir))
    try:
        return pygit2.Repository(str(git_dir))
    except pygit2.GitError as error:
        raise UserError(f"cannot open the repository at {git_dir}: {error}") from error


def discover(start: Path) -> tuple[Path, Path]:
    """The common git directory and the main checkout of the repository around ``start``.

    Raises UserError for no repository and for a bare one.
    """
    found = pygit2.discover_repository(str(start))
    if found is None:
        raise UserError(
            f"{start} is not in a git repository",
            "run Spinney inside one, or make one: git init, then commit",
        )
    git_dir = Path(found)
    common = git_dir
    with contextlib.suppress(FileNotFoundError):
        common = (git_dir / (git_dir / "commondir").read_text().strip()).resolve()
    if _uses_extension(common):
        raise UserError(
            "the repository uses SHA-256 objects, reftables or a partial clone, which Spinney cannot read yet",
            "use a full clone with SHA-1 objects and file refs",
        )
    repo = open_repository(common)
    if repo.is_bare:
        raise UserError(
            "the repository is bare: it has no checkout to start from", f"git clone {common} elsewhere"
        )
    # A git directory that lies elsewhere does not know its checkout; the checkout knows it.
    own = git_dir.resolve() == common.resolve() and not start.resolve().is_relative_to(common.resolve())
    checkout = (pygit2.Repository(str(start)) if own else repo).workdir
    assert checkout is not None
    return common.resolve(), Path(checkout).resolve()


def open_around(start: Path) -> pygit2.Repository:
    """The repository as the folder ``start`` sees it: a linked worktree has a HEAD of its own."""
    found = pygit2.discover_repository(str(start))
    assert found is not None, "discover has found one"
    return open_repository(found)


def _uses_extension(common: Path) -> bool:
    try:
        config = pygit2.Config(str(common / "config"))
    except OSError:
        return False
    names = {name.lower() for name in (entry.name for entry in config)}
    if "extensions.partialclone" in names:
        return True
    for key, plain in (("extensions.objectformat", "sha1"), ("extensions.refstorage", "files")):
        if key in names and str(config[key]).lower() != plain:
            return True
    return False


def resolve_commit(repo: pygit2.Repository, revision: str) -> Oid:
    """The commit that ``revision`` names. Raises UserError when it names none."""
    try:
        return Oid(str(repo.revparse_single(revision).peel(pygit2.Commit).id))
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise UserError(f"{revision!r} is not a commit of this repository") from error


def read_ref(repo: pygit2.Repository, name: str) -> Oid | None:
    """The object that ref ``name`` points to, or None."""
    try:
        return Oid(str(repo.references[name].resolve().target))
    except KeyError:
        return None


def move_ref(repo: pygit2.Repository, name: str, new: Oid | None, *, old: Oid | None, why: str) -> None:
    """Compare-and-swap: ``name`` goes from ``old`` (None: absent) to ``new`` (None: deleted), durably.

    Raises GitError when the ref is not at ``old`` any more. libgit2 compares under the ref's own lock with
    the value that was read here, so nobody can come in between.
    """
    for attempt in while_locked():
        with attempt, switch:
            _move_ref(repo, name, new, old, why)


class RefMoved(GitError):
    """A ref is not where it was when it was read."""


def _move_ref(repo: pygit2.Repository, name: str, new: Oid | None, old: Oid | None, why: str) -> None:
    try:
        if old is None:
            if name in repo.references:  # opened at a worktree, libgit2 would overwrite it without a word
                raise GitError(f"{name} was made by somebody else")
            if new is not None:
                repo.create_reference_direct(name, pygit2.Oid(hex=new), False, message=why)
            return
        reference = repo.references[name]
        if str(reference.target) != old:
            raise RefMoved(
                f"{name} was moved by somebody else: expected {old[:10]}, found {str(reference.target)[:10]}"
            )
        if new is None:
            reference.delete()
        else:
            reference.set_target(pygit2.Oid(hex=new), why)
    except (KeyError, ValueError, OSError, pygit2.GitError) as error:
        if "lock" in str(error).lower():
            raise LockHeld(f"{name} is locked: {error}") from error
        raise RefMoved(f"{name} was moved by somebody else: {error}") from error


def create_ref(repo: pygit2.Repository, name: str, target: Oid) -> bool:
    """Make ref ``name``, durably; False when it exists already. Raises GitError when it stays locked."""
    for attempt in while_locked():
        with attempt, switch:
            if name in repo.references:  # opened at a worktree, libgit2 would overwrite it without a word
                return False
            try:
                repo.references.create(name, pygit2.Oid(hex=target))
            except (ValueError, pygit2.AlreadyExistsError):
                return False
            except OSError as error:
                raise LockHeld(f"{name} is locked: {error}") from error
    return True


def free_dead_locks(repo: pygit2.Repository, into: str = "", *, age: float = 1.0) -> list[str]:
    """Remove locks that a killed orchestrator or manager left on refs; returns their paths.

    For the holder of the repository's lock. On our own refs nobody else leaves a lock for more than the
    milliseconds of a living git: one that stays the same for ``age`` seconds is dead. The lock of the branch
    ``into``, which is the user's, must besides hold a commit that Spinney made, or nothing yet.
    """
    common = Path(repo.path)

    def locks() -> dict[Path, tuple[int, int]]:
        found = {}
        paths = [
            path for top in ("refs/heads/spinney", "refs/spinney") for path in (common / top).rglob("*.lock")
        ]
        target = common / f"refs/heads/{into}.lock"
        if into and _is_ours(repo, target):
            paths.append(target)
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                found[path] = (status.st_ino, status.st_mtime_ns)
        return found

    before = locks()
    if not before:
        return []
    youngest = max(changed for _, changed in before.values()) / 1e9
    time.sleep(min(age, max(0.0, youngest + age - time.time())))
    dead = [path for path, mark in locks().items() if before.get(path) == mark]
    for path in dead:
        path.unlink(missing_ok=True)
    return [str(path) for path in dead]


def _is_ours(repo: pygit2.Repository, lock: Path) -> bool:
    """Whether a ref's lock holds the id of a commit with our trailer, or nothing."""
    try:
        text = lock.read_text().strip()
        return not text or "\nSpinney-Run: " in repo[text].peel(pygit2.Commit).message
    except (OSError, KeyError, ValueError, pygit2.GitError):
        return False


def refs_below(repo: pygit2.Repository, prefix: str) -> Iterator[tuple[str, Oid]]:
    """Refs that start with ``prefix``, sorted by name."""
    for reference in sorted(repo.references.iterator(), key=lambda ref: ref.name):
        if reference.name.startswith(prefix):
            yield reference.name, Oid(str(reference.resolve().target))


def is_ancestor(repo: pygit2.Repository, ancestor: Oid, descendant: Oid) -> bool:
    return ancestor == descendant or repo.descendant_of(descendant, ancestor)


def checked_out_at(repo: pygit2.Repository, branch: str) -> str | None:
    """The folder where ``branch`` is checked out, the main checkout or any worktree; None if nowhere."""
    common = Path(repo.path)
    wanted = f"ref: refs/heads/{branch}"
    places = [(common / "HEAD", repo.workdir)]
    for admin in sorted((common / "worktrees").glob("*")):
        with contextlib.suppress(OSError):
            places.append((admin / "HEAD", str(Path((admin / "gitdir").read_text().strip()).parent)))
    for head, folder in places:
        with contextlib.suppress(OSError):
            if head.read_text().strip() == wanted:
                return str(folder)
    return None


def user_identity(checkout: Path) -> Identity:
    """Author and committer from the user's git configuration and environment, as ``git commit`` finds them."""
    env_name, env_email = os.environ.get("GIT_AUTHOR_NAME"), os.environ.get("GIT_AUTHOR_EMAIL")
    name = env_name or program.user_git(checkout, "config", "--get", "user.name")
    email = env_email or program.user_git(checkout, "config", "--get", "user.email")
    if not name or not email:
        raise UserError(
            "git does not know who you are, and commits need an author",
            'git config --global user.name "Your Name"',
            "git config --global user.email you@example.com",
        )
    return Identity(name, email)


def head_commit(repo: pygit2.Repository) -> Oid:
    """The commit of the user's HEAD; raises UserError on an unborn branch."""
    if repo.head_is_unborn:
        raise UserError("the repository has no commit yet", "make a first one: git add … && git commit")
    return Oid(str(repo.head.target))


_STATES = (
    ("rebase-merge", "a rebase", "git rebase --continue, or git rebase --abort"),
    ("rebase-apply", "a rebase or git am", "git rebase --continue, or --abort"),
    ("MERGE_HEAD", "a merge", "git commit, or git merge --abort"),
    ("CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue, or --abort"),
    ("REVERT_HEAD", "a revert", "git revert --continue, or --abort"),
    ("BISECT_LOG", "a bisect", "git bisect reset"),
)


def refuse_unfit(repo: pygit2.Repository, base: Oid) -> list[str]:
    """Raise UserError where a run could go wrong; returns notes about what will be left alone."""
    common = Path(repo.path)
    for name, what, remedy in _STATES:
        if (common / name).exists():
            raise UserError(f"the checkout is in the middle of {what}", f"finish it first: {remedy}")
    notes = []
    if (common / "shallow").exists():
        notes.append("the repository is shallow: merges across its boundary are refused when they come up")
    config = repo.config
    if "core.sparseCheckout" in config and config.get_bool("core.sparseCheckout"):
        raise UserError("sparse checkouts are not supported", "git sparse-checkout disable")
    tree = repo[base].peel(pygit2.Tree)
    try:
        tree[".tasks"]
    except KeyError:
        pass
    else:
        raise UserError(
            "the repository tracks .tasks/, the folder that Spinney uses in its worktrees", "rename it"
        )
    for path, line_number, attribute in _filters(repo, tree):
        raise UserError(
            f"{path}:{line_number}: the attribute {attribute!r} needs a program to translate files, "
            "which Spinney does not run (git LFS is not supported yet)",
        )
    if ".gitmodules" in tree:
        notes.append("submodules stay empty in the worktrees; a `setup:` command can fill them")
    return notes


def _filters(repo: pygit2.Repository, tree: pygit2.Tree) -> Iterator[tuple[str, int, str]]:
    """Attributes that translate files by a program or into another encoding, in any .gitattributes."""
    git = program.Git(repo.path)
    listed = git.attempt(
        "grep", "-z", "-n", "-I", "-E", r"(^|[[:space:]])(filter|working-tree-encoding)=", str(tree.id), "--",
        ":(glob)**/.gitattributes",
    )  # fmt: skip
    for record in listed.stdout.decode(errors="replace").splitlines():
        fields = record.split("\0")
        if len(fields) == 3 and not fields[2].lstrip().startswith("#"):
            word = next(w for w in fields[2].split() if w.startswith(("filter=", "working-tree-encoding=")))
            yield fields[0].partition(":")[2], int(fields[1]), word


def is_tree(repo: pygit2.Repository, oid: Oid) -> bool:
    return oid in repo and repo[oid].type == ObjectType.TREE


def tree_of(repo: pygit2.Repository, commit: Oid) -> Oid:
    return Oid(str(repo[commit].peel(pygit2.Tree).id))
