"""The fixtures: ``github`` is a stand-in with a copy of the template repository, and no schema may be broken on it.

The stand-in is imported by the first test that wants one: all the others start sooner without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.github.standin import GitHub


@pytest.fixture
def github(template_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """Fails the test where a request or an answer was not as GitHub describes it.

    The environment names it, since no token goes to a host that only a remote's address names.
    """
    from tests.support.github.standin import GitHub

    for running in _running(GitHub(template_repository, _folder(tmp_path))):
        monkeypatch.setenv("GH_HOST", running.host)
        yield running


@pytest.fixture
def secure_github(template_repository: Path, tmp_path: Path) -> Iterator[GitHub]:
    """The same over HTTPS, as ``localhost``; ``github.tls.authority`` is what clients must trust."""
    from tests.support.github import tls
    from tests.support.github.standin import GitHub

    folder = _folder(tmp_path)
    yield from _running(GitHub(template_repository, folder, tls=tls.make(folder)))


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "github"
    folder.mkdir()
    return folder


def _running(github: GitHub) -> Iterator[GitHub]:
    with github:
        yield github
    assert github.violations == []
