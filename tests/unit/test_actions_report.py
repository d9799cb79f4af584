from __future__ import annotations

import itertools
import json
import re

from orchestrator.reporting.actions import delimited, notices, outputs, summary
from tests.support.build import RUN
from tests.support.story import Story

HOSTILE = (
    "\x1b[31mred\x1b[0m ::set-env name=PATH::/tmp/evil\n::set-output name=failed::0\r\n##[add-mask]a | b "
    "<img src=https://mallory.example/x> [click](https://mallory.example) @octocat fixes #7 `x` </details>%0A::stop"
)


def told() -> Story:
    story = Story("api", "docs", "late", needs={"late": ("docs",)})
    story.start("api").agent("api", 2.0, tokens=(100, 20), cost=0.0125).commit("api", 16).over("api")
    story.tell("pull.opened", task="api", number=31, url="https://github.com/octo-org/widgets/pull/31")
    story.merge("api", 32)
    story.start("docs").agent("docs", 0.5, ok=False, summary=HOSTILE).over("docs", "failed", HOSTILE)
    story.settle("docs", "failed", HOSTILE).settle("late", "skipped", "its need docs ended as failed")
    return story.end("failed")


def test_the_summary_is_a_table_and_a_timeline() -> None:
    story = (
        Story("api")
        .start("api")
        .agent("api", 2.0)
        .commit("api", 16)
        .over("api")
        .pull("api", 1)
        .merge("api", 32)
    )
    story.end("succeeded")
    assert (
        summary(story.view, story.now)
        == f"""\
### Spinney: 1 merged

Run `{RUN}` succeeded in 2.0 s.

| | task | pull request | commits | time | |
|---|---|---|---:|---:|---|
| ✅ | `api` Api | #1 | 1 | 2.0 s | merged |

<details><summary>Timeline</summary>

```mermaid
gantt
  dateFormat X
  axisFormat %H:%M:%S
  section api
  CODER :done, 0, 2
```

</details>
"""
    )


def test_what_was_written_by_others_is_no_markup_in_the_summary() -> None:
    story = told()
    text = summary(story.view, story.now)
    assert "<img" not in text
    assert "\\[click\\]" in text
    assert "`@octocat`" in text
    assert "`#7`" in text
    assert "\x1b" not in text
    assert text.count("</details>") == 1
    rows = [line for line in text.splitlines() if line.startswith("| ") and "task" not in line]
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 7 for row in rows)


def test_annotations_hold_one_command_each_whatever_is_in_them() -> None:
    lines = notices(told().view)
    assert len(lines) == 2
    for line in lines:
        assert "\n" not in line
        assert "\r" not in line
        assert "\x1b" not in line
    assert lines[0].startswith("::error title=docs%3A Docs::failed: red ::set-env name=PATH::/tmp/evil")
    assert "%250A" in lines[0]  # a percent sign of theirs stays one
    assert lines[1] == "::warning title=late%3A Late::skipped: its need docs ended as failed"


def test_a_file_s_or_title_s_name_ends_no_property() -> None:
    story = Story("clash", about={"clash": {"title": "a::b,file=x%0A"}})
    story.start("clash").agent("clash", 1.0).commit("clash", 18).over("clash")
    story.settle("clash", "conflict", "it conflicts with api", files=["a,b::c.py"], **{"with": ["api"]})
    (line,) = notices(story.end("failed").view)
    assert line == (
        "::error file=a%2Cb%3A%3Ac.py,title=clash%3A a%3A%3Ab%2Cfile=x%250A::conflict: it conflicts with api"
    )


def test_no_more_annotations_than_are_shown() -> None:
    story = Story(*(f"t{n}" for n in range(30)))
    for n in range(30):
        story.settle(f"t{n}", "failed", "x")
    lines = notices(story.end("failed").view)
    assert len(lines) == 10
    assert lines[-1] == "::error title=and more::21 more are in the summary"


def test_an_interrupted_run_is_told_as_one_that_goes_on() -> None:
    assert notices(Story("api").end("interrupted").view) == [
        f"::warning title=run {RUN}::it was interrupted: the next start goes on with what is not done"
    ]


def test_outputs_are_what_the_action_promises() -> None:
    story = told()
    found = outputs(story.view, story.now)
    assert {key: value for key, value in found.items() if key != "tasks"} == {
        "run": RUN,
        "status": "failed",
        "pull-requests": '["https://github.com/octo-org/widgets/pull/31"]',
        "tokens": "120",
        "cost": "0.012500",
        "failed": "1",
    }
    assert [task["status"] for task in json.loads(found["tasks"])] == ["merged", "failed", "skipped"]
    assert "\n" not in found["tasks"]


def test_without_a_run_nothing_was_to_be_done() -> None:
    assert outputs(None, 0.0) == {
        "run": "",
        "status": "nothing",
        "tasks": "[]",
        "pull-requests": "[]",
        "tokens": "0",
        "cost": "0.000000",
        "failed": "0",
    }
    assert notices(None) == []
    assert "There was nothing to do" in summary(None, 0.0)


def test_a_value_cannot_become_a_second_output() -> None:
    marks = (f"word{n}" for n in itertools.count())
    text = delimited({"a": "x\ny<<EOF\n1\nEOF", "b": ""}, lambda: next(marks))
    assert text == "a<<word0\nx\ny<<EOF\n1\nEOF\nword0\nb<<word1\n\nword1\n"


def test_what_jobs_elsewhere_did_comes_first_in_the_timeline_and_is_told_apart() -> None:
    story = Story("a")
    begun = story.now
    story.tell("task.elsewhere", task="a", started=begun - 60, ended=begun - 20)
    story.start("a")
    story.tell("agent.started", task="a", phase="code", agent="CODER", attempt=1)
    story.tell(
        "agent.ended", task="a", phase="code", agent="CODER", attempt=1, started=begun - 50, seconds=25.0,
        ok=True, summary="", input_tokens=0, output_tokens=0, cost_usd=0.0,
    )  # fmt: skip
    story.after(3).commit("a", 16).over("a").merge("a", 32).end("succeeded")
    shown = summary(story.view, story.now)
    assert "succeeded in 3.0 s, after 40.0 s of jobs elsewhere." in shown
    assert "CODER :done, 0, 25" in shown
