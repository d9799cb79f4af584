"""Runs workflow files by hand: each script in bash, with the environment that GitHub would give it, and nothing more.

Jobs run one after another in their order, each with a fresh clone and a temporary folder of its own. Actions of others
(checkout, artifacts) are played; our own action's steps are run as they are. What is installed is the Spinney under test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.actions.documents import load
from tests.support.actions.expressions import condition, filled, text

_OWN_ACTION, _WORKFLOWS = "$/.github/actions/spinney", "$/.github/workflows/"
_SPINNEY = Path(sys.executable).with_name("spinney")


@dataclass(slots=True)
class Ran:
    """One script that was run."""

    job: str
    step: str
    code: int
    log: str
    outputs: dict[str, str]


@dataclass(slots=True)
class Runner:
    """``texts`` are the workflow files by path, ``clone_url`` is what checkout gives, ``environment`` is the server's."""

    texts: Mapping[str, str]
    clone_url: str
    folder: Path
    environment: Mapping[str, str]
    token: Callable[[Mapping[str, str]], str]  # of a job, by its permissions
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    clone_header: str = ""
    ran: list[Ran] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    permissions: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _jobs: int = 0

    def start(
        self, event: str, payload: Mapping[str, Any], path: str = ".github/workflows/spinney.yml"
    ) -> dict[str, Any]:
        """The results of the jobs of a workflow that an event starts, by name: success, failure or skipped."""
        (self.folder / "artifacts").mkdir(parents=True, exist_ok=True)
        event_path = self.folder / "event.json"
        event_path.write_text(json.dumps(payload))
        github = {
            "event": payload,
            "event_name": event,
            "repository": self.environment["GITHUB_REPOSITORY"],
            "run_id": "77",
        }
        base = {"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(event_path)}
        contexts = {
            "github": github,
            "secrets": dict(self.secrets),
            "vars": dict(self.variables),
            "inputs": {},
        }
        outcome = self._workflow(path, contexts, base)
        return {name: job["result"] for name, job in outcome.items()}

    def log(self, step: str) -> str:
        return "\n".join(ran.log for ran in self.ran if ran.step == step)

    # --- workflows and jobs

    def _workflow(self, path: str, contexts: Mapping[str, Any], base: Mapping[str, str]) -> dict[str, Any]:
        document = load(self.texts[path])
        assert document["permissions"] == {}
        done: dict[str, Any] = {}
        for name, job in document["jobs"].items():
            needs = job.get("needs", [])
            needed = {need: done[need] for need in ([needs] if isinstance(needs, str) else needs)}
            status = (
                "success"
                if all(need["result"] in ("success", "skipped") for need in needed.values())
                else "failure"
            )
            here = {**contexts, "needs": needed, "job": {"status": status}, "runner": {}}
            asked = job.get("if")
            if asked is None:
                wanted = all(need["result"] == "success" for need in needed.values())
            else:
                wanted = bool(condition(asked, here)) and (_says_itself(asked) or status == "success")
            if wanted and asked is not None and not _says_itself(asked):
                wanted = all(need["result"] == "success" for need in needed.values())
            done[name] = self._job(name, job, here, base) if wanted else {"result": "skipped", "outputs": {}}
            for key in job.get("outputs", {}) if not wanted else ():
                done[name]["outputs"][key] = ""
        return done

    def _job(
        self, name: str, job: Mapping[str, Any], contexts: Mapping[str, Any], base: Mapping[str, str]
    ) -> dict[str, Any]:
        if "uses" in job:
            return self._called(job, contexts, base)
        self.permissions.append((name, dict(job["permissions"])))
        entries = [{}]
        if "strategy" in job:
            entries = filled(job["strategy"]["matrix"]["include"], contexts)
        results = []
        for entry in entries:
            results.append(self._steps_of(name, job, {**contexts, "matrix": entry}, base))
        failed = any(result["result"] == "failure" for result in results)
        return {"result": "failure" if failed else "success", "outputs": results[-1]["outputs"]}

    def _called(
        self, job: Mapping[str, Any], contexts: Mapping[str, Any], base: Mapping[str, str]
    ) -> dict[str, Any]:
        assert job["uses"].startswith(_WORKFLOWS), job["uses"]
        path = job["uses"].removeprefix("$/")
        call = load(self.texts[path])["on"]["workflow_call"]
        given = {key: filled(value, contexts) for key, value in job.get("with", {}).items()}
        secrets = {key: filled(value, contexts) for key, value in job.get("secrets", {}).items()}
        assert given.keys() <= call["inputs"].keys()
        assert secrets.keys() <= call.get("secrets", {}).keys()
        inputs = {}
        for key, about in call["inputs"].items():
            assert key in given or not about.get("required"), key
            inputs[key] = given.get(key, about.get("default"))
        known = {key: value for key, value in secrets.items() if value}
        inner = {**contexts, "inputs": inputs, "secrets": known}
        jobs = self._workflow(path, inner, base)
        failed = any(inside["result"] == "failure" for inside in jobs.values())
        outputs = {
            key: filled(about["value"], {"jobs": jobs}) for key, about in call.get("outputs", {}).items()
        }
        return {"result": "failure" if failed else "success", "outputs": outputs}

    # --- steps

    def _steps_of(
        self, name: str, job: Mapping[str, Any], contexts: Mapping[str, Any], base: Mapping[str, str]
    ) -> dict[str, Any]:
        self._jobs += 1
        place = self.folder / f"job-{self._jobs}-{name}"
        temp = place / "temp"
        (temp / "spinney" / "bin").mkdir(parents=True)
        (temp / "spinney" / "bin" / "spinney").symlink_to(_SPINNEY)  # what the step that installs it leaves
        (place / "work").mkdir()
        github = {**contexts["github"], "token": self.token(job["permissions"])}
        contexts = {**contexts, "github": github, "runner": {"temp": str(temp)}}
        steps: dict[str, Any] = {}
        state = {"status": "success"}
        here = {**contexts, "steps": steps, "job": state}
        for step in job["steps"]:
            self._step(name, step, here, place, {**base, "RUNNER_TEMP": str(temp)}, steps, state)
        outputs = {
            key: filled(value, {**here, "steps": _lenient(steps, job)})
            for key, value in job.get("outputs", {}).items()
        }
        return {"result": state["status"], "outputs": outputs}

    def _step(
        self, job: str, step: Mapping[str, Any], contexts: Mapping[str, Any], place: Path, base: Mapping[str, str],
        steps: dict[str, Any], state: dict[str, str],
    ) -> None:  # fmt: skip
        asked = str(step.get("if", ""))
        wanted = (not asked or bool(condition(asked, contexts))) and (
            "always()" in asked or state["status"] == "success"
        )
        outputs: dict[str, str] = {}
        code = 0
        if wanted and "run" in step:
            env = {key: text(filled(value, contexts)) for key, value in step.get("env", {}).items()}
            code, outputs = self._script(job, step, env, place, base)
        elif wanted and step["uses"] == _OWN_ACTION:
            code, outputs = self._action(job, step, contexts, place, base)
        elif wanted:
            self._played(step, contexts, place)
        if code:
            state["status"] = "failure"
        if "id" in step:
            steps[step["id"]] = {
                "outputs": _Outputs(outputs),
                "outcome": "skipped" if not wanted else "failure" if code else "success",
            }

    def _action(
        self,
        job: str,
        step: Mapping[str, Any],
        contexts: Mapping[str, Any],
        place: Path,
        base: Mapping[str, str],
    ) -> tuple[int, dict[str, str]]:
        document = load(self.texts[".github/actions/spinney/action.yml"])
        given = {key: text(filled(value, contexts)) for key, value in step.get("with", {}).items()}
        assert given.keys() <= document["inputs"].keys()
        inner = {"github": contexts["github"], "runner": contexts["runner"]}
        defaults = {key: text(filled(about["default"], inner)) for key, about in document["inputs"].items()}
        steps: dict[str, Any] = {}
        state = {"status": "success"}
        inside = {**inner, "inputs": defaults | given, "steps": steps, "job": state}
        path = {**base, "GITHUB_ACTION_PATH": str(place / "work/.github/actions/spinney")}
        for one in document["runs"]["steps"]:
            assert one["shell"] == "bash"
            self._step(job, one, inside, place, path, steps, state)
        outputs = {key: filled(about["value"], inside) for key, about in document["outputs"].items()}
        return (0 if state["status"] == "success" else 1), outputs

    def _script(
        self, job: str, step: Mapping[str, Any], env: Mapping[str, str], place: Path, base: Mapping[str, str]
    ) -> tuple[int, dict[str, str]]:
        number = len(self.ran)
        files = {
            name: place / f"{name.lower()}-{number}"
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")
        }
        for file in files.values():
            file.touch()
        script = place / f"script-{number}.sh"
        script.write_text(step["run"])
        server = {key: value for key, value in self.environment.items() if key != "GITHUB_TOKEN"}
        always = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "77",
            "GITHUB_WORKSPACE": str(place / "work"),
        }
        machine = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG", "GIT_CONFIG_GLOBAL") if key in os.environ
        }
        machine["PATH"] = f"{self._programs()}:{machine['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=place / "work",
            env={
                **machine,
                **server,
                **always,
                **base,
                **{key: str(file) for key, file in files.items()},
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        outputs = _outputs(files["GITHUB_OUTPUT"].read_text())
        assert files["GITHUB_PATH"].read_text() == ""
        self.summaries += [found for found in [files["GITHUB_STEP_SUMMARY"].read_text()] if found]
        self.ran.append(
            Ran(job, step["name"], done.returncode, done.stdout.decode(errors="replace"), outputs)
        )
        return done.returncode, outputs

    def _programs(self) -> Path:
        """A `sudo` that does nothing: what a runner has to be told is none of this machine's business."""
        folder = self.folder / "programs"
        if not folder.exists():
            folder.mkdir()
            (folder / "sudo").write_text("#!/bin/sh\nexit 0\n")
            (folder / "sudo").chmod(0o755)
        return folder

    def _played(self, step: Mapping[str, Any], contexts: Mapping[str, Any], place: Path) -> None:
        given = {key: filled(value, contexts) for key, value in step.get("with", {}).items()}
        artifacts = self.folder / "artifacts"
        match step["uses"].partition("@")[0]:
            case "actions/checkout":
                assert given["persist-credentials"] is False
                self._clone(place / "work", text(given["ref"]))
            case "actions/upload-artifact":
                source, target = Path(given["path"]), artifacts / text(given["name"])
                assert not target.exists(), "an artifact's name is given once"
                if source.is_dir():
                    shutil.copytree(source, target)
            case "actions/download-artifact":
                found = list(artifacts.glob(given.get("name") or given["pattern"]))
                assert found or "pattern" in given, "what is named must be there"
                for one in found:  # one alone gets no folder of its own, however it was asked for
                    into = Path(given["path"]) / ("" if len(found) == 1 else one.name)
                    shutil.copytree(one, into, dirs_exist_ok=True)
            case other:
                raise AssertionError(f"{other} is not played here")

    def _clone(self, folder: Path, ref: str) -> None:
        header = ["-c", f"http.extraHeader={self.clone_header}"] if self.clone_header else []
        branch = ["--branch", ref] if ref else []
        subprocess.run(["git", *header, "clone", "--quiet", *branch, self.clone_url, str(folder)], check=True)
        # As checkout leaves it: HEAD is at a commit and the token is nowhere.
        subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", "--detach"], check=True)


class _Outputs(dict[str, str]):
    """An output that was not set is empty."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        return ""


def _lenient(steps: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    return {
        step["id"]: steps.get(step["id"], {"outputs": _Outputs()}) for step in job["steps"] if "id" in step
    }


def _says_itself(asked: str) -> bool:
    return "cancelled()" in asked or "always()" in asked


def _outputs(content: str) -> dict[str, str]:
    """As the runner reads the file: `key=value`, or `key<<word` up to the word."""
    found: dict[str, str] = {}
    lines = iter(content.splitlines())
    for line in lines:
        key, equals, value = line.partition("=")
        name, heredoc, word = line.partition("<<")
        if heredoc and (not equals or len(name) < len(key)):
            held = []
            for inside in lines:
                if inside == word:
                    break
                held.append(inside)
            found[name] = "\n".join(held)
        elif equals:
            found[key] = value
    return found
