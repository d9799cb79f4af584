"""An agent that failed at its own tier and did well at the next, in a whole run."""

from __future__ import annotations

import pytest

from tests.support.running import Spinney

pytestmark = pytest.mark.process

WORKFLOW = """\
version: 1
name: team
phases:
  - name: work
    agents:
      - name: CODER
        backend: scripted
        escalate: true
        script:
          - {action: fail, text: not good enough}
          - {action: write, path: made.txt, text: made}
"""


def test_failed_agent_is_tried_once_more_a_tier_higher_and_the_journal_tells(spinney: Spinney) -> None:
    spinney.repo.write("team.yaml", WORKFLOW)
    spinney.repo.commit("workflow")
    text = "version: 1\ntasks:\n  - {id: task, title: Task, workflow: team.yaml}\n"
    done = spinney("run", spinney.batch(text), "--json")
    assert done.statuses == {"task": "merged"}, done
    started = [event for event in spinney.events() if event["event"] == "agent.started"]
    assert [(event["attempt"], event["tier"]) for event in started] == [(1, "balanced"), (2, "deep")]
