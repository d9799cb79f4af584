"""What is shipped for GitHub Actions, held to our own rules; other people's checkers are run by `make lint`."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from orchestrator.actions.workflows import ACTION, PATHS, TRIGGERS, requirement, valid_requirement, written
from tests.support.actions.documents import OWN, ROOT, jobs, load, scripts
from tests.support.actions.expressions import condition

CI = (ROOT / ".github/workflows/ci.yml").read_text()
EVERYTHING = [(path, text) for path, text in written(install="spinney==1.2.3").items()]
KNOWN = (  # by the program itself
    *("GITHUB_TOKEN", "ANTHROPIC_API_KEY"),
    *("SPINNEY_MODEL_FAST", "SPINNEY_MODEL_BALANCED", "SPINNEY_MODEL_DEEP"),
)
# Events whose workflow file, and so all that it names by `$/`, is that of the default branch, and calls of those.
FROM_THE_DEFAULT_BRANCH = {
    *("issues", "issue_comment", "check_suite", "schedule", "workflow_dispatch", "workflow_call"),
}
by_file = pytest.mark.parametrize(("path", "text"), EVERYTHING, ids=[path for path, _ in EVERYTHING])


@pytest.mark.parametrize("path", OWN)
def test_the_repositorys_own_are_what_init_writes(path: str) -> None:
    assert (ROOT / path).read_text() == written()[path]


@by_file
def test_no_script_holds_an_expression(path: str, text: str) -> None:
    for script in scripts(path, text):
        assert "${{" not in script.text
        assert script.text.startswith("set -euo pipefail\n")


@by_file
def test_scripts_of_an_action_name_their_shell_and_all_use_what_is_in_their_environment(
    path: str, text: str
) -> None:
    for script in scripts(path, text):
        if path == ACTION:
            assert script.step["shell"] == "bash"
        for name in script.step.get("env", {}):
            assert re.search(rf"\b{name}\b", script.text) or name in KNOWN


def test_an_empty_list_is_no_mistake_to_the_bash_of_macos() -> None:
    """Before version 4.4, which macOS does not have, `set -u` takes one for a variable that is not set."""
    found = [one.step["run"] for one in scripts(ACTION, written()[ACTION])]
    assert any("[@]" in script for script in found)
    for script in found:
        lists = re.findall(r"(\w+)\[@\]", script)
        for name in set(lists):
            expansion = f'${{{name}[@]+"${{{name}[@]}}"}}'
            assert lists.count(name) == 2 * script.count(expansion)


@by_file
def test_rights_are_given_job_by_job(path: str, text: str) -> None:
    document = load(text)
    if path == ACTION:
        return
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["permissions"]
        assert "uses" in job or job["timeout-minutes"]


def _steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in jobs(document).values() for step in job.get("steps", [])]


@by_file
def test_actions_of_others_are_pinned_and_leave_no_token_behind(path: str, text: str) -> None:
    for step in _steps(load(text)):
        if "uses" not in step or step["uses"].startswith("$/"):
            continue
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
        assert re.search(re.escape(step["uses"]) + r" # v[0-9.]+$", text, re.MULTILINE)
        if "checkout" in step["uses"]:
            assert step["uses"] in CI
            assert step["with"]["persist-credentials"] is False
            assert step["with"]["ref"] == "${{ github.event.repository.default_branch }}"


@by_file
def test_nothing_is_cached_and_no_trigger_gives_strangers_our_rights(path: str, text: str) -> None:
    assert not {"pull_request_target", "workflow_run"} & set(load(text).get("on", {}))
    assert set(load(text).get("on", {})) <= FROM_THE_DEFAULT_BRANCH
    assert "actions/cache" not in text
    assert "cache:" not in text
    assert "secrets: inherit" not in text


def test_jobs_in_which_agents_of_a_fan_out_work_can_write_nothing() -> None:
    job = load(written()[".github/workflows/spinney-wave.yml"])["jobs"]["task"]
    assert job["permissions"] == {"contents": "read"}
    text = json.dumps(job)
    assert "github.token" not in text
    assert "secrets.token" not in text


def test_only_steps_in_which_agents_work_see_the_models_key() -> None:
    for path, text in written().items():
        for step in _steps(load(text)):
            if "anthropic" in json.dumps(step.get("env", {})):
                assert step["name"] in ("Work", "Run the task"), path
    integrate = load(written()[".github/workflows/spinney-fan-out.yml"])["jobs"]["integrate"]
    assert "anthropic" not in json.dumps(integrate)


def test_one_run_at_a_time_and_none_is_cut_off() -> None:
    document = load(written()[TRIGGERS])
    assert document["jobs"]["work"]["concurrency"] == {
        "group": "spinney-${{ github.repository }}",
        "cancel-in-progress": False,
    }
    assert (
        "run_id" in document["concurrency"]["group"]
    )  # each start decides at once; a wish to stop waits for nobody
    assert "concurrency" not in document["jobs"]["stop"]


@pytest.mark.parametrize("status", ["success", "failure", "cancelled"])
def test_what_tasks_handed_back_is_integrated_however_their_jobs_ended(status: str) -> None:
    asked = load(written()[".github/workflows/spinney-fan-out.yml"])["jobs"]["integrate"]["if"]
    for planned, number, wanted in (("success", "2", True), ("success", "0", False), ("failure", "", False)):
        plan = {"result": planned, "outputs": {"tasks": number}}
        assert condition(asked, {"needs": {"plan": plan}, "job": {"status": status}}) is wanted


def test_jobs_that_are_started_again_hand_on_in_place_of_the_first() -> None:
    uploads = [
        step
        for _, text in EVERYTHING
        for job in jobs(load(text)).values()
        for step in job.get("steps", ())
        if "upload-artifact" in step.get("uses", "")
    ]
    assert [step["with"]["overwrite"] for step in uploads] == [True, True]


def test_what_a_task_handed_on_is_never_fetched_alone() -> None:
    """The only artifact that a pattern finds is put beside the folders of tasks, where it could speak for each."""
    patterns = [
        step["with"]["pattern"]
        for _, text in EVERYTHING
        for job in jobs(load(text)).values()
        for step in job.get("steps", ())
        if "download-artifact" in step.get("uses", "") and "pattern" in step["with"]
    ]
    assert len(patterns) == 2
    for pattern in patterns:
        assert fnmatchcase("spinney-plan", pattern)
        assert fnmatchcase("spinney-task-issue-1", pattern)


def test_the_budget_of_a_fan_out_is_the_plan_s_of_which_each_task_has_a_share() -> None:
    document = load(written()[".github/workflows/spinney-fan-out.yml"])
    given = [name for name, job in document["jobs"].items() if "inputs.budget" in json.dumps(job)]
    assert given == ["plan", "follow"]


def test_both_shapes_take_and_give_the_same() -> None:
    one, fan = (
        load(written()[f".github/workflows/spinney-{name}.yml"])["on"]["workflow_call"]
        for name in ("run", "fan-out")
    )
    assert one["inputs"] == fan["inputs"]
    assert one["secrets"] == fan["secrets"]
    assert one["outputs"].keys() == fan["outputs"].keys()
    assert written(fan_out=True)[TRIGGERS] == written()[TRIGGERS].replace(
        "spinney-run.yml", "spinney-fan-out.yml"
    )
    assert written(fan_out=True)[TRIGGERS] != written()[TRIGGERS]


@pytest.mark.parametrize(
    ("association", "body", "starts"),
    [
        *((word, "/spinney run", True) for word in ("OWNER", "MEMBER", "COLLABORATOR", "CONTRIBUTOR")),
        *(
            (word, "/spinney run", False)
            for word in ("NONE", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN", "")
        ),
        ("OWNER", "thanks", False),
    ],
)
def test_comments_of_strangers_cost_no_runner(association: str, body: str, starts: bool) -> None:
    decides = load(written()[TRIGGERS])["jobs"]["decide"]["if"]
    comment = {"body": body, "author_association": association}
    told = {"event_name": "issue_comment", "event": {"comment": comment}}
    assert bool(condition(decides, {"github": told})) is starts
    assert condition(decides, {"github": {"event_name": "schedule", "event": {}}})


def test_what_is_listed_by_a_label_must_have_been_given_it_by_somebody_who_may_write() -> None:
    given = load(written()[TRIGGERS])["jobs"]["work"]["with"]
    assert given["label"] == given["trusted-label"] == "${{ needs.decide.outputs.label }}"
    for name in ("run", "fan-out"):
        text = written()[f".github/workflows/spinney-{name}.yml"]
        assert "${{ inputs.trusted-label }}" in text


def test_what_pip_installs_is_a_string_in_the_action_whatever_it_is() -> None:
    odd = 'git+https://github.com/octo-org/spinney@abc; python_version > "3.10" # ${x}'
    assert load(written(install=odd)[ACTION])["inputs"]["install"]["default"] == odd
    assert load(written()[ACTION])["inputs"]["install"]["default"] == ""
    assert valid_requirement(odd)
    for bad in ("--index-url=https://example.com", "-r x", "", "a\nb", "https://x\x1b"):
        assert not valid_requirement(bad)


def test_the_spinney_that_runs_is_named_so_that_a_runner_can_have_it() -> None:
    vcs = {"url": "https://github.com/octo-org/spinney", "vcs_info": {"vcs": "git", "commit_id": "c" * 40}}
    assert requirement(json.dumps(vcs)) == "git+https://github.com/octo-org/spinney@" + "c" * 40
    assert requirement(None) is None  # the name on PyPI is not ours
    folder = json.dumps({"url": "file:///home/ada/spinney", "dir_info": {"editable": True}})
    assert requirement(folder) is None


def test_an_enterprise_server_gets_the_older_form_of_its_own_paths() -> None:
    for path in PATHS:
        assert "uses: $/" not in written(enterprise=True)[path]
