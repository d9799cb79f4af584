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
def github(template_repository: Path, tmp_path: Path) -> Iterator[GitHub]:
    """Fails the test where a request or an answer was not as GitHub describes it."""
    from tests.support.github.standin import GitHub

    yield from _running(GitHub(template_repository, _folder(tmp_path)))


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
