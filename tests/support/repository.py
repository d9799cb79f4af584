"""A real repository for a test: a template made once, copied each time."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.guards import clean_environment

AUTHOR = ("Ada Lovelace", "ada@example.com")


@dataclass(frozen=True, slots=True)
class Repo:
    """A checkout on ``main`` with one commit, ``README.md`` and ``src/app.py``."""

    path: Path

    @property
    def git_dir(self) -> Path:
        return self.path / ".git"

    def git(self, *arguments: str, input: bytes | None = None) -> str:
        """What git prints, without the last newline; fails the test where git fails."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=git_environment(), input=input, capture_output=True
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")

    def write(self, path: str, text: str | bytes) -> Path:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def commit(self, message: str = "change") -> str:
        """Commit everything there is; returns the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def read(self, revision: str, path: str) -> str:
        return self.git("show", f"{revision}:{path}")

    def files(self, revision: str) -> list[str]:
        return self.git("ls-tree", "-r", "--name-only", revision).splitlines()

    def log(self, revision: str, form: str = "%s") -> list[str]:
        """Newest first, along first parents."""
        return self.git("log", "--first-parent", f"--format={form}", revision).splitlines()

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
        return dict(line.split(" ") for line in lines)


def git_environment() -> dict[str, str]:
    environment = dict(os.environ)
    clean_environment(environment)
    return environment


@pytest.fixture(scope="session")
def template_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "repo"
    path.mkdir()
    repo = Repo(path)
    repo.git("init", "--quiet", "--initial-branch=main", "--template=")
    for key, value in (
        ("user.name", AUTHOR[0]),
        ("user.email", AUTHOR[1]),
        ("commit.gpgSign", "false"),
        ("gc.auto", "0"),
        ("core.fsync", "none"),
    ):
        repo.git("config", key, value)
    repo.write("README.md", "# A repository for tests\n")
    repo.write("src/app.py", "def answer():\n    return 42\n")
    repo.commit("first")
    return path


@pytest.fixture
def repo(template_repository: Path, tmp_path: Path) -> Repo:
    """A copy of the template in a folder of its own, so that ``repo.spinney`` beside it is the test's too."""
    path = tmp_path / "work" / "repo"
    shutil.copytree(template_repository, path, symlinks=True)
    return Repo(path)
