"""What a hostile agent tries from inside the sandbox, for real: nothing outside changes, nothing is read.

Each act is carried out inside and also without any sandbox, where it has to work: an act that works nowhere
shows nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from shared.model import Containment
from tests.support.repository import Repo
from tests.support.running import until
from tests.support.sandboxes import CANARY, IN_SANDBOX, World, alive, world

pytestmark = [pytest.mark.process, IN_SANDBOX]

# What would tell the canary.
READS = {
    "a key of the user's": "cat $USER_HOME/.ssh/id_ed25519",
    "cloud credentials": "cat $USER_HOME/.aws/credentials",
    "passwords for hosts": "cat $USER_HOME/.netrc",
    "tokens of programs": "cat $USER_HOME/.config/gh/hosts.yml",
    "anything in the home": "grep -rs canary $USER_HOME",
    "an ignored file of the checkout": "cat $CHECKOUT/.env",
    "another task's worktree": "cat $SIBLING/secret.txt",
    "the repository's settings": "cat $GIT/config",
    "settings as git tells them": "git config --list",
    "addresses with passwords": "git remote get-url origin",
    "what was fetched from where": "cat $GIT/FETCH_HEAD",
    "hooks": "cat $GIT/hooks/pre-commit",
    "the record of the run": "cat $RUN/journal.jsonl",
    "everything below the root": "grep -rsI --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr canary $ROOT",
    "the environment": "env",
    "the environment of the first process": "tr '\\0' '\\n' </proc/1/environ; tr '\\0' '\\n' </proc/$PID/environ",
    "the environment of every process": "cat /proc/[0-9]*/environ",
    "the root of another process": "cat /proc/$PID/root$USER_HOME/.netrc",
    "a service on loopback": "bash -c 'cat </dev/tcp/127.0.0.1/$PORT'",
    "a socket in a folder": "$PYTHON -c 'import socket, os; s = socket.socket(socket.AF_UNIX); "
    's.connect(os.environ["ROOT"] + "/agent.sock"); print(s.recv(99))\'',
    "an abstract socket": "$PYTHON -c 'import socket, os; s = socket.socket(socket.AF_UNIX); "
    's.connect("\\0" + os.environ["ROOT"] + "/agent.sock"); print(s.recv(99))\'',
    "a link that leads out": "ln -sfn $USER_HOME/.ssh way && cat way/id_ed25519",
    "a path that leads out": "cat ../../../home/.ssh/id_ed25519 ../sibling/secret.txt",
    "a link swapped while it is read": "for i in 1 2 3 4 5; do ln -sfn $USER_HOME way; cat way/.netrc; ln -sfn . way; done",
}

# What would change something outside.
WRITES = {
    "the checkout": "touch $CHECKOUT/evil",
    "a tracked file of the checkout": "echo evil >$CHECKOUT/README.md",
    "a file of the checkout removed": "rm -f $CHECKOUT/src/app.py",
    "another task's worktree": "echo evil >$SIBLING/secret.txt",
    "another task's index": "rm -f $SIBLING_ADMIN/index",
    "its own settings of git": "echo '[core]' >$ADMIN/config.worktree",
    "its own common directory": "echo /tmp/evil >$ADMIN/commondir",
    "its own branch": "git update-ref refs/heads/spinney/task $(git commit-tree HEAD^{tree} -m evil </dev/null)",
    "a sibling's branch": "echo 0000 >$GIT/refs/heads/spinney/sibling",
    "a new tag": "git tag evil",
    "the settings of the repository": "git config core.fsmonitor evil",
    "the settings file": "echo '[core]' >>$GIT/config",
    "a hook": "echo evil >$GIT/hooks/post-commit",
    "attributes for all worktrees": "mkdir -p $GIT/info; echo '* filter=evil' >$GIT/info/attributes",
    "what is checked out": "echo evil >$GIT/HEAD",
    "the object store": "echo evil | git hash-object -w --stdin",
    "the record of the run": "echo evil >>$RUN/journal.jsonl",
    "its own instructions": "echo evil >$RUN/prompts/task/CODER.md",
    "the start of every shell": "echo evil >>$USER_HOME/.bashrc",
    "a program for every shell": "mkdir -p $USER_HOME/.local/bin; echo evil >$USER_HOME/.local/bin/git",
    "the runner's environment": "echo EVIL=1 >>${GITHUB_ENV:-/nowhere}",
    "a file beside the worktrees": "touch $ROOT/evil",
    "the worktree's link replaced": "echo 'gitdir: /tmp/evil' >.git.new && mv -f .git.new .git",
    "the worktree's link removed": "rm -f .git",
    "the worktree's link moved away": "mv .git elsewhere && mkdir .git",
    "the worktree's link written": "echo 'gitdir: /tmp/evil' >.git",
    "the tasks' folder replaced by a link": "mv .tasks elsewhere && ln -s $USER_HOME .tasks",
    "a hard link written through": "ln $CHECKOUT/README.md mine && echo evil >mine",
    "a link written through": "ln -s $CHECKOUT mine && echo evil >mine/evil",
    "the worktree moved away": "mv $WORKTREE $WORKTREE.moved",
    "another process": "kill -9 $PID",
    "another process, stopped": "kill -STOP $PID; kill -0 $PID && echo canary-7f3a91 && kill -CONT $PID",
}


@pytest.fixture(scope="module")
def there(template_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all acts inside the sandbox: none of them changes it."""
    with _world(template_repository, tmp_path_factory.mktemp("world")) as it:
        yield it


@pytest.fixture
def fresh(template_repository: Path, tmp_path: Path) -> Iterator[World]:
    with _world(template_repository, tmp_path) as it:
        yield it


def _world(template: Path, root: Path) -> AbstractContextManager[World]:
    path = root / "work" / "repo"
    shutil.copytree(template, path, symlinks=True)
    return world(Repo(path), root)


@pytest.mark.parametrize("act", READS.values(), ids=READS.keys())
def test_nothing_is_read(there: World, act: str) -> None:
    assert CANARY not in there.act(act, there.held()).out
    assert CANARY in there.act(act, Containment()).out


@pytest.mark.parametrize("act", WRITES.values(), ids=WRITES.keys())
def test_nothing_outside_is_written(there: World, act: str) -> None:
    held = there.held()
    before = there.outside()
    inside = there.act(act, held)
    assert there.outside() == before
    assert CANARY not in inside.out


@pytest.mark.parametrize("act", WRITES.values(), ids=WRITES.keys())
def test_without_a_sandbox_it_would_be(fresh: World, act: str) -> None:
    before = fresh.outside()
    free = fresh.act(act, Containment())
    assert fresh.outside() != before or CANARY in free.out


# What must fail inside. It is tried nowhere else, and would do no harm where it succeeds: opened, never written.
REFUSED = {
    "mount": "mount -t tmpfs none /mnt || mount -t tmpfs none /tmp",
    "unmount": "umount .git || umount -l $GIT",
    "remount": "mount -o remount,rw,bind $GIT",
    "namespaces of its own": "unshare -Ur true",
    "namespaces of others": "nsenter -t 1 -m true",
    "kernel settings": ": >>/proc/sys/kernel/core_pattern",
    "kernel keys": ": >>/proc/sysrq-trigger",
    "the root folder": "touch /evil",
    "system folders": ": >>/etc/passwd || : >>/bin/sh || mkdir /usr/evil",
    "devices": "mknod disk b 8 0 && cat disk",
    "new devices": "touch /dev/evil",
    "the shadow file": "cat /etc/shadow",
    "kernel messages": "dmesg",
    "another user": "$PYTHON -c 'import os; os.setuid(1)'",
    "the metadata address": "timeout 5 bash -c 'cat </dev/tcp/169.254.169.254/80'",
    "another machine": "timeout 5 bash -c 'cat </dev/tcp/192.0.2.1/80'",
    "the host of a virtual machine": "$PYTHON -c 'import socket; socket.socket(40, 1)'",
    "packets of its own": "$PYTHON -c 'import socket; socket.socket(17, 3)'",
    "the keyring": "$PYTHON -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(250, 0, -3, 0, 0, 0) < 0)'",
    "sockets of services": "ls /var/run/docker.sock || ls /run/dbus || ls /run/user",
    "the system's services": "ls /sys/fs/cgroup/",
    "what the network looks like": "grep -v lo: /proc/net/dev | grep : && exit 0; exit 1",
}


@pytest.mark.parametrize("act", REFUSED.values(), ids=REFUSED.keys())
def test_nothing_of_the_machine_is_reached(there: World, act: str) -> None:
    held = there.held()
    before = there.outside()
    assert not there.act(act, held).ok
    assert there.outside() == before


STAYING = {
    "in the background": "sleep 31415 &",
    "in a session of its own": "setsid sleep 31415 >/dev/null 2>&1 &",
    "deaf to hanging up": "nohup sleep 31415 >/dev/null 2>&1 &",
    "forked twice": "(setsid sh -c 'nohup sleep 31415 >/dev/null 2>&1 &' &)",
}


@pytest.mark.parametrize("act", STAYING.values(), ids=STAYING.keys())
def test_nothing_stays(there: World, act: str) -> None:
    assert there.act(act, there.held()).ok
    until(lambda: not alive("31415"), "the end of everything in the sandbox")


def test_what_an_agent_needs_is_there(there: World) -> None:
    done = there.act(
        """set -e
        echo new >own.txt; mkdir -p deep/er; cat $SPINNEY_PROMPT
        echo mine >$SPINNEY_TASKS_DIR/CODER/context.md
        echo x >$HOME/.cache-of-a-tool; f=$(mktemp); echo x >$f
        git status --porcelain; git log --format=%s; echo more >>README.md; git diff --stat
        git show HEAD:src/app.py; git blame -s README.md; git branch --list; git grep answer
        sort </dev/null; awk 'BEGIN { print 6 * 7 }'; date >/dev/null; echo $((6 * 7)); ls /proc/self >/dev/null
        """,
        there.held(),
    )
    assert done.ok, done.out
    assert done.out.startswith("Do it.\n")
    for part in ("?? own.txt", "first", "1 file changed", "return 42", "spinney/task", "42"):
        assert part in done.out
    assert Path(there.worktree.path, ".tasks/CODER/context.md").read_text() == "mine\n"


def test_the_environment_is_a_list(there: World) -> None:
    told = there.act("env | cut -d= -f1 | sort", there.held(pass_environment=("WHATEVER", "GITHUB_TOKEN")))
    names = set(told.out.split()) - set(there.variables())
    assert {"PATH", "HOME", "USER", "LANG", "PWD", "SPINNEY_TASK", "SPINNEY_PROMPT", "WHATEVER"} <= names
    assert not names & {"GITHUB_TOKEN", "ANTHROPIC_API_KEY", "SPINNEY_API_KEY", "SSH_AUTH_SOCK", "LD_PRELOAD"}
    assert not names & {"GITHUB_ENV", "AWS_SECRET_ACCESS_KEY", "GIT_CONFIG_COUNT"}
