from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.actions.workflows import ACTION, PATHS, TRIGGERS, written
from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git
INSTALL = "git+https://github.com/octo-org/spinney@" + "a" * 40


def test_workflows_are_written_and_never_over_what_somebody_changed(project: Path, spinney: Spinney) -> None:
    done = spinney("init", "--github", "--install", INSTALL)
    assert done.returncode == 0, done.stderr
    assert {path: (project / path).read_text() for path in PATHS} == written(install=INSTALL)
    assert not (project / "spinney.yaml").exists()

    assert spinney("init", "--github", "--install", INSTALL).returncode == 0  # nothing is different
    (project / TRIGGERS).write_text("name: mine\n")
    refused = spinney("init", "--github", "--install", INSTALL)
    assert refused.returncode == 2
    assert f"{TRIGGERS} is there already, and different" in refused.stderr
    assert (project / TRIGGERS).read_text() == "name: mine\n"
    assert spinney("init", "--github", "--fan-out", "--install", INSTALL, "--force").returncode == 0
    assert "spinney-fan-out.yml" in (project / TRIGGERS).read_text()


def test_what_a_runner_cannot_install_is_asked_for(project: Path, spinney: Spinney) -> None:
    refused = spinney("init", "--github")  # installed from a folder, as in every development environment
    assert refused.returncode == 2
    assert "spinney init --github --install" in refused.stderr
    assert not (project / ".github").exists()
    (project / "pyproject.toml").write_text('[project]\nname = "spinney"\n')
    assert spinney("init", "--github").returncode == 0
    assert (project / ACTION).read_text() == written()[ACTION]


def test_options_that_do_not_go_together_are_refused(project: Path, spinney: Spinney) -> None:
    for wrong in (
        ["--github", "--set", "jobs=2"],
        ["--fan-out"],
        ["--github", "--fan-out", "--enterprise", "--install", INSTALL],
        ["--github", "--install", "--index-url=https://example.com"],
    ):
        assert spinney("init", *wrong).returncode == 2
    assert not (project / ".github").exists()


def test_a_linked_folder_gets_nothing(project: Path, tmp_path: Path, spinney: Spinney) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / ".github").symlink_to(tmp_path / "elsewhere")
    refused = spinney("init", "--github", "--install", INSTALL)
    assert refused.returncode == 2
    assert "is a link" in refused.stderr
    assert not any((tmp_path / "elsewhere").rglob("*.yml"))


def test_nothing_is_written_where_not_all_of_it_can_be(
    project: Path, tmp_path: Path, spinney: Spinney
) -> None:
    (project / ".github").mkdir()
    (project / ".github/workflows").symlink_to(tmp_path)
    refused = spinney("init", "--github", "--install", INSTALL)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert not (project / ACTION).exists()
    (project / ".github/workflows").unlink()
    (project / ".github/workflows").touch()
    refused = spinney("init", "--github", "--install", INSTALL)
    assert refused.returncode == 2, refused.stderr
    assert "error: .github/workflows/spinney.yml cannot be written: File exists" in refused.stderr
