import json
from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git


def test_doctor_fails_only_where_something_must_be_mended(
    project: Path, tmp_path: Path, spinney: Spinney
) -> None:
    healthy = json.loads(spinney("doctor", "--json").stdout)
    assert healthy["ok"]
    assert [check["what"] for check in healthy["checks"]] == [
        *("python", "packages", "git", "bubblewrap", "sandbox", "machine", "repository"),
        *("identity", "fitness", "spinney.yaml", "models", "disk", "runs", "worktrees", "locks"),
    ]
    (project / "spinney.yaml").write_text("gat: make\n")
    (project.parent / "project.spinney" / "left-over").mkdir(parents=True)
    ill = spinney("doctor")
    assert ill.returncode == 1
    assert "fail  spinney.yaml: spinney.yaml:1:1: unknown key 'gat' (did you mean 'gate'?)\n" in ill.stdout
    assert "finished runs" in ill.stdout
    assert "left-over\n      → " in ill.stdout

    (project / "spinney.yaml").write_text("backend: anthropic\nmodels: {key_file: key}\n")
    (project / "key").write_text("sk-ant-0123456789")
    (project / "key").chmod(0o644)
    told = spinney("doctor").stdout
    assert "fail  models: no key: others can read key, which holds a key\n      → chmod 600 key\n" in told
    (project / "key").chmod(0o600)
    assert (
        "ok    models: there is a key in key for https://api.anthropic.com; prices of "
        in spinney("doctor").stdout
    )
    assert "sk-ant" not in told

    outside = tmp_path / "outside"
    outside.mkdir()
    assert "warn  repository: " in spinney("doctor", cwd=outside).stdout
