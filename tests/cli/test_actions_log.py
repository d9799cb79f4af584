from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git

BATCH = r"""
version: 1
tasks:
  - id: loud
    title: "A title ##[add-mask]x"
    run: "printf '::set-env name=PATH::/tmp\\n::error::mine\\n##[set-output name=failed;]0\\n'; exit 3"
"""


def test_in_actions_no_agent_s_words_are_commands(
    project: Path, environment: dict[str, str], spinney: Spinney
) -> None:
    environment["GITHUB_ACTIONS"] = "true"
    (project / "batch.yaml").write_text(BATCH)
    began = int(time.time())
    done = spinney("run", "batch.yaml")
    assert done.returncode == 1
    first = done.stderr.splitlines()[0]
    assert re.fullmatch(r"::stop-commands::[0-9a-f]{32}", first)  # and it is never taken back in this step
    assert first.rpartition("::")[2] not in done.stdout
    assert not re.search(r"^\s*::", done.stdout, re.MULTILINE)

    told = spinney("report", "--annotations", "--since", str(began))
    assert told.stderr == ""
    (line,) = told.stdout.splitlines()
    assert re.match(r"::error title=loud%3A A title ##\[add-mask\]x::failed: ", line)
    assert line.count("::") == 2 + told.stdout.count("::set-env") * 2

    output = spinney("report", "--github-output", "--since", str(began))
    assert re.fullmatch(r"::stop-commands::[0-9a-f]{32}\n", output.stderr)
    assert re.search(r"^failed<<([0-9a-f]{32})\n1\n\1$", output.stdout, re.MULTILINE)
    assert spinney("report", "--github-summary", "--since", str(began)).stdout.startswith(
        "### Spinney: 1 failed\n"
    )
    later = spinney("report", "--github-summary", "--since", str(began + 10_000))
    assert later.stdout.startswith("### Spinney: no run was started\n")


def test_elsewhere_nothing_is_said_to_a_log(
    spinney: Spinney, finished: subprocess.CompletedProcess[str]
) -> None:
    assert "::" not in finished.stderr
    for wrong in (
        ["--since", "1"],
        ["--json", "--annotations"],
        ["--since", "1", "--run", "2", "--annotations"],
    ):
        assert spinney("report", *wrong).returncode == 2
