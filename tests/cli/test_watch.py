import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import SPINNEY, Spinney

pytestmark = [pytest.mark.git, pytest.mark.process]


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"it ended before it said {words!r}")


def test_watching_may_end_before_the_run_and_otherwise_ends_with_it(
    project: Path, environment: dict[str, str], spinney: Spinney
) -> None:
    def start(*arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen([SPINNEY, *arguments], cwd=project, env=environment, stdout=pipe, text=True)

    marker = project.parent / "go"
    command = f"echo at work; while ! test -e {marker}; do sleep 0.02; done; echo x > x; echo over"
    with start("run", "-c", command, "--title", "waits") as run:
        read_until(run, "waits: started")
        with start("watch") as given_up:
            read_until(given_up, "waits: started")
            given_up.send_signal(signal.SIGINT)
            assert "the run goes on" in given_up.communicate(timeout=30)[0]
            assert given_up.returncode == 0
        assert "waits  running" in spinney("status").stdout
        with start("watch") as watch, start("logs", "waits", "--follow") as logs:
            read_until(watch, "waits: started")
            read_until(logs, "at work")
            marker.touch()
            assert logs.communicate(timeout=30)[0] == "over\n"
            assert "1 merged" in watch.communicate(timeout=30)[0]
            assert (watch.returncode, logs.returncode) == (0, 0)
        run.communicate(timeout=30)
        assert run.returncode == 0
