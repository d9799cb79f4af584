"""Commands of the user that execute what agents in a sandbox wrote: real processes, a scripted model."""

from __future__ import annotations

import pytest

from shared.sandbox import LET_OUT
from tests.support.messages import MessagesServer, Reply
from tests.support.model_agent import Script, bash, finish
from tests.support.running import Spinney

pytestmark = [pytest.mark.process, pytest.mark.git]
WORKFLOW = """\
name: written
phases:
  - {name: work, agents: [{name: WRITER, prompt: Write the program.}]}
  - {name: check, agents: [{name: CHECKER, run: sh probe.sh > checked}]}
"""
BATCH = """\
version: 1
backend: anthropic
sandbox_commands: %s
setup: if test -f probe.sh; then sh probe.sh; else cat %s/secret; fi
tasks:
  - {id: written, title: Write, workflow: written, body: As you like.}
  - {id: after, title: After, needs: [written], run: sh probe.sh > used}
  - {id: failing, title: Failing, needs: [written], run: exit 3}
"""


@pytest.mark.parametrize(("setting", "seen", "hint"), [("auto", "nothing", LET_OUT), ("'off'", "hidden", "")])
def test_what_executes_the_work_of_a_model_is_shut_in_with_it(
    held: Spinney, setting: str, seen: str, hint: str
) -> None:
    """A later phase's command, and set-up and commands of tasks that need the model's; not set-up before it."""
    hidden = held.repo.path.parent / "hidden"
    hidden.mkdir()
    (hidden / "secret").write_text("hidden")
    held.repo.write("written.yaml", WORKFLOW)
    held.repo.commit("a workflow")
    probe = f"echo 'cat {hidden}/secret 2>/dev/null || echo nothing; touch {hidden}/w 2>/dev/null; true' > probe.sh"
    with MessagesServer(Script(Reply(tools=[bash(probe)]), finish("written"))) as server:
        held.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        done = held("run", held.batch(BATCH % (setting, hidden)), "--json")
    assert done.statuses == {"written": "merged", "after": "merged", "failing": "failed"}, done.out + done.err
    found = [held.repo.read(done.json["merged"], name).strip() for name in ("checked", "used")]
    logs = held.repo.git_dir / "spinney/runs" / done.json["run"] / "logs"
    assert [*found, (logs / "after/set-up.log").read_text().strip()] == [seen] * 3
    assert (logs / "written/set-up.log").read_text() == "hidden"
    assert (hidden / "w").exists() is (seen == "hidden")
    assert done.tasks["failing"]["reason"].endswith(f"exit status 3{hint}")
