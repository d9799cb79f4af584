from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git

WRONG = """\
version: 1
name: mine
phases:
  - name: one
    agents:
      - {name: ALPHA, needs: [BETA]}
  - name: one
"""


def test_workflows_are_shown_as_files_and_checked_all_at_once(project: Path, spinney: Spinney) -> None:
    names = [line.split()[0] for line in spinney("workflow", "list").stdout.splitlines()]
    assert {"command", "feature"} <= set(names)
    for name in names:
        (project / f"{name}.yaml").write_text(spinney("workflow", "show", name).stdout)
    (project / "wrong.yaml").write_text(WRONG)

    done = spinney("workflow", "check", "feature.yaml", "wrong.yaml", "absent.yaml")
    assert done.returncode == 2
    assert done.stdout == "feature.yaml: ok\n"
    assert done.stderr == (
        "wrong.yaml:6:31: ALPHA needs BETA, which is not an agent (known: ALPHA)\n"
        "wrong.yaml:7:11: the phase 'one' is there twice\n"
        "absent.yaml: cannot be read: No such file or directory\n"
        "3 mistakes\n"
    )
    assert spinney("workflow", "check", *(f"{name}.yaml" for name in names)).returncode == 0
