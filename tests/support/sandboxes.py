"""A small world with something to steal everywhere, and an agent shut into one worktree of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from shared import shell
from shared.containment import environment_in, find_bubblewrap
from shared.git.repository import open_repository
from shared.git.worktrees import Worktree, Worktrees, ensure_branch
from shared.model import Agent, Assignment, Containment, Limits, Oid, RepositoryFacts, RunId, Settings, Task
from shared.process import Cancel
from shared.sandbox import groups
from shared.sandbox.probe import look
from tests.support import build
from tests.support.repository import Repo
from tests.support.running import snapshot
from workflow_manager import environment
from workflow_manager.holding import hold

CANARY = "canary-7f3a91"
MODEL = build.agent("CODER", backend="claude-code", prompt="Do it.")
TASK = build.task("task", workflow=build.workflow(build.phase("work", MODEL)))
_FOUND = look(find_bubblewrap())
# For tests that make a sandbox.
IN_SANDBOX = pytest.mark.skipif(bool(_FOUND.problem), reason=f"no sandbox can be made: {_FOUND.problem}")
_PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@dataclass(frozen=True, slots=True)
class Outcome:
    ok: bool
    out: str


@dataclass(frozen=True, slots=True)
class World:
    """Everything lies below ``root``: a home, a checkout, two worktrees, and something running."""

    root: Path
    repo: Repo
    home: Path
    worktree: Worktree
    sibling: Worktree
    port: int  # of a service on loopback that tells the canary
    bystander: subprocess.Popen[bytes]  # a process of the user's, with the canary in its environment

    @property
    def facts(self) -> RepositoryFacts:
        git_dir = str(self.repo.git_dir)
        return RepositoryFacts(
            git_dir, str(self.repo.path), str(Path(self.worktree.path).parent), f"{git_dir}/spinney/runs/r"
        )

    def assignment(self, task: Task = TASK, **settings: object) -> Assignment:
        return build.assignment(
            task,
            run=RunId("r"),
            facts=self.facts,
            worktree=self.worktree.path,
            admin_dir=self.worktree.admin_dir,
            settings=Settings(**settings),  # type: ignore[arg-type]
            containment=Containment(find_bubblewrap()),
            environment=tuple(self.environment().items()),
        )

    def environment(self) -> dict[str, str]:
        """The user's."""
        secret = ("ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "WHATEVER", "SPINNEY_API_KEY")
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "USER": "ada",
            "LANG": "C.UTF-8",
            "LD_PRELOAD": "",
            "SSH_AUTH_SOCK": f"{self.root}/agent.sock",
            "GITHUB_ENV": f"{self.root}/github-env",
            **dict.fromkeys(secret, CANARY),
        }

    def held(self, agent: Agent = MODEL, *, limits: Limits | None = None, **settings: object) -> Containment:
        """The agent's sandbox, as a manager makes it."""
        prompt = Path(self.facts.run_dir, "prompts/task/CODER.md")
        a = self.assignment(**settings)
        containment = hold(a, agent, self.worktree.path, a.containment, prompt)
        assert containment.sandbox is not None
        sandbox = replace(containment.sandbox, read=(*containment.sandbox.read, sys.base_prefix))
        return replace(containment, sandbox=replace(sandbox, limits=limits or sandbox.limits))

    def variables(self) -> Mapping[str, str]:
        """Where things are: a hostile agent knows or guesses them."""
        return {
            "ROOT": str(self.root),
            "CHECKOUT": str(self.repo.path),
            "GIT": str(self.repo.git_dir),
            "RUN": self.facts.run_dir,
            "WORKTREE": self.worktree.path,
            "ADMIN": self.worktree.admin_dir,
            "SIBLING": self.sibling.path,
            "SIBLING_ADMIN": self.sibling.admin_dir,
            "USER_HOME": str(self.home),
            "PORT": str(self.port),
            "PID": str(self.bystander.pid),
            "PYTHON": _PYTHON,
        }

    def act(self, command: str, containment: Containment, timeout: float = 20.0) -> Outcome:
        """Run ``command`` as the agent's, who knows ``variables``."""
        said = bytearray()
        cancel = Cancel()
        prompt = f"{self.facts.run_dir}/prompts/task/CODER.md"
        own = environment.for_agent(self.assignment(), "work", MODEL, prompt, self.worktree.path)
        try:
            ran = shell.run(
                command,
                containment=containment,
                cwd=self.worktree.path,
                env={**environment_in(containment, own), **self.variables()},
                write=said.extend,
                timeout=timeout,
                cancel=cancel,
            )
        finally:
            cancel.close()
        return Outcome(ran.ok, said.decode(errors="replace"))

    def outside(self) -> dict[str, object]:
        """All that no agent may change, which is everything but what is in its worktree."""
        found = snapshot(self.root)
        mine = {".", ".git", ".tasks"}
        kept = {
            path: (mode, content)
            for path, (mode, _, content) in found.items()
            if not path.startswith(self.worktree.path + "/")
            or path.removeprefix(self.worktree.path + "/") in mine
        }
        kept.pop(self.worktree.path, None)
        return {**kept, "bystander": self.bystander.poll()}


@contextmanager
def world(repo: Repo, root: Path) -> Iterator[World]:
    home = root / "home"
    for name in (
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".netrc",
        ".config/gh/hosts.yml",
        ".bashrc",
        ".npmrc",
    ):
        _put(home / name)
    for name in (".env", ".git/hooks/pre-commit", ".git/FETCH_HEAD", ".git/spinney/runs/r/journal.jsonl"):
        _put(repo.path / name)
    for name in (".git/spinney/runs/r/prompts/task/OTHER.md", ".git/logs/HEAD", ".git/info/exclude"):
        _put(repo.path / name, "")
    _put(repo.path / ".git/spinney/runs/r/prompts/task/CODER.md", "Do it.\n")
    repo.git("config", "remote.origin.url", f"https://x:{CANARY}@example.invalid/x.git")
    repo.git("config", "core.sshCommand", f"ssh -i {CANARY}")
    _put(root / "github-env", "")
    worktrees = Worktrees(repo.git_dir, repo.path.with_name("repo.spinney"))
    opened = open_repository(repo.git_dir)
    made = []
    for name in ("task", "sibling"):
        ensure_branch(opened, f"spinney/{name}", Oid(repo.head))
        made.append(worktrees.create(name, Oid(repo.head), f"spinney/{name}"))
    _put(Path(made[1].path, "secret.txt"))
    Path(made[0].path, ".tasks/CODER").mkdir(parents=True)
    with _service() as port, _bystander() as process, _listening(root / "agent.sock"):
        yield World(root, repo, home, made[0], made[1], port, process)
    groups.release()


def alive(word: str) -> list[psutil.Process]:
    """Processes with ``word`` in their command lines. The kernel takes a moment to end a namespace."""
    return [p for p in psutil.process_iter(["cmdline"]) if word in " ".join(p.info["cmdline"] or [])]


def _put(path: Path, text: str = CANARY + "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@contextmanager
def _bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"], env={"WHATEVER": CANARY})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _service() -> Iterator[int]:
    """A service of the user's on loopback, such as a database without a password."""
    with socket.create_server(("127.0.0.1", 0)) as server, _answering(server):
        yield server.getsockname()[1]


@contextmanager
def _listening(path: Path) -> Iterator[None]:
    """Sockets of the user's in a folder and in the abstract namespace, such as a key agent's."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(str(path))
        abstract.bind(f"\0{path}")
        server.listen()
        abstract.listen()
        with _answering(server), _answering(abstract):
            yield


@contextmanager
def _answering(server: socket.socket) -> Iterator[None]:
    def answer() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(CANARY.encode() + b"\n")

    thread = threading.Thread(target=answer, name="service")
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
