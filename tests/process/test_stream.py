"""Streamed processes end when they should, and nothing that they started outlives them."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from shared.containment import contained, find_bubblewrap
from shared.errors import SpinneyError
from shared.model import Containment
from shared.process import Cancel, End, EndReason, run, stream
from tests.support.running import has_bubblewrap, until

pytestmark = pytest.mark.process

ENV = {"PATH": os.environ["PATH"]}


def sh(command: str, output: bytearray | None = None, **options: object) -> End:
    said = output if output is not None else bytearray()
    return stream(["/bin/sh", "-c", command], cwd="/", env=ENV, on_output=said.extend, **options)  # type: ignore[arg-type]


def test_output_and_errors_arrive_together_and_whole() -> None:
    said = bytearray()
    end = sh("echo out; echo err >&2; head -c 300000 /dev/zero | tr '\\0' x; printf end; exit 3", said)
    assert said == b"out\nerr\n" + b"x" * 300000 + b"end"
    assert (end.status, end.reason, end.ok) == (3, EndReason.EXITED, False)
    assert str(end) == "exit status 3"


def test_output_is_handed_on_as_it_comes(tmp_path: Path) -> None:
    go = tmp_path / "go"

    def heard(data: bytes) -> None:
        if b"ready" in data:
            go.touch()  # it waits for this, so it could not have ended before

    end = stream(
        ["/bin/sh", "-c", f"echo ready; until test -e {go}; do :; done"],
        cwd="/",
        env=ENV,
        on_output=heard,
        timeout=10,
    )
    assert end.ok


def test_a_process_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    late = tmp_path / "late"
    end = sh(f"exec >&- 2>&-; sleep 0.2; touch {late}")
    assert end.ok
    assert late.exists()


def test_a_timeout_ends_it() -> None:
    end = sh("trap '' TERM; sleep 60", timeout=0.1, grace=0.1)
    assert end.reason is EndReason.TIMEOUT
    assert end.seconds < 5
    assert not end.ok


def test_it_may_clean_up_when_it_is_told_to_end(tmp_path: Path) -> None:
    done, ready, cancel = tmp_path / "done", tmp_path / "ready", Cancel()
    thread = threading.Thread(target=lambda: (until(ready.exists, "it to start"), cancel.set()))
    thread.start()
    end = sh(f"trap 'touch {done}; exit 7' TERM; touch {ready}; while :; do sleep 0.01; done", cancel=cancel)
    thread.join()
    assert (end.reason, end.status) == (EndReason.CANCELLED, 7)
    assert str(end) == "stopped"
    assert done.exists()
    cancel.close()


def test_a_cancel_that_came_before_the_start_counts() -> None:
    cancel = Cancel()
    cancel.set()
    cancel.set()
    assert sh("sleep 60", cancel=cancel).reason is EndReason.CANCELLED
    cancel.close()


def test_a_signal_is_named() -> None:
    assert str(sh("kill -9 $$")) == "killed by SIGKILL"


def test_what_cannot_be_started_is_an_end_like_any_other() -> None:
    said = bytearray()
    end = stream(["/no/such/program"], cwd="/", env=ENV, on_output=said.extend)
    assert end.status == 127
    assert said == b"cannot start /no/such/program: No such file or directory\n"
    with pytest.raises(SpinneyError, match="cannot start /no/such/program"):
        run(["/no/such/program"], cwd="/", env=ENV)


def test_standard_input_is_empty() -> None:
    said = bytearray()
    assert sh("cat; echo end", said).ok
    assert said == b"end\n"


def test_a_short_program_that_takes_too_long_is_an_error() -> None:
    with pytest.raises(SpinneyError, match="did not end within"):
        run(["sleep", "60"], cwd="/", env=ENV, timeout=0.1)


def test_no_descriptors_are_lost() -> None:
    sh("true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        sh("echo x; sleep 0 &")
    assert len(os.listdir("/proc/self/fd")) == before


# --- what it leaves behind, in a process that gets its orphans as a manager does

_SUBREAPER = """
import os, sys
from shared.containment import die_with_parent
from shared.process import stream
die_with_parent()
end = stream(sys.argv[2:], cwd="/", env=dict(os.environ), on_output=lambda data: None, timeout=float(sys.argv[1]), grace=0.2)
print(end.reason, flush=True)
"""

LEFT = {
    "background": "sleep {n} & ",
    "nohup": "nohup sleep {n} >/dev/null 2>&1 &",
    "setsid": "setsid sleep {n} &",
    "double fork": "(sh -c 'sleep {n} &' &)",
    "setsid twice": "(setsid sh -c 'setsid nohup sleep {n} >/dev/null 2>&1 &' &)",
    "holding the output": "(setsid sleep {n} 2>&1 &)",
    "ignoring signals": "(setsid sh -c 'trap \"\" TERM HUP INT; sleep {n}; sleep {n}' &)",
}


def sleepers(seconds: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["cmdline"] == ["sleep", seconds] and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.mark.parametrize("held", [True, False], ids=["bubblewrap", "bookkeeping"])
@pytest.mark.parametrize("ending", ["exit", "timeout"])
@pytest.mark.parametrize("way", LEFT)
def test_what_it_left_behind_is_killed(
    way: str, ending: str, held: bool, tmp_path: Path, distinct: str
) -> None:
    if held and not has_bubblewrap():
        pytest.skip("bubblewrap does not work on this machine")
    ready = tmp_path / "ready"
    last = "" if ending == "exit" else "sleep 300"
    wait = f"until pgrep -fx 'sleep {distinct}' >/dev/null; do :; done"
    command = f"{LEFT[way].format(n=distinct)}\n{wait}\ntouch {ready}\n{last}"
    program = find_bubblewrap() if held else ""
    argv = contained(Containment(program), ["/bin/sh", "-c", command])
    seconds = "20" if ending == "exit" else "0.5"
    root = str(Path(__file__).parents[2])
    done = run(
        [sys.executable, "-P", "-c", _SUBREAPER, seconds, *argv],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        timeout=30,
    )
    assert done.stdout.decode().strip() == ("exited" if ending == "exit" else "timeout"), done.stderr
    assert ready.exists()
    until(lambda: not sleepers(distinct), "the end of what it left", 5)


_CHILDREN_FIRST = """
import os, time
from shared import containment
below, kill = containment.descendants, os.kill
containment.descendants = lambda pid: sorted(below(pid), reverse=True)
os.kill = lambda pid, number: (kill(pid, number), time.sleep(0.1))
"""


def test_what_a_shell_starts_while_its_children_are_killed_is_killed_too(
    tmp_path: Path, distinct: str
) -> None:
    command = f"(setsid sh -c 'sleep {distinct}; touch {tmp_path}/again; sleep {distinct}' &)"
    wait = f"until pgrep -fx 'sleep {distinct}' >/dev/null; do :; done"
    root = str(Path(__file__).parents[2])
    done = run(
        [
            sys.executable,
            "-P",
            "-c",
            _CHILDREN_FIRST + _SUBREAPER,
            "20",
            "/bin/sh",
            "-c",
            f"{command}\n{wait}",
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        timeout=30,
    )
    assert done.stdout.decode().strip() == "exited", done.stderr
    assert (tmp_path / "again").exists()
    until(lambda: not sleepers(distinct), "the end of what it left", 5)


@pytest.fixture
def distinct() -> str:
    """A number of seconds that no other test sleeps."""
    return f"{1000 + os.getpid() % 10000}.{time.monotonic_ns() % 1_000_000_000}"
