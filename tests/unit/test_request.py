"""Options about issues, as ``run`` and ``plan`` take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from orchestrator.cli.request import asked, moment, request_options
from orchestrator.composition.ready import Asked
from orchestrator.intake.standing import Terms
from shared.forge.tracker import IssueQuery


def request(*arguments: str) -> Asked:
    """What the command line ``arguments`` ask for."""

    @click.command()
    @request_options
    def command(tasks, commands, titles, workflow, **settings):  # type: ignore[no-untyped-def]
        return asked(tasks, commands, titles, workflow, settings, fresh=True)

    found = command.main(list(arguments), standalone_mode=False)
    assert isinstance(found, Asked)
    return found


def test_options_about_issues_become_a_query_and_no_settings() -> None:
    found = request(
        "#12", "--label", "ready", "--label", "bug", "--milestone", "1.0", "--search", "is:open crash",
        "--assignee", "@me", "--limit", "7", "--forge", "github",
    )  # fmt: skip
    assert found.arguments == ("#12",)
    assert found.query == IssueQuery(("ready", "bug"), "1.0", "is:open crash", "@me", 7)
    assert {key: value for key, value in found.overrides.items() if value is not None} == {"forge": "github"}


def test_without_them_no_issue_is_asked_for() -> None:
    found = request("fix.md")
    assert not found.query
    assert found.terms == Terms(fresh=True)


def test_beginning_anew_and_going_on_contradict_each_other() -> None:
    with pytest.raises(click.UsageError, match="say one"):
        asked((), (), (), "", {}, fresh=True, go_on=True)


def test_the_label_that_is_trusted_can_be_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert request("--trusted-label", "ready").terms.trusted_label == "ready"
    assert request().terms.trusted_label == ""
    monkeypatch.setenv("SPINNEY_TRUSTED_LABEL", "spinney")
    assert request().terms.trusted_label == "spinney"
    monkeypatch.setenv("SPINNEY_TRUSTED_LABEL", "")  # as where a workflow lists nothing
    assert request().terms.trusted_label == ""


def test_a_time_is_one_of_iso_8601_and_of_utc_where_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    until = datetime(2026, 11, 26, 18, tzinfo=UTC)
    assert moment("2026-11-26T18:00:00") == until
    assert request("--trusted-until", "2026-11-26T19:00:00+01:00").terms.trusted_until == until
    monkeypatch.setenv("SPINNEY_TRUSTED_UNTIL", "2026-11-26T18:00:01Z")
    assert request().terms.trusted_until == until + timedelta(seconds=1)
    monkeypatch.setenv("SPINNEY_TRUSTED_UNTIL", "")  # as where a workflow has nothing to say
    assert request().terms.trusted_until is None
    with pytest.raises(click.BadParameter, match="'soon' is no time"):
        moment("soon")
