"""Spinney's console script in a repository, held by bubblewrap or by process bookkeeping."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.repository import Repo
from tests.support.running import Spinney, has_bubblewrap, running


@pytest.fixture
def spinney(repo: Repo) -> Iterator[Spinney]:
    """Contained as this machine can."""
    with running(repo) as it:
        yield it


@pytest.fixture
def free(repo: Repo) -> Iterator[Spinney]:
    """Without bubblewrap."""
    with running(repo, bubblewrap=False) as it:
        yield it


@pytest.fixture(scope="session")
def _bubblewrap_works() -> bool:
    return has_bubblewrap()


@pytest.fixture
def held(repo: Repo, _bubblewrap_works: bool) -> Iterator[Spinney]:
    """With bubblewrap; skipped where it cannot make namespaces."""
    if not _bubblewrap_works:
        pytest.skip("bubblewrap does not work on this machine")
    with running(repo) as it:
        yield it


@pytest.fixture(params=["bubblewrap", "bookkeeping"])
def both(request: pytest.FixtureRequest, repo: Repo, _bubblewrap_works: bool) -> Iterator[Spinney]:
    """Once with and once without bubblewrap."""
    if request.param == "bubblewrap" and not _bubblewrap_works:
        pytest.skip("bubblewrap does not work on this machine")
    with running(repo, bubblewrap=request.param == "bubblewrap") as it:
        yield it
