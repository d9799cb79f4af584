"""Guards around every test, and the fixtures that many of them share.

Each guard fails the test that broke it, at once and by name; ``tests/unit/test_guards.py`` tests the guards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import guards

pytest_plugins = ["pytester", "tests.support.repository", "tests.support.github.fixture"]

# The same examples on every machine; `--hypothesis-profile=long` looks for new ones.
settings.register_profile("spinney", deadline=None, derandomize=True, database=None, max_examples=60)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile("spinney")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means: two a processor, since tests with processes wait for a third of their time."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure() -> None:
    guards.clean_environment(os.environ)
    guards.NETWORK.install()


@pytest.fixture(autouse=True)
def guarded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[None]:
    """A home of its own, the environment and the folder as they were, nothing outside, nothing left behind."""
    home = guards.new_home(tmp_path_factory.getbasetemp())
    before = guards.Before.now()
    guards.clean_environment(os.environ, home)
    yield
    problems = [*guards.NETWORK.refused(), *before.left_behind()]
    before.restore()
    if problems:
        pytest.fail(f"{request.node.name} broke a guard: {'; '.join(problems)}", pytrace=False)


@pytest.fixture
def home(guarded: None) -> Path:
    """The test's own home folder."""
    return Path(os.environ["HOME"])
