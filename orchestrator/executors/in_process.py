"""Managers as threads of this process: slower to isolate, easy to debug (``--in-process``)."""

from __future__ import annotations

import contextlib
import queue
import threading

from orchestrator.executors.port import ManagerGone, ManagerSaid, Post
from shared.messages import ChannelClosed, FromManager, Stop, ToManager
from shared.model import Assignment, TaskId
from workflow_manager.manager import carry


class _QueueChannel:
    def __init__(self, assignment: Assignment, post: Post) -> None:
        self._assignment, self._post = assignment, post
        self.incoming: queue.SimpleQueue[ToManager | None] = queue.SimpleQueue()
        self.closed = False

    def send(self, message: FromManager) -> None:
        if self.closed:
            raise ChannelClosed
        self._post(ManagerSaid(self._assignment.task.id, self._assignment.attempt, message))

    def receive(self, timeout: float) -> ToManager | None:
        if self.closed:
            raise ChannelClosed
        with contextlib.suppress(queue.Empty):
            message = self.incoming.get(timeout=timeout)
            if message is None:
                raise ChannelClosed
            return message
        return None


class InProcessExecutor:
    """Serial is a backend: the same managers, the same messages, no processes but the agents' own."""

    at_once = 1

    def __init__(self) -> None:
        self._running: dict[TaskId, tuple[threading.Thread, _QueueChannel]] = {}

    def warm_up(self) -> None:
        pass

    def prepare_for(self, backends: frozenset[str]) -> None:
        pass

    def ready(self) -> None:
        pass

    def start(self, assignment: Assignment, post: Post) -> None:
        channel = _QueueChannel(assignment, post)

        def work() -> None:
            status = "ended"
            try:
                carry(assignment, channel)
            except Exception as error:  # noqa: BLE001 - a worker's entry
                status = f"crashed: {error!r}"
            channel.closed = True
            channel.incoming.put(None)
            post(ManagerGone(assignment.task.id, assignment.attempt, status))

        thread = threading.Thread(target=work, name=f"manager-{assignment.task.id}", daemon=True)
        self._running[assignment.task.id] = (thread, channel)
        thread.start()

    def send(self, task: TaskId, message: ToManager) -> None:
        if task in self._running:
            self._running[task][1].incoming.put(message)

    def kill(self, task: TaskId) -> None:
        self.send(task, Stop())  # a thread cannot be killed; its agents can be stopped

    def close(self) -> None:
        for task, (thread, _) in self._running.items():
            self.send(task, Stop())
            thread.join(10.0)
