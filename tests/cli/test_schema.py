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
