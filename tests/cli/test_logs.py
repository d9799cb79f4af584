import pytest

from tests.cli.conftest import Spinney

pytestmark = [pytest.mark.git, pytest.mark.process]


def test_logs_are_listed_shown_without_escapes_and_found_by_near_names(finished, spinney: Spinney) -> None:
    assert spinney("logs").stdout == (
        "good     COMMAND (33 bytes), gate (7 bytes)\n"
        "refused  COMMAND (empty), gate (7 bytes)\n"
        "broken   COMMAND (231 bytes)\n"
        "\n"
        "show one: spinney logs TASK [AGENT]\n"
    )
    lines = spinney("logs", "good").stdout.splitlines()
    assert lines[0].startswith("==> COMMAND (command): ok in ")
    assert lines[1:] == ["red and", "plain", "", "==> gate <==", "gating"]
    assert spinney("logs", "good", "command").stdout == "red and\nplain\n"
    assert "\x1b[31mred" in spinney("logs", "good", "COMMAND", "--raw").stdout

    wrong = spinney("logs", "brocken")
    assert wrong.returncode == 2
    assert "did you mean 'broken'?" in wrong.stderr
    assert "did you mean 'COMMAND'?" in spinney("logs", "good", "COMAND").stderr
