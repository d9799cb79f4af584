"""What follows from each kind of failure. Pure.

What changes the machine is advice; what stays inside the worktree, and takes nothing from it, is a command.
"""

from __future__ import annotations

import posixpath
import re
from shlex import quote

from workflow_manager.recovery import installing
from workflow_manager.recovery.proposals import Case, Proposal

Proposals = tuple[Proposal, ...]
_PAUSE = 5.0  # seconds; what was busy or out of reach for longer will be so after any pause we can afford
_NO_NETWORK = "there is no network in the sandbox: `setup:` in spinney.yaml runs before it"
_SAME = (  # commands that a system like Debian has in a package of the same name
    *(
        "make",
        "gcc",
        "g++",
        "cmake",
        "git",
        "jq",
        "curl",
        "wget",
        "zip",
        "unzip",
        "npm",
        "rsync",
        "tree",
        "patch",
    ),
    *("bc", "file", "shellcheck", "sqlite3"),
)
_PACKAGES = dict(zip(_SAME, _SAME, strict=True)) | {
    "rg": "ripgrep",
    "fd": "fd-find",
    "node": "nodejs",
    "cc": "gcc",
    "ninja": "ninja-build",
    "convert": "imagemagick",
    "dot": "graphviz",
}

DISK = Proposal("the disk is full", "make room; `spinney clean` removes old worktrees", changes_machine=True)
MEMORY = Proposal("it ran out of memory, or was killed", "fewer `--jobs` leave more for each")
CONFLICT = Proposal("a merge left a conflict", "somebody has to resolve it")
SYNTAX = Proposal("there is a syntax error in it or in what it reads")
TIMEOUT = Proposal("it took too long", "`timeout:` of the task or the agent gives it more time")
BUSY = Proposal("somebody else holds what it needs", pause=_PAUSE)
LOCK_FILE = Proposal("a lock file does not fit what the project declares", "make it anew with its own tool")
PERMISSION = Proposal(
    "it may not do that",
    "agents write in their worktree only; rights elsewhere are for you to give",
    changes_machine=True,
)


def command(case: Case) -> Proposals:
    name, around = case.what.rpartition("/")[2], case.around
    why = f"{name} is not installed"
    if name in ("python", "pip"):
        return (Proposal(why, instead=_renamed(case.failure.command, name)),)
    for folder in (".venv/bin", "node_modules/.bin"):
        if f"{folder}/{name}" in around.programs:
            return (
                Proposal(
                    f"{name} is in {folder} only", instead=installing.path(folder) + case.failure.command
                ),
            )
    package = _PACKAGES.get(name)
    advice = f"`sudo apt-get install {package}` or the like installs it" if package else "install it"
    told = Proposal(why, advice, changes_machine=True)
    if "package.json" in around.files and "node_modules" not in around.files:
        return (*_install(case, why, installing.node(around), "node_modules/.bin"), told)
    return (told,)


def _renamed(text: str, name: str) -> str:
    """``text`` with the older program's name replaced where it begins a command."""
    newer = {"python": "python3", "pip": "python3 -m pip"}[name]
    return re.sub(rf"(^|[;&|(]\s{{0,20}}){name}(?=\s)", rf"\g<1>{newer}", text, flags=re.MULTILINE)


def python_module(case: Case) -> Proposals:
    module, around = case.what.partition(".")[0], case.around
    if {module, f"{module}.py"} & around.files:
        why = f"{module} lies where Python does not look"
        return (Proposal(why, instead=installing.PYTHONPATH + case.failure.command),)
    why = f"the module {module} is missing"
    if install := installing.python(around):
        return _install(case, why, install, ".venv/bin")
    advice = f"declare it in the project's requirements, or `python3 -m pip install {module}`"
    return (Proposal(why, advice, changes_machine=True),)


def node_module(case: Case) -> Proposals:
    if case.what.startswith((".", "/")):
        return (Proposal(f"there is no file {case.what}", "the code that names it, or its path, is wrong"),)
    why = f"the module {case.what} is missing"
    if install := installing.node(case.around):
        return _install(case, why, install)
    return (Proposal(why, f"`npm install {case.what}` adds it to the project"),)


def go_module(case: Case) -> Proposals:
    return _install(case, "go.mod and go.sum do not name all that is imported", "go mod tidy")


def npm_lock(case: Case) -> Proposals:
    why = "npm's lock file is missing or does not fit package.json"
    text = case.failure.command.replace("npm ci", "npm install")
    if text == case.failure.command or not case.around.network:
        return (Proposal(why, "`npm install` makes it anew"),)
    return (Proposal(why, instead=text),)


def dependency(case: Case) -> Proposals:
    return (
        Proposal(
            f"{case.what} is missing", "install the development package that has it", changes_machine=True
        ),
    )


def _install(case: Case, why: str, install: str, programs: str = "") -> Proposals:
    """What the project declares is installed below its worktree; ``programs`` is where it then has its commands."""
    if not install:
        return ()
    if not case.around.network:
        return (Proposal(why, f"`{install}` would install it, but {_NO_NETWORK}"),)
    instead = installing.path(programs) + case.failure.command if programs else ""
    return (Proposal(why, before=install, instead=instead),)


def other_shell(case: Case) -> Proposals:
    why = "it is written for bash, and /bin/sh is another shell"
    if case.failure.command.startswith("bash -c "):
        return (Proposal(why),)
    return (Proposal(why, instead=f"bash -c {quote(case.failure.command)}"),)


def port(case: Case) -> Proposals:
    text = case.failure.command
    seen = re.search(r":(\d{4,5})\b", case.failure.output)
    number = case.what or (seen[1] if seen else "")
    why = f"port {number} is in use" if number else "its port is in use"
    instead = re.sub(rf"\b{number}\b", '"$SPINNEY_PORT_BASE"', text) if number else text
    if instead == text:
        instead = f'PORT="$SPINNEY_PORT_BASE"; export PORT\n{text}'
    return (Proposal(why, instead=instead),)


def folder(case: Case) -> Proposals:
    needed = posixpath.dirname(_below(case.what, case.around.root))
    if not needed:
        return (Proposal(f"{case.what} is not there", "check the path"),)
    # In the shell of the command itself, which may have changed its folder.
    make = f"mkdir -p -- {quote(needed)} || exit\n"
    return (Proposal(f"there is no folder {needed}", instead=make + case.failure.command),)


def _below(path: str, root: str) -> str:
    """``path`` from the worktree on; empty where it leads out of it or to what is not the agent's."""
    short = posixpath.normpath(path.removeprefix(f"{root}/") if root else path)
    own = short.partition("/")[0] in ("..", ".git", ".tasks")
    return "" if own or short.startswith(("/", "~", "-", "$")) else short


def exists(case: Case) -> Proposals:
    text = case.failure.command
    instead = re.sub(r"\bmkdir\s{1,5}(?!-p)", "mkdir -p ", text)
    return (Proposal(f"{case.what} is there already", instead="" if instead == text else instead),)


def not_executable(case: Case) -> Proposals:
    path = _below(case.what, case.around.root)
    if not path:
        return (PERMISSION,)
    make = f"chmod u+x -- {quote(path)} || exit\n"
    return (Proposal(f"{path} is not executable", instead=make + case.failure.command),)


def network(case: Case) -> Proposals:
    why = f"the network failed ({case.what})"
    if not case.around.network:
        return (Proposal(why, _NO_NETWORK),)
    return (Proposal(why, "is this machine online?", pause=_PAUSE),)


def wrong_place(case: Case) -> Proposals:
    why = (
        f"there is no folder {case.what}" if case.what else "what it works on is not in the folder it ran in"
    )
    return (Proposal(why, "commands start in the worktree's top folder"),)
