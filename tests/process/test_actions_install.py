"""What the action installs, its script run by hand with a Python that only writes down what it was asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.actions.workflows import ACTION, written
from tests.support.actions.documents import load

pytestmark = pytest.mark.process

PYTHON = """\
#!/bin/sh
echo "$0 $*" >> "$ASKED"
case "$*" in
*venv*) mkdir -p "$3/bin" 2>/dev/null; for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python"
  printf '#!/bin/sh\\necho spinney 0\\n' > "$last/bin/spinney"; chmod +x "$last/bin/spinney";;
esac
"""


def install(tmp_path: Path, *, own: str = "", **inputs: str) -> tuple[int, str, str]:
    """Exit code, what pip was asked to install, and the log."""
    checkout, temp = tmp_path / "checkout", tmp_path / "temp"
    action = checkout / ".github/actions/spinney"
    for folder in (action, temp):
        folder.mkdir(parents=True, exist_ok=True)
    if own:
        (checkout / "pyproject.toml").write_text(own)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    document = load(written(install=inputs.pop("init", ""))[ACTION])
    (step, *_) = document["runs"]["steps"]
    given = {name: about["default"] for name, about in document["inputs"].items()} | inputs
    env = {
        name: given[value.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, value in step["env"].items()
    }
    env |= {
        "PYTHON": str(python),
        "BUBBLEWRAP": "false",
        "ASKED": str(tmp_path / "asked"),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=checkout,
        env={**env, "RUNNER_TEMP": str(temp), "GITHUB_ACTION_PATH": str(action)},
        capture_output=True,
        text=True,
    )
    asked = (tmp_path / "asked").read_text().splitlines() if (tmp_path / "asked").exists() else []
    last = asked[-1].partition("--disable-pip-version-check ")[2] if asked else ""
    return done.returncode, last, done.stdout + done.stderr


def test_what_is_said_is_installed_in_an_environment_of_its_own(tmp_path: Path) -> None:
    wanted = "git+https://github.com/octo-org/spinney@" + "a" * 40
    assert install(tmp_path, install=wanted)[:2] == (0, wanted)
    assert (tmp_path / "temp/spinney/bin/spinney").exists()


def test_what_init_wrote_is_installed(tmp_path: Path) -> None:
    assert install(tmp_path, init="spinney==1.2.3")[:2] == (0, "spinney==1.2.3")


def test_in_its_own_repository_the_action_installs_that(tmp_path: Path) -> None:
    assert install(tmp_path, own='[project]\nname = "spinney"\n')[:2] == (0, str(tmp_path / "checkout"))


def test_another_project_s_own_repository_is_not_taken_for_it(tmp_path: Path) -> None:
    code, asked, log = install(tmp_path, own='[project]\nname = "widgets"\n')
    assert (code, asked) == (2, "")
    assert "which Spinney?" in log


def test_nothing_is_installed_by_its_name_on_a_guess(tmp_path: Path) -> None:
    code, asked, log = install(tmp_path)
    assert (code, asked) == (2, "")
    assert "Say install:" in log
    assert "version" not in load(written()[ACTION])["inputs"]


def test_twice_in_a_job_is_once(tmp_path: Path) -> None:
    install(tmp_path, install="x==1.2.3")
    before = (tmp_path / "asked").read_text()
    assert install(tmp_path, install="x==1.2.3")[0] == 0
    assert (tmp_path / "asked").read_text() == before
