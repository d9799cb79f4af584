"""What the kernel shows of a process that has taken its key out of its environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc/<pid>/environ is Linux"),
]
_KEY = "sk-ant-0123456789-secret"
_PROGRAM = """
import os, sys
from shared.credentials import take_from_environment
taken = take_from_environment(os.environ)
assert taken == {"ANTHROPIC_API_KEY": os.environ["EXPECTED"][::-1]}, taken
assert "ANTHROPIC_API_KEY" not in os.environ
sys.stdout.write(open("/proc/self/environ").read())
"""


def test_key_is_no_longer_in_what_the_process_was_started_with() -> None:
    environment = {**os.environ, "ANTHROPIC_API_KEY": _KEY, "EXPECTED": _KEY[::-1]}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "EXPECTED=" in done.stdout
    assert _KEY not in done.stdout
