"""What is moved on a remote, what is not, and that nothing configured in the repository leads anywhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shared.errors import GitError, Interrupted, UserError
from shared.forge.port import Sent
from shared.git.remotes import Remote
from shared.git.transfers import MOVED, NotReached
from shared.model import Oid
from tests.support.repository import Repo

pytestmark = pytest.mark.git
BRANCH = "refs/heads/spinney/a"


@pytest.fixture
def bare(repo: Repo, tmp_path: Path) -> Repo:
    """A bare repository with the same ``main``."""
    path = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(path))
    return Repo(path)


@pytest.fixture
def remote(repo: Repo, bare: Repo) -> Remote:
    return Remote(repo.git_dir, f"file://{bare.path}")


def commit(repo: Repo, message: str = "work") -> Oid:
    return Oid(repo.commit(message))


def test_refs_are_listed_by_pattern(repo: Repo, bare: Repo, remote: Remote) -> None:
    for name in ("refs/heads/spinney/a/b", "refs/spinney/lock", "refs/heads/other"):
        bare.git("update-ref", name, repo.head)
    assert remote.tips("refs/heads/spinney/*", "refs/spinney/*") == {
        "refs/heads/spinney/a/b": repo.head,
        "refs/spinney/lock": repo.head,
    }
    assert remote.tips("refs/heads/none") == {}


def test_many_branches_are_one_push(repo: Repo, bare: Repo, remote: Remote) -> None:
    sent = [Sent(f"refs/heads/spinney/{n}", commit(repo, f"work {n}")) for n in range(24)]
    assert remote.push(sent) == {}
    assert bare.refs("refs/heads/spinney") == {one.ref: one.tip for one in sent}


def test_what_is_pushed_is_a_commit_and_not_what_a_ref_says_by_then(
    repo: Repo, bare: Repo, remote: Remote
) -> None:
    tip = commit(repo)
    repo.git("update-ref", BRANCH, commit(repo, "later"))
    remote.push([Sent(BRANCH, tip)])
    assert bare.refs(BRANCH) == {BRANCH: tip}


def test_branch_goes_on_where_it_was_last_seen_even_back_and_aside(
    repo: Repo, bare: Repo, remote: Remote
) -> None:
    first = commit(repo)
    aside = Oid(repo.git("commit-tree", "-m", "aside", "HEAD^{tree}"))
    for before, after in ((None, first), (first, aside), (aside, Oid(repo.head)), (Oid(repo.head), None)):
        assert remote.push([Sent(BRANCH, after, before)]) == {}
        assert bare.refs(BRANCH) == ({BRANCH: after} if after else {})


@pytest.mark.parametrize("expected", ["nothing", "another"])
def test_branch_that_somebody_moved_stays_and_the_others_go(
    repo: Repo, bare: Repo, remote: Remote, expected: str
) -> None:
    theirs, ours = commit(repo, "theirs"), commit(repo, "ours")
    bare.git("fetch", "--quiet", str(repo.path), f"{theirs}:{BRANCH}")
    believed = None if expected == "nothing" else ours
    refused = remote.push([Sent(BRANCH, ours, believed), Sent("refs/heads/spinney/b", ours)])
    assert refused == {BRANCH: MOVED}
    assert bare.refs("refs/heads/spinney") == {BRANCH: theirs, "refs/heads/spinney/b": ours}


def test_branch_that_somebody_deleted_is_not_made_again(repo: Repo, bare: Repo, remote: Remote) -> None:
    tip = commit(repo)
    assert remote.push([Sent(BRANCH, commit(repo, "more"), tip)]) == {BRANCH: MOVED}
    assert bare.refs("refs/heads/spinney") == {}


@pytest.mark.parametrize(
    "name",
    [
        "refs/heads/main", "refs/heads/spinney", "refs/heads/spinney/", "refs/tags/spinney/x", "HEAD", "", "main",
        "refs/heads/spinney/../main", "refs/heads/spinney/a:refs/heads/main", "refs/heads/spinney/*", "+refs/spinney/x",
        "refs/spinney/a\nb", "refs/heads/spinney/a.lock", "refs/heads/spinney/@{0}", "refs/heads/spinneyx/a",
    ],
)  # fmt: skip
def test_nothing_but_our_own_refs_is_ever_pushed(repo: Repo, bare: Repo, remote: Remote, name: str) -> None:
    before = bare.refs()
    with pytest.raises(GitError, match="no ref of Spinney's"):
        remote.push([Sent(name, Oid(repo.head), None)])
    assert bare.refs() == before


def test_reason_of_the_server_is_told(repo: Repo, bare: Repo, remote: Remote) -> None:
    hook = bare.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ntest "$1" != refs/heads/spinney/a || { echo not today >&2; exit 1; }\n')
    hook.chmod(0o755)
    refused = remote.push([Sent(BRANCH, commit(repo)), Sent("refs/heads/spinney/b", Oid(repo.head))])
    assert refused == {BRANCH: "the remote refuses it: hook declined"}
    assert list(bare.refs("refs/heads/spinney")) == ["refs/heads/spinney/b"]


def test_one_that_a_rule_for_the_whole_push_refuses_keeps_no_other_out(
    repo: Repo, bare: Repo, remote: Remote
) -> None:
    hook = bare.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ngrep -q spinney/2 || exit 0\necho 'error: GH013: a secret' >&2; exit 1\n")
    hook.chmod(0o755)
    tip = commit(repo)
    refused = remote.push([Sent(f"refs/heads/spinney/{number}", tip) for number in (1, 2, 3)])
    assert refused == {
        "refs/heads/spinney/2": "the remote refuses it: pre-receive hook declined (GH013: a secret)"
    }
    assert list(bare.refs("refs/heads/spinney")) == ["refs/heads/spinney/1", "refs/heads/spinney/3"]


def test_nothing_is_pushed_where_it_may_not_be_any_more(repo: Repo, bare: Repo) -> None:
    def check() -> None:
        raise Interrupted("another run took the lock")

    with pytest.raises(Interrupted):
        Remote(repo.git_dir, f"file://{bare.path}", check=check).push([Sent(BRANCH, Oid(repo.head))])
    assert bare.refs("refs/heads/spinney") == {}


def test_remote_that_is_not_there_is_an_error_and_nothing_was_done(
    repo: Repo, bare: Repo, remote: Remote
) -> None:
    shutil.rmtree(bare.path)
    with pytest.raises(GitError):
        remote.push([Sent(BRANCH, Oid(repo.head))])
    with pytest.raises(NotReached, match="is not to be reached"):
        Remote(repo.git_dir, "http://127.0.0.1:9/o/r.git").tips()


def test_configuration_of_the_repository_redirects_nothing(
    repo: Repo, bare: Repo, remote: Remote, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.git"
    shutil.copytree(bare.path, elsewhere)
    touched = tmp_path / "touched"
    hook = repo.git_dir / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {touched}\n")
    hook.chmod(0o755)
    for key, value in (
        (f"url.file://{elsewhere}.insteadOf", remote.url),
        (f"url.file://{elsewhere}.pushInsteadOf", remote.url),
        ("core.hooksPath", str(hook.parent)),
        ("push.followTags", "true"),
        ("push.default", "matching"),
        ("protocol.file.allow", "never"),
    ):
        repo.git("config", key, value)
    assert remote.push([Sent(BRANCH, commit(repo))]) == {}
    assert bare.refs("refs/heads/spinney") == {BRANCH: repo.head}
    assert Repo(elsewhere).refs("refs/heads/spinney") == {}
    assert not touched.exists()


@pytest.mark.parametrize(
    "url", ["http://example.com/o/r", "ssh://git@github.com/o/r", "git@github.com:o/r", "ext::sh", "/tmp/x",
            "https://token@github.com/o/r", "https://a:b@github.com/o/r"]
)  # fmt: skip
def test_addresses_that_are_not_spoken_to_are_refused(repo: Repo, url: str) -> None:
    with pytest.raises(UserError):
        Remote(repo.git_dir, url)


# --- fetching


def test_what_is_there_comes_below_our_own_refs(repo: Repo, bare: Repo, remote: Remote) -> None:
    other = Repo(repo.path.with_name("other"))
    repo.git("clone", "--quiet", str(bare.path), str(other.path))
    for key, value in (("user.name", "a"), ("user.email", "a@example.com")):
        other.git("config", key, value)
    tip = commit(other, "elsewhere")
    other.git("push", "--quiet", "origin", f"HEAD:{BRANCH}")
    before = repo.refs()
    wanted = {BRANCH: "refs/spinney/remote/a", "refs/heads/spinney/none": "refs/spinney/remote/none"}
    assert remote.fetch(wanted) == {BRANCH: tip}
    assert repo.refs() == {**before, "refs/spinney/remote/a": tip}
    assert repo.read(tip, "README.md")
    later = commit(other, "later")
    other.git("push", "--quiet", "--force", "origin", f"{later}:{BRANCH}")
    assert remote.fetch(wanted) == {BRANCH: later}
    assert not (repo.git_dir / "FETCH_HEAD").exists()


def test_fetched_refs_stay_below_our_own(repo: Repo, remote: Remote) -> None:
    with pytest.raises(GitError, match="no ref of Spinney's"):
        remote.fetch({BRANCH: "refs/heads/main"})


def test_shallow_clone_gets_as_much_as_is_needed(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    base = repo.head
    tip = commit(repo, "work")
    repo.git("reset", "--quiet", "--hard", base)
    main = [commit(repo, f"main {n}") for n in range(100)][-1]
    repo.git("push", "--quiet", str(bare.path), f"{tip}:{BRANCH}", "HEAD:refs/heads/main")
    shallow = Repo(tmp_path / "shallow")
    repo.git("clone", "--quiet", "--depth=1", f"file://{bare.path}", str(shallow.path))
    remote = Remote(shallow.git_dir, f"file://{bare.path}")
    assert remote.fetch({BRANCH: "refs/spinney/remote/a"}, deepen_to=[main]) == {BRANCH: tip}
    assert shallow.git("merge-base", main, tip) == base
    shallow.git("fsck", "--connectivity-only")


def test_histories_that_have_nothing_in_common_are_an_error(repo: Repo, bare: Repo, remote: Remote) -> None:
    strange = repo.git("commit-tree", "-m", "strange", "HEAD^{tree}")
    repo.git("push", "--quiet", str(bare.path), f"{strange}:{BRANCH}")
    with pytest.raises(GitError, match="no history in common"):
        remote.fetch({BRANCH: "refs/spinney/remote/a"}, deepen_to=[Oid(repo.head)])
