"""A run that was killed is gone on with: nothing is paid twice, nothing is forgotten, and the newest content is merged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.messages import Asked, Fault, MessagesServer, Reply, Script, ToolUse
from tests.support.model_agent import bash, create, edit, finish
from tests.support.running import Done, Spinney, until

pytestmark = [pytest.mark.process, pytest.mark.git]
BATCH = "version: 1\nbackend: anthropic\ntasks:\n  - {id: task, title: Task, workflow: team.yaml}\n"
AGENT = "version: 1\nname: team\nphases:\n  - name: work\n    agents:\n      - {name: CODER, prompt: the work%s}\n"


class Scene:
    """A run that is killed while a request that a script holds back waits, and resumed with the answer to it."""

    def __init__(self, spinney: Spinney, server: MessagesServer, held: Held) -> None:
        self._spinney, self.server, self._held = spinney, server, held
        self.before = 0  # requests until the kill

    def killed_and_resumed(self) -> Done:
        process = self._spinney.start("run", self._spinney.batch(BATCH))
        until(lambda: self._held.reached.is_set() or process.poll() is not None, "the held request", 60)
        process.kill()
        self._spinney.end(process)
        self.before = len(self.server.asked)
        self._held.released.set()
        return self._spinney("resume", "--json")

    @property
    def after(self) -> list[Asked]:
        return self.server.asked[self.before :]


class Held:
    """A script of which one request gets no answer until it is released."""

    def __init__(self, script: Script, which: object) -> None:
        self.reached, self.released = threading.Event(), threading.Event()
        self._script, self._which = script, which

    def __call__(self, asked: Asked) -> Reply | Fault:
        answer = self._script(asked)
        if answer is self._which and not self.released.is_set():
            self.reached.set()
            return Fault.hang()
        return answer


@contextmanager
def scene(spinney: Spinney, workflow: str, script: Script, which: object) -> Iterator[Scene]:
    """``which`` is the answer of ``script`` that is not given before the kill."""
    spinney.repo.write("team.yaml", workflow)
    spinney.repo.commit("workflow")
    holding = Held(script, which)
    with MessagesServer(holding) as server:
        spinney.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        yield Scene(spinney, server, holding)


LOOKED = (
    "version: 1\nname: team\nphases:\n  - name: look\n    agents:\n"
    "      - {name: READER, prompt: read it, writes: []}\n"
    "  - name: work\n    agents:\n      - {name: CODER, prompt: the work, needs: [READER]}\n"
)


def test_agent_that_is_asked_again_after_a_kill_sees_what_was_corrected(held: Spinney) -> None:
    ask = Reply(tools=[ToolUse("ask_agents", {"agents": [{"name": "tester", "prompt": "test it"}]})])
    correct = Reply(tools=[create("code.txt", "v2\n")])
    coder = [ask, correct, ask, finish("done")]
    look = Reply(tools=[bash("test -e code.txt || echo v1 > code.txt; cp code.txt tested.txt")])

    def script(asked: Asked) -> Reply:
        if "read it" in asked.opening:
            return finish("read")
        if "test it" in asked.opening:
            return look if asked.turns == 0 else finish("tested")
        return coder[asked.turns]

    with scene(held, LOOKED, script, correct) as killed:
        done = killed.killed_and_resumed()
    assert done.statuses == {"task": "merged"}, done.err
    files = [held.repo.read(done.json["merged"], name) for name in ("code.txt", "tested.txt")]
    assert files == ["v2", "v2"]
    assert len(killed.after) == 5  # three of the first one, two of the one that was asked for again
    billed = killed.server.billed
    assert sum(done.json["metrics"]["token_usage"].values()) == billed.total
    told = f"Spinney-Tokens: {billed.total - billed.output} read, {billed.output} written"
    assert told in held.repo.log("spinney/task", "%B")  # what the phase without a commit took included


@pytest.mark.slow
def test_killed_third_try_with_a_better_model_is_gone_on_with_after_what_the_first_two_left(
    held: Spinney,
) -> None:
    settings = ", retries: 1, escalate: true, evidence: {command: 'grep -q three a.txt'}"
    last = finish("done")
    tries = {
        False: [Reply(tools=[create("a.txt", "one\n")]), *[Reply("Hm.")] * 3],  # and is given up
        True: [Reply(tools=[edit("str_replace", "a.txt", old_str="one", new_str="two")]), finish("done")],
    }
    deep = [Reply(tools=[edit("str_replace", "a.txt", old_str="two", new_str="three")]), last]

    def script(asked: Asked) -> Reply:
        if "opus" in asked.model:
            return deep[asked.turns]
        answers = tries["Your try before this one failed" in asked.opening]
        return answers[min(asked.turns, len(answers) - 1)]

    with scene(held, AGENT % settings, script, last) as killed:
        done = killed.killed_and_resumed()
    assert done.statuses == {"task": "merged"}, done.err
    assert held.repo.read(done.json["merged"], "a.txt") == "three"
    assert len(killed.after) == 1
    started = [event for event in held.events() if event["event"] == "agent.started"]
    shown = [(event["attempt"], event["tier"]) for event in started]
    assert shown == [(1, "balanced"), (2, "balanced"), (3, "deep")] * 2
