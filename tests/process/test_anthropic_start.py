"""What managers find loaded: the SDK where an agent of the run needs it, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from multiprocess import forkserver

from orchestrator.executors.local import LocalExecutor
from shared.model import TaskOutcome
from tests.conformance.test_executors import FOREVER, WRITE, Field
from tests.support.build import agent, phase, task, workflow
from tests.support.repository import Repo

pytestmark = [pytest.mark.git, pytest.mark.process]

# The SDK's parser is native code: the manager, the agent's parent, has it in its memory or has not.
LOOK = 'grep -c jiter "/proc/$PPID/maps" > loaded.txt; true'


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """One with a forkserver of its own: others share one as long as the process lives."""
    forkserver._forkserver._stop()
    made = LocalExecutor()
    made.warm_up()
    yield made
    made.close()
    forkserver._forkserver._stop()


def loaded(field: Field, name: str) -> int:
    """How many pieces of the SDK the manager of a task has."""
    made = field.assign(name)
    looking = agent("LOOKER", backend="command", run=LOOK)
    field.start(replace(made, task=task(name, workflow=workflow(phase("work", looking)))))
    field.wait_until_gone()
    assert field.result(name).outcome is TaskOutcome.DONE
    return int(field.repo.read(f"spinney/{name}", "loaded.txt"))


def test_run_without_models_never_loads_the_sdk(repo: Repo, executor: LocalExecutor) -> None:
    executor.prepare_for(frozenset({"command", "scripted"}))
    assert loaded(Field(repo, executor), "a") == 0


def test_run_with_models_has_it_loaded_for_every_manager(repo: Repo, executor: LocalExecutor) -> None:
    executor.prepare_for(frozenset({"command", "anthropic"}))
    field = Field(repo, executor)
    assert loaded(field, "a") > 0
    assert loaded(field, "b") > 0


def test_no_manager_loses_its_forkserver_to_a_late_preparation(repo: Repo, executor: LocalExecutor) -> None:
    field = Field(repo, executor)
    field.start(field.assign("a", WRITE, FOREVER))
    before = forkserver._forkserver._forkserver_pid
    executor.prepare_for(frozenset({"anthropic"}))
    assert forkserver._forkserver._forkserver_pid == before
