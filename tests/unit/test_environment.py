from __future__ import annotations

from shared.model import Settings
from tests.support.build import agent, assignment, oid, task
from workflow_manager.environment import for_agent, for_task, inherited

TASK = task("fix-login", title="Fix the login; $(touch x)")


def test_gits_variables_do_not_reach_agents() -> None:
    users = {
        "PATH": "/usr/bin",
        "HOME": "/home/ada",
        "GIT_DIR": "/elsewhere",
        "GIT_WORK_TREE": "/elsewhere",
        "GIT_INDEX_FILE": "/elsewhere/index",
        "GIT_CONFIG_COUNT": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_SSH_COMMAND": "ssh -i key",
        "PYTHONSAFEPATH": "1",
    }
    assert inherited(users) == {
        "PATH": "/usr/bin",
        "HOME": "/home/ada",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_SSH_COMMAND": "ssh -i key",
    }


def test_task_learns_what_it_is_and_where() -> None:
    given = for_task(assignment(TASK, attempt=2, port_base=20030, settings=Settings(ports=5)))
    assert given == {
        "PATH": "/usr/bin:/bin",
        "SPINNEY_RUN": "20231114-221320-abcd",
        "SPINNEY_TASK": "fix-login",
        "SPINNEY_TITLE": "Fix the login; $(touch x)",
        "SPINNEY_BRANCH": "spinney/fix-login",
        "SPINNEY_BASE": oid(1),
        "SPINNEY_WORKTREE": "/repo.spinney/fix-login",
        "SPINNEY_TASKS_DIR": "/repo.spinney/fix-login/.tasks",
        "SPINNEY_ATTEMPT": "2",
        "SPINNEY_PORT_BASE": "20030",
        "SPINNEY_PORT_COUNT": "5",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "gc.auto",
        "GIT_CONFIG_VALUE_0": "0",
        "GIT_CONFIG_KEY_1": "maintenance.auto",
        "GIT_CONFIG_VALUE_1": "false",
    }


def test_agent_learns_its_role_on_top_and_its_own_folder() -> None:
    made = assignment(TASK)
    given = for_agent(made, "testing", agent("TESTER", tier="deep"), "/prompts/TESTER.md", "/scratch")
    extra = {key: value for key, value in given.items() if for_task(made).get(key) != value}
    assert extra == {
        "SPINNEY_PHASE": "testing",
        "SPINNEY_AGENT": "TESTER",
        "SPINNEY_TIER": "deep",
        "SPINNEY_PROMPT": "/prompts/TESTER.md",
        "SPINNEY_WORKTREE": "/scratch",
        "PWD": "/scratch",
    }


def test_what_the_task_is_wins_over_what_was_inherited() -> None:
    made = assignment(TASK, environment=(("SPINNEY_TASK", "another"), ("LANG", "C")))
    given = for_task(made)
    assert (given["SPINNEY_TASK"], given["LANG"]) == ("fix-login", "C")
