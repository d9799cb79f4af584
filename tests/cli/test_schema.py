import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tests.cli.conftest import BATCH, Spinney

pytestmark = pytest.mark.git


def test_schemas_accept_what_spinney_accepts(spinney: Spinney) -> None:
    files = {
        "batch": BATCH,
        "config": "version: 1\ngate: make test\njobs: 4\n",
        "task": "id: one\nneeds: [two, {task: three, when: always}]\n",
        "workflow": spinney("workflow", "show", "feature").stdout,
    }
    for kind, text in files.items():
        schema = json.loads(spinney("schema", kind).stdout)
        assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        value = YAML(typ="safe", pure=True).load(text)
        assert not list(validator.iter_errors(value)), kind
        assert not validator.is_valid({**value, "surprise": 1}), kind


WORKFLOW = """\
version: 1
name: mine
budget: 8000
layers: {web: {words: [browser], default: true}}
profiles: {small: {agents: 2, memory: 1.5GB, memory_per_agent: 512MB, cpu_per_agent: 0.5}}
profile: small
resolve: {name: RESOLVER, prompt: roles/RESOLVER.md}
phases:
  - name: plan
    agents:
      - name: PLANNER
        outputs: {files: [docs/**], decisions: [stack], verdict: true, commands: true}
        evidence: {verdict: approve, command: make check}
        script: [{action: spawn, agents: [{name: a, run: x, script: [{action: say}]}]}]
      - name: MAKER
        needs: [PLANNER]
        run: {from: PLANNER, part: checks}
        reads: [src/**, {from: PLANNER, part: decisions, form: compressed}]
        when: {changes: [tests], layers: [web]}
      - {name: SEVERAL, run: [make a, make b], evidence: make test, budget: 100}
  - name: publish
"""


@pytest.fixture
def workflow_schema(spinney: Spinney) -> Draft202012Validator:
    return Draft202012Validator(json.loads(spinney("schema", "workflow").stdout))


def accepts(schema: Draft202012Validator, text: str) -> bool:
    return bool(schema.is_valid(YAML(typ="safe", pure=True).load(text)))


def test_workflow_schema_has_the_keys_as_they_are_written(workflow_schema: Draft202012Validator) -> None:
    assert accepts(workflow_schema, WORKFLOW)
    for right, wrong in [
        ("{from: PLANNER, part: checks}", "{agent: PLANNER, part: checks}"),
        ("{from: PLANNER, part: decisions", "{source: PLANNER, part: decisions"),
        ("[tests]", "[test]"),
        ("1.5GB", "1.5"),
        ("budget: 100}", "budget: 99}"),
        ("verdict: approve", "verdict: yes"),
        ("[make a, make b]", "[]"),
        ("name: SEVERAL", "name: several"),
    ]:
        assert right in WORKFLOW
        assert not accepts(workflow_schema, WORKFLOW.replace(right, wrong)), wrong


def test_workflow_schema_takes_a_file_that_gives_only_what_differs(
    workflow_schema: Draft202012Validator,
) -> None:
    own = "name: mine\nextends: fullstack\nprofiles: {small: {agents: 3}}\nlayers: {web: {default: true}}\n"
    assert accepts(workflow_schema, own)
    assert accepts(workflow_schema, f"{own}phases: [{{name: p, agents: [{{name: A, tier: fast}}]}}]\n")
    assert not accepts(workflow_schema, "name: mine\n")
    assert not accepts(workflow_schema, "extends: feature\n")
