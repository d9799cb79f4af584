import json
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


EIGHT = """\
name: eight
phases:
  - name: plan
    agents:
      - {name: PLANNER, teir: deep}
      - {name: CRITIC, tier: depe, needs: [MAKER]}
      - {name: CRITIC, prompt: roles/CRITIC.md}
  - name: make
    agents:
      - {name: MAKER, needs: [PLANER], writes: [/etc]}
      - {name: ONE, needs: [TWO]}
      - {name: TWO, needs: [ONE]}
"""


def test_eight_mistakes_are_eight_positioned_messages(project: Path, spinney: Spinney) -> None:
    (project / "eight.yaml").write_text(EIGHT)
    done = spinney("workflow", "check", "eight.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "eight.yaml:5:25: unknown key 'teir' (did you mean 'tier'?)\n"
        "eight.yaml:6:30: 'depe' is not one of: 'fast', 'balanced', 'deep' (did you mean 'deep'?)\n"
        "eight.yaml:6:44: CRITIC needs MAKER, which belongs to a later phase\n"
        "eight.yaml:7:16: the agent CRITIC is there twice\n"
        "eight.yaml:7:32: the prompt file 'roles/CRITIC.md' does not exist "
        "(a text that ends with .md goes below `prompt: |`)\n"
        "eight.yaml:10:31: MAKER needs PLANER, which is not an agent (did you mean 'PLANNER'?)\n"
        "eight.yaml:10:49: a path pattern is relative to the repository and stays inside it\n"
        "eight.yaml:11:9: cycle: ONE → TWO → ONE (remove one of these needs)\n"
        "8 mistakes\n"
    )


def test_profile_larger_than_this_machine_is_a_mistake(project: Path, spinney: Spinney) -> None:
    (project / "sized.yaml").write_text(
        "name: sized\nprofile: huge\nprofiles:\n"
        "  huge: {agents: 9, memory: 999999GB, memory_per_agent: 1GB, cpu_per_agent: 1}\n"
        "  tiny: {agents: 1, memory: 1MB, memory_per_agent: 1MB, cpu_per_agent: 0.1}\n"
        "phases: [{name: p}]\n"
    )
    done = spinney("workflow", "check", "sized.yaml")
    assert done.returncode == 2
    assert "sized.yaml:2:10: the profile 'huge' wants 999999 GB of memory" in done.stderr
    assert "(these fit: tiny)" in done.stderr


def test_projects_own_workflows_are_listed_found_and_shown(project: Path, spinney: Spinney) -> None:
    (project / "roles").mkdir()
    (project / "roles" / "CODER.md").write_text("Code it.\n")
    agent = "{name: CODER, prompt: roles/CODER.md}"
    (project / "mine.yaml").write_text(
        f"name: mine\ndescription: Ours.\nphases: [{{name: p, agents: [{agent}]}}]\n"
    )
    (project / "feature.yaml").write_text("name: feature\nextends: feature\ndescription: Different.\n")
    (project / "wrong.yaml").write_text(WRONG)
    (project / "batch.yaml").write_text("version: 1\ntasks: [{title: x, workflow: mine}]\n")
    (project / "sub").mkdir()

    listed = spinney("workflow", "list", cwd=project / "sub")
    assert listed.returncode == 0
    lines = [tuple(line.split(maxsplit=1)) for line in listed.stdout.splitlines()]
    assert ("feature.yaml", "Different. (your own; without .yaml it is another)") in lines
    assert ("mine", "Ours. (your own)") in lines
    assert ("wrong", "2 mistakes: spinney workflow check wrong.yaml") in lines
    assert "batch" not in {name for name, *_ in lines}
    rows = json.loads(spinney("workflow", "list", "--json").stdout)
    assert {
        "name": "mine",
        "file": "mine.yaml",
        "description": "Ours.",
        "phases": ["p"],
        "mistakes": 0,
    } in rows

    assert (
        "prompt: |\n          Code it.\n" in spinney("workflow", "show", "mine", cwd=project / "sub").stdout
    )
    preset = spinney("workflow", "show", "feature")
    assert preset.stderr == (
        "note: this is the preset; for your own file: spinney workflow show feature.yaml\n"
    )
    assert "Different." not in preset.stdout
    assert "Different." in spinney("workflow", "show", "feature.yaml").stdout


def test_workflow_is_drawn_and_printed_as_json(project: Path, spinney: Spinney) -> None:
    assert spinney("workflow", "show", "command", "--mermaid").stdout == (
        "flowchart LR\n"
        '  subgraph phase_1["1 command"]\n'
        '    agent_COMMAND["COMMAND<br/>balanced"]\n'
        "  end\n"
        "  classDef balanced fill:#fff2cc,stroke:#666,color:#222\n"
        "  class agent_COMMAND balanced\n"
    )
    assert spinney("workflow", "show", "command", "--dot").stdout.startswith('digraph "command" {\n')
    shown = json.loads(spinney("workflow", "show", "command", "--json").stdout)
    assert shown["phases"] == [{"name": "command", "agents": [{"name": "COMMAND"}]}]


def test_unknown_workflow_gets_the_nearest_name(project: Path, spinney: Spinney) -> None:
    (project / "mine.yaml").write_text("name: mine\nphases: [{name: p}]\n")
    for name, near in (("featre", "feature"), ("mien", "mine")):
        done = spinney("workflow", "show", name)
        assert done.returncode == 2
        assert f"→ did you mean '{near}'?" in done.stderr
