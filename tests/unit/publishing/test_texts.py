"""What others read of a task: its pull request, the comment on its issue, its commit's status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.publishing import template
from orchestrator.publishing.links import linked
from orchestrator.publishing.progress import comment, description
from orchestrator.publishing.pull_text import LONGEST, pull_draft, pull_text
from shared.errors import InvalidInput
from shared.model import Issue, Need, PullRequestPolicy, Settings, Task, TaskId
from tests.support.build import RUN, oid, task
from tests.support.story import Story

HERE = "ada/engine"
NAME = "issue-12"
TEXT = "It is slow. @grace\n\n# How\n\n```py\n@x\n```\n<img src=x>\n"


def a_task(**fields: Any) -> Task:
    issue = Issue(HERE, 12, "https://github.com/ada/engine/issues/12")
    return task(
        NAME, **{"title": "Make it fast, fixes #7", "body": TEXT, "issue": issue, "foreign": True} | fields
    )


def done() -> Story:
    story = Story(NAME, gate="make `test`").start(NAME)
    story.agent(NAME, 61.0, "CODER", summary="wrote | it for @ada")
    story.agent(NAME, 1.0, "TESTER", summary="3 tests").called(NAME)
    return story.commit(NAME, 16).over(NAME, paths=("a", "b"))


def merged() -> Story:
    return done().gate(NAME, 61.0).merge(NAME, 17)


def test_pull_request_says_what_was_done_how_it_was_checked_and_what_it_took() -> None:
    assert (
        pull_text(a_task(), merged().view, HERE, template.DEFAULT, "spinney run '#12' --fresh")
        == f"""\
> It is slow. `@grace`
>
> # How
>
> ```py
> @x
> ```
> &lt;img src=x>

| phase | commit | agents |
|---|---|---|
| work | {oid(16)[:10]} | CODER: wrote \\| it for `@ada`; TESTER: 3 tests |

- Gate `` make `test` ``: passed in 61.0 s on the merged tree.

Models: 1 call, 1,000 tokens read, 100 written, 0.50 USD.

Agents worked 62.0 s; 2 files changed.

Run `{RUN}`. To do it again: `spinney run '#12' --fresh`

Closes #12
"""
    )


def test_title_closes_no_other_issue() -> None:
    draft = pull_draft(a_task(), merged().view, Settings(), "main", HERE)
    assert draft.title == "Make it fast, fixes `#7`"


def test_task_without_an_issue_closes_nothing() -> None:
    text = pull_text(a_task(issue=None), merged().view, HERE, template.DEFAULT)
    assert "Closes" not in text
    assert text.endswith(f"Run `{RUN}` on {oid(1)[:10]}.\n")


def test_conflict_names_files_and_others_as_code_and_is_labelled() -> None:
    story = done().settle(NAME, "conflict", "x", files=["@a/b", "c"], **{"with": ["issue-3"]})
    draft = pull_draft(a_task(), story.view, Settings(), "main", HERE)
    assert draft.labels == ("conflict",)
    body = linked(draft.body, {})
    assert body.startswith("**In conflict** with `issue-3`: `@a/b`, `c`\n\n> It is slow")
    body = linked(draft.body, {"spinney-task:issue-3": 17})
    assert body.startswith("**In conflict** with `issue-3` (#17): `@a/b`, `c`\n\n> It is slow")


@pytest.mark.parametrize(
    ("policy", "known", "first_words"),
    [
        (
            "per-task",
            {"spinney-task:a": 11},
            "Builds on #11: its commits are in here too, merge that first.\n\n>",
        ),
        ("per-task", {}, "Builds on `spinney/a`: its commits are in here too.\n\n>"),
        ("stacked", {"spinney-task:a": 11}, "> It is slow."),
    ],
)
def test_pull_request_says_first_what_it_stands_on(
    policy: PullRequestPolicy, known: dict[str, int], first_words: str
) -> None:
    story = Story("a", "b", NAME, needs={NAME: ("a", "b")})
    story.start("a").commit("a", 8).start("b").start(NAME).commit(NAME, 16)  # b changed nothing
    waits = replace(a_task(), needs=(Need(TaskId("a")), Need(TaskId("b"))))
    draft = pull_draft(waits, story.view, Settings(pull_requests=policy), "main", HERE)
    assert linked(draft.body, known).startswith(first_words)


def test_text_of_strangers_makes_no_link_to_a_pull_request() -> None:
    mark = "\x00spinney-task:a\x01Fixes \x02\x01\x00"
    draft = pull_draft(a_task(title=mark, body=mark), merged().view, Settings(), "main", HERE)
    assert "#3" not in linked(draft.body, {"spinney-task:a": 3})


def test_reason_of_a_rejected_task_is_harmless() -> None:
    story = done().settle(NAME, "unmerged", "the gate failed: <b> fixes #9")
    assert "**Not merged:** the gate failed: &lt;b> fixes `#9`\n" in pull_text(
        a_task(), story.view, HERE, template.DEFAULT
    )


def test_without_a_gate_none_is_said_to_have_passed() -> None:
    story = Story(NAME).start(NAME).commit(NAME, 16).over(NAME).merge(NAME, 17)
    text = pull_text(a_task(), story.view, HERE, template.DEFAULT)
    assert "no gate is configured" in text
    assert "passed" not in text


@pytest.mark.parametrize("piece", ["@a ", "`", "|", "<", "#1 ", "\\", "\n```\n"])
def test_longest_texts_stay_below_githubs_limit(piece: str) -> None:
    story = Story(NAME).start(NAME)
    for number in range(60):
        story.agent(NAME, 1.0, f"AGENT{number}", summary=piece * 1000, phase=f"p{number}")
        story.commit(NAME, number + 1, f"p{number}")
    long = a_task(title=piece * 30_000, body=piece * 30_000, evidence=piece * 1000)
    view = story.over(NAME).settle(NAME, "unmerged", piece * 10_000).view
    for form in (template.DEFAULT, "x" * template.LARGEST, "{summary}{phases}" * 20):
        text = pull_text(long, view, HERE, form)
        assert len(text) <= LONGEST
        assert text.endswith("\nCloses #12\n")
    assert len(comment(long, view, "unmerged")) <= LONGEST


# --- templates


def test_template_is_filled_in_without_gaps() -> None:
    text = pull_text(a_task(), merged().view, HERE, "# {title}\n\n{state}\n\n{phases}\n\n{{x}} { y } {issue}")
    assert text.startswith("# Make it fast, fixes `#7`\n\n| phase |")
    assert text.endswith("|\n\n{x} { y } #12\n\nCloses #12\n")


def test_every_mistake_in_a_template_is_told_with_its_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        template.check("{summary}\n\nby {sumary} and {author}", ".github/pull.md")
    assert [str(problem) for problem in caught.value.problems] == [
        ".github/pull.md:3:4: unknown placeholder {sumary} (did you mean {summary}?)",
        ".github/pull.md:3:17: unknown placeholder {author} (there are: title, state, summary, phases, checks, "
        "cost, time, reproduce, task, run, issue)",
    ]


def test_built_in_template_is_a_good_one() -> None:
    assert template.check(template.DEFAULT, "built-in") == template.DEFAULT


def test_endless_template_is_refused() -> None:
    with pytest.raises(InvalidInput):
        template.check("x" * (template.LARGEST + 1), "pull.md")


# --- progress


def test_comment_at_the_start_says_where_the_work_is() -> None:
    assert comment(a_task(), done().view, "at work", "https://forge.example/run/1") == (
        f"**Spinney**, run `{RUN}` ([job](https://forge.example/run/1))\n\n"
        "At work on `spinney/issue-12` with the workflow `test`.\n"
    )


def test_comment_at_the_end_says_what_came_of_it() -> None:
    assert (
        comment(a_task(), merged().pull(NAME, 45).view, "merged")
        == f"""\
**Spinney**, run `{RUN}`

Done, and fits together with the other tasks of its run. Pull request: #45.

| phase | commit | agents |
|---|---|---|
| work | {oid(16)[:10]} | CODER: wrote \\| it for `@ada`; TESTER: 3 tests |

Models: 1 call, 1,000 tokens read, 100 written, 0.50 USD. Agents worked 62.0 s.
"""
    )


@pytest.mark.parametrize("stage", ["at work", "merged"])
def test_comment_says_what_a_fresh_start_took_off_the_branch(stage: str) -> None:
    aside = '1 commit of others ("for @ada" by <i>Eve): kept as refs/spinney/archive/issue-12/1'
    view = Story(NAME, aside={NAME: aside}).start(NAME).view
    words = (
        'Begun anew. Its branch had 1 commit of others ("for `@ada`" by &lt;i>Eve): '
        "kept as refs/spinney/archive/issue-12/1."
    )
    assert f"\n\n{words}\n" in comment(a_task(), view, stage)


def test_comment_on_what_failed_says_why() -> None:
    story = Story(NAME).start(NAME).over(NAME, "failed").settle(NAME, "failed", "CODER: @ada said <no>")
    text = comment(a_task(), story.view, "failed")
    assert "Not done.\n\nCODER: `@ada` said &lt;no>\n" in text


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (merged(), "1 phase, gate passed"),
        (done().gate(NAME, 1.0, passed=False).settle(NAME, "unmerged", "no"), "1 phase, gate failed"),
        (done().settle(NAME, "conflict", "conflicts with b"), "1 phase, conflict: conflicts with b"),
    ],
)
def test_commits_status_is_short(story: Story, words: str) -> None:
    assert description(story.view.tasks[NAME], story.view) == words


def test_commits_status_fits_where_it_is_shown() -> None:
    story = done().settle(NAME, "conflict", "x" * 500)
    assert len(description(story.view.tasks[NAME], story.view)) == 140
