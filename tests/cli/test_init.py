import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from orchestrator.cli.init import KEYS, check, edited, template
from shared.config.schema import SettingsModel
from shared.model import Settings
from tests.cli.conftest import Spinney


def test_template_has_every_key_with_its_default() -> None:
    commented = dict(re.findall(r"^# (\w+): (.*)$", template(), re.MULTILINE))
    assert set(SettingsModel.model_fields) == set(KEYS) == set(commented) & set(KEYS)
    settings = Settings()
    for key, (_, example) in KEYS.items():
        if not example:
            assert YAML(typ="safe").load(commented[key]) == getattr(settings, key), key
    uncommented = re.sub(rf"^# ({'|'.join(KEYS)}):", r"\1:", template(), flags=re.MULTILINE)
    check(template().encode(), "spinney.yaml")
    check(uncommented.encode(), "spinney.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# mine\njobs: 2  # few\n\n# last\n", "# mine\njobs: 2  # few\n\n# last\ngate: make\n"),
        ("---\ngate: 'x'  # why\njobs: 2\n", "---\ngate: 'make' # why\njobs: 2\n"),
        ("# gate: an example\njobs: 2\r\n", "gate: make\r\njobs: 2\r\n"),
        ("# nothing yet", "# nothing yet\nversion: 1\ngate: make\n"),
    ],
)
def test_setting_a_key_leaves_the_rest_as_it_is(before: str, after: str) -> None:
    assert edited(before, {"gate": "make"}) == after


@pytest.mark.git
def test_init_writes_refuses_changes_and_never_leaves_a_wrong_file(project: Path, spinney: Spinney) -> None:
    file = project / "spinney.yaml"
    assert spinney("init").returncode == 0
    assert file.read_text() == template()
    again = spinney("init")
    assert again.returncode == 2
    assert "exists already" in again.stderr

    assert spinney("init", "--set", "gate=make test", "--set", "jobs=3").returncode == 0
    expected = template().replace("# gate: make test", "gate: make test").replace("# jobs: 4", "jobs: 3")
    assert file.read_text() == expected

    wrong = spinney("init", "--set", "gat=x", "--set", "jobs=many", "--set", "ports=5")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[:2] == [
        "--set gat: unknown key 'gat' (did you mean 'gate'?)",
        "--set jobs: expected a whole number, found text",
    ]
    assert file.read_text() == expected

    file.unlink()
    file.mkdir()
    refused = spinney("init", "--force")
    assert refused.returncode == 2, refused.stderr
    assert "spinney.yaml cannot be written: Is a directory" in refused.stderr
