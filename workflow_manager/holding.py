"""How an agent is held: as its task is, or shut into a sandbox of its own. Who is, ``sandboxing`` says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shared.containment import find_bubblewrap
from shared.errors import SpinneyError, UserError
from shared.git.worktrees import Worktrees
from shared.model import Agent, Assignment, Containment, Plan, Sandbox, Settings
from shared.sandbox import LET_OUT
from shared.sandbox.environment import secrets_among
from shared.sandbox.making import make
from shared.sandbox.places import expanded, why_not_shown
from shared.sandbox.probe import Findings, look
from workflow_manager.sandboxing import (
    everyone,
    evidence_is_shut_in,
    model_driven,
    needs_sandbox,
    only_for_what_it_executes,
    sandboxed,
    set_up_is_shut_in,
    stands_on_work,
)

_UNSAFE = "or let them do whatever you may do: --unsafe-no-sandbox"
SET_UP = "set-up"  # its name among a task's own commands
_OURS = ("anthropic",)  # its loop runs outside of the sandbox and talks to the gateway itself


def hold(
    assignment: Assignment, agent: Agent, directory: str, containment: Containment, prompt_file: Path
) -> Containment:
    """How ``agent`` is held, who works in ``directory`` and is else held by ``containment``.

    Raises SpinneyError where it must be in a sandbox and none can be made.
    """
    a = assignment
    if not sandboxed(a.task, a.settings, agent, tainted=a.tainted):
        return containment
    sandbox = _sandbox(a, agent.name, directory, containment)
    talks = model_driven(agent, a.settings) and agent.executed_by(a.settings.backend) not in _OURS
    sandbox = replace(
        sandbox,
        show=(*sandbox.show, (str(prompt_file), str(prompt_file))),
        socket=a.gateway.socket if a.gateway is not None and talks else "",
    )
    return replace(containment, sandbox=sandbox)


def hold_command(assignment: Assignment, name: str, *, worked: bool) -> Containment:
    """How a command of the task's own is held, its set-up or its evidence; raises as ``hold`` does.

    Both execute what lies in the worktree: evidence what the agents wrote, set-up what they wrote earlier, where
    they have ``worked`` there.
    """
    a = assignment
    if name == SET_UP:
        shut_in = set_up_is_shut_in(a.task, a.settings, tainted=a.tainted, worked=worked)
    else:
        shut_in = evidence_is_shut_in(a.task, a.settings, tainted=a.tainted)
    if not shut_in:
        return a.containment
    return replace(a.containment, sandbox=_sandbox(a, name, a.worktree, a.containment))


def hold_set_up(assignment: Assignment, agent: Agent, directory: str, held: Containment) -> Containment:
    """How set-up is held in ``agent``'s own worktree, ``directory``: at least as the agent is, who is ``held``."""
    a = assignment
    worked = stands_on_work(a.task, a.settings, agent, a.tainted)
    shut_in = set_up_is_shut_in(a.task, a.settings, tainted=a.tainted, worked=worked)
    if held.sandbox is not None or not shut_in:
        return held
    return replace(held, sandbox=_sandbox(a, f"{agent.name}-{SET_UP}", directory, held))


def explained(problem: str, containment: Containment) -> str:
    """What went wrong with a command of the user's, and how it is let out where it was in a sandbox."""
    return f"{problem}{LET_OUT}" if problem and containment.sandbox is not None else problem


def explained_for(assignment: Assignment, agent: Agent, problem: str, containment: Containment) -> str:
    """The same for an agent, where only what it executes has it shut in. Sub-agents leave it to their parent."""
    a = assignment
    if "/" in agent.name or not only_for_what_it_executes(a.task, a.settings, agent):
        return problem
    return explained(problem, containment)


def _sandbox(a: Assignment, name: str, directory: str, containment: Containment) -> Sandbox:
    if not containment.program:
        raise SpinneyError(f"{name} may not work outside of a sandbox, and there is none here")
    worktree = Worktrees(Path(a.facts.git_dir), Path(a.facts.worktrees)).at(Path(directory).name)
    sandbox = make(
        f"{a.task.id}-{name}",
        facts=a.facts,
        settings=a.settings,
        environment=dict(a.environment),
        worktree=directory,
        admin_dir=a.admin_dir if directory == a.worktree else worktree.admin_dir,
    )
    return replace(sandbox, write=_to_write(a.worktree))


def _to_write(worktree: str) -> tuple[str, ...]:
    """``.tasks``, as a mount of its own: nobody inside can put a link in its place."""
    tasks = f"{worktree}/.tasks"
    return (tasks,) if os.path.isdir(tasks) and not os.path.islink(tasks) else ()


def refuse_without_sandbox(plan: Plan, program: str, environ: Mapping[str, str]) -> None:
    """Raise UserError where an agent of ``plan`` needs a sandbox and would get none, before anything starts.

    ``program`` is bubblewrap's path, or empty to look for it.
    """
    settings = plan.settings
    needy = [
        f"{task.id}: {agent.name} needs a sandbox, because {why}"
        for task in plan.tasks
        for agent in everyone(task)
        if (why := needs_sandbox(task, settings, agent))
    ]
    if settings.unsafe_no_sandbox:
        _refuse_strangers(plan, environ)
        return
    if settings.sandbox == "off" and needy:
        raise UserError(f"{needy[0]}, and `sandbox: off` forbids one", "leave `sandbox` at `auto`", _UNSAFE)
    if not needy and "on" not in (settings.sandbox, settings.sandbox_commands):
        return
    _refuse_secrets(settings, environ)
    findings = _look(program, environ)
    if findings.problem:
        asked = "`sandbox: on`" if settings.sandbox == "on" else "`sandbox_commands: on`"
        what = needy[0] if needy else f"{asked} asks for sandboxes"
        raise UserError(f"{what}, and there can be none: {findings.problem}", *findings.hints, _UNSAFE)


def _refuse_strangers(plan: Plan, environ: Mapping[str, str]) -> None:
    strange = next((task.id for task in plan.tasks if task.foreign), None)
    if strange and environ.get("CI", "").lower() not in ("", "0", "false"):
        raise UserError(
            f"--unsafe-no-sandbox is refused in CI for text of strangers, which {strange} is",
            "leave the option out: a runner has secrets that everybody who may write an issue would get",
        )


def _refuse_secrets(settings: Settings, environ: Mapping[str, str]) -> None:
    if named := secrets_among(settings.pass_environment):
        raise UserError(
            f"pass_environment names {', '.join(named)}: what looks like a secret is given to no agent",
            "pass it under another name if it is none",
        )
    home = environ.get("HOME", "/")
    for place in settings.sandbox_read:
        if why := why_not_shown(expanded(place, home), home, ()):
            raise UserError(
                f"sandbox_read names {place}, but {why}", "name the folders inside it that are needed"
            )


def _look(program: str, environ: Mapping[str, str]) -> Findings:
    if environ.get("SPINNEY_NO_BUBBLEWRAP"):
        return Findings("bubblewrap is switched off by SPINNEY_NO_BUBBLEWRAP", ("unset it",))
    return look(program or find_bubblewrap())


def unsafe_notes(plan: Plan) -> tuple[str, ...]:
    """What is to be said loudly at the start of a run that lets agents out of the sandbox."""
    if not plan.settings.unsafe_no_sandbox:
        return ()
    loose = sorted(
        {str(t.id) for t in plan.tasks for agent in everyone(t) if needs_sandbox(t, plan.settings, agent)}
    )
    if not loose:
        return ()
    return (
        f"UNSAFE: no sandbox for {', '.join(loose)}: whoever wrote what the agents read can use your files, "
        "your network and your keys",
    )
