from __future__ import annotations

import json

from orchestrator.reporting.report import closing, counts, rows, to_json, to_markdown
from tests.support.build import RUN, oid
from tests.support.story import Story

BATCH = f"spinney/batch/{RUN}"


def told() -> Story:
    """A run in which every end occurs."""
    needs = {"docs": ("api",), "late": ("broken",)}
    story = Story("api", "docs", "broken", "late", "same", "clash", "gated", needs=needs, gate="make test")
    story.after(0.5).start("api").agent("api", 2.0, summary="renamed", tokens=(100, 20), cost=0.0125)
    story.commit("api", 16).over("api", paths=("src/api.py",)).pull("api", 1)
    story.tell("agent.skipped", task="api", phase="review", agent="REVIEWER", reason="no label risky")
    story.tell("gate.started", task="api").after(1).tell("gate.ended", task="api", seconds=1.0, passed=True)
    story.merge("api", 32)
    story.start("broken").agent("broken", 0.5, ok=False, summary="exit status 1")
    story.over("broken", "failed", "CODER: exit status 1").settle("broken", "failed", "CODER: exit status 1")
    story.settle("late", "skipped", "its need broken ended as failed")
    story.start("docs").agent("docs", 1.0, summary="wrote | it").commit("docs", 17).over("docs").merge(
        "docs", 33
    )
    story.start("same").agent("same", 0.25).over("same", "no-change")
    story.settle("same", "no-change", "nothing was changed")
    story.start("clash").agent("clash", 0.25).commit("clash", 18).over("clash").pull("clash", 2)
    story.settle(
        "clash", "conflict", "it conflicts with api", files=["src/api.py", "b.py"], **{"with": ["api"]}
    )
    story.start("gated").agent("gated", 0.25).commit("gated", 19).over("gated")
    story.settle("gated", "unmerged", "the gate failed: exit status 1", log="/logs/gate-gated.log")
    return story.end("failed")


# --- JSON


def test_json_has_the_agreed_shape() -> None:
    story = Story("api", "late", needs={"late": ("api",)}).start("api")
    story.agent("api", 2.0, tokens=(100, 20), cost=0.0125).commit("api", 16).over("api").pull("api", 1)
    story.merge("api", 32).settle("late", "skipped", "why").after(2).end("failed")
    shown = to_json(story.view, story.now)
    assert (
        json.dumps(shown, indent=2)
        == f"""\
{{
  "run": "{RUN}",
  "status": "failed",
  "base": "{oid(1)}",
  "merged": "{oid(32)}",
  "merged_ref": "refs/heads/{BATCH}",
  "tasks": [
    {{
      "id": "api",
      "title": "Api",
      "status": "merged",
      "branch": "spinney/api",
      "commits": [
        {{
          "phase": "work",
          "oid": "{oid(16)}"
        }}
      ],
      "pull_request": {{
        "number": 1,
        "url": "refs/spinney/pulls/1/head"
      }},
      "seconds": 2.0,
      "attempts": 1,
      "tokens": {{
        "input": 100,
        "output": 20
      }},
      "cost_usd": 0.0125,
      "reason": ""
    }},
    {{
      "id": "late",
      "title": "Late",
      "status": "skipped",
      "branch": "spinney/late",
      "commits": [],
      "pull_request": null,
      "seconds": 0.0,
      "attempts": 0,
      "tokens": {{
        "input": 0,
        "output": 0
      }},
      "cost_usd": 0.0,
      "reason": "why"
    }}
  ],
  "left_out": [],
  "notes": [],
  "metrics": {{
    "total_time_seconds": 4.0,
    "sequential_time_seconds": 2.0,
    "speedup": 0.5,
    "parallel_efficiency": 0.5,
    "overhead_seconds": 2.0,
    "agent_times": {{
      "CODER": 2.0
    }},
    "token_usage": {{
      "CODER": 120
    }},
    "cache_hit_rate": 0.0,
    "slots": 1,
    "phase_times": {{
      "work": 2.0
    }},
    "task_times": {{
      "api": 2.0
    }},
    "waiting": {{
      "start": 0.0,
      "needs": 0.0,
      "slot": 0.0,
      "gate": 0.0,
      "merge": 0.0,
      "rate_limit": 0.0
    }},
    "critical_path": [
      {{
        "task": "api",
        "agent": "CODER",
        "seconds": 2.0,
        "waited": 0.0,
        "cause": "start"
      }}
    ],
    "cost_usd": 0.0125,
    "models": {{}},
    "model_calls_saved": 0,
    "context_tokens": {{
      "given": 0,
      "saved": 0
    }},
    "skipped": {{}},
    "retried": 0
  }}
}}"""
    )


def test_run_that_merged_nothing_is_still_at_its_base() -> None:
    story = Story("a").end("succeeded")
    shown = to_json(story.view, story.now)
    assert (shown["merged"], shown["merged_ref"]) == (oid(1), "")


# --- what people read


def test_markdown_report() -> None:
    story = told()
    assert (
        to_markdown(story.view, story.now)
        == f"""\
# Spinney run {RUN}: failed

2 merged, 1 unmerged, 1 no-change, 1 failed, 1 conflict, 1 skipped in 5.8 s \
(5.2 s one after another, speedup 0.91).

| task | status | commits | seconds | pull request | |
|---|---|---:|---:|---|---|
| `api` Api | merged | 1 | 2.0 | #1 |  |
| `docs` Docs | merged | 1 | 1.0 |  |  |
| `broken` Broken | failed | 0 | 0.5 |  | CODER: exit status 1 |
| `late` Late | skipped | 0 | 0.0 |  | its need broken ended as failed |
| `same` Same | no-change | 0 | 0.2 |  | nothing was changed |
| `clash` Clash | conflict | 1 | 0.2 | #2 | it conflicts with api |
| `gated` Gated | unmerged | 1 | 0.2 |  | the gate failed: exit status 1 |

- merged result: {BATCH} ({oid(33)[:10]})
- to land it:    git merge --ff-only {BATCH}
- why broken did not make it: spinney explain broken
- to resolve clash: git switch spinney/clash && git merge {BATCH}, then: spinney merge
- why gated did not make it: spinney explain gated
"""
    )


def test_markdown_keeps_one_row_a_task_whatever_is_said() -> None:
    story = Story("a").settle("a", "failed", "one | two\nthree").end("failed")
    assert "|  | one \\| two three |\n" in to_markdown(story.view, story.now)


def test_final_table() -> None:
    assert rows(told().view) == [
        ("api", "merged", "1", "2.0 s", "pull request #1"),
        ("docs", "merged", "1", "1.0 s", ""),
        ("broken", "failed", "0", "0.5 s", "CODER: exit status 1"),
        ("late", "skipped", "0", "0.0 s", "its need broken ended as failed"),
        ("same", "no-change", "0", "0.2 s", "nothing was changed"),
        ("clash", "conflict", "1", "0.2 s", "it conflicts with api (pull request #2)"),
        ("gated", "unmerged", "1", "0.2 s", "the gate failed: exit status 1"),
    ]


def test_counts_leave_zeros_out() -> None:
    assert counts(Story("a", "b").settle("a", "failed").view) == "1 waiting, 1 failed"
    assert counts(Story().view) == ""


def test_closing_says_that_the_target_was_moved() -> None:
    story = Story("a", into="main").start("a").over("a").merge("a", 32).tell("into.moved", oid=oid(32))
    assert closing(story.end("succeeded").view) == [
        f"merged result: {BATCH} ({oid(32)[:10]})",
        "main was moved to it",
    ]


def test_closing_says_how_to_land_what_did_not_move_the_target() -> None:
    story = Story("a", into="main").start("a").over("a").merge("a", 32).end("succeeded")
    assert closing(story.view)[-1] == f"to land it:    git merge --ff-only {BATCH}"


def test_closing_of_an_interrupted_run_says_how_to_go_on() -> None:
    assert closing(Story("a").end("interrupted").view) == ["to go on: spinney resume"]


def test_closing_of_an_interrupted_job_says_how_it_still_hands_back() -> None:
    story = Story("a", hands_back=True).end("interrupted")
    assert closing(story.view) == ["to go on: the same spinney run-task again"]
    story = Story("a", hands_back=True).tell(
        "budget.spent", task="", reason="the budget of 1.00 USD is spent"
    )
    assert closing(story.end("interrupted").view) == [
        "stopped: the budget of 1.00 USD is spent",
        "to go on: the same spinney run-task again, with --budget MORE",
    ]


def test_closing_of_an_interrupted_integration_does_not_name_a_command_that_refuses_it() -> None:
    story = Story("a", takes_in=True).end("interrupted")
    assert closing(story.view) == ["to go on: the same spinney integrate again"]


# --- pull requests on a forge elsewhere


def test_pull_request_with_an_address_is_shown_by_it() -> None:
    story = Story("api").start("api").commit("api", 16).over("api").merge("api", 32)
    story.tell("pull.opened", task="api", number=45, url="https://forge.example/pull/45", state="open")
    assert rows(story.view)[0][4] == "pull request https://forge.example/pull/45"


def test_pull_request_that_could_not_be_published_is_told_with_what_to_do() -> None:
    story = Story("api").start("api").commit("api", 16).over("api").merge("api", 32)
    story.tell("pull.intent", task="api", tip=oid(16))
    assert story.view.owing
    story.tell("pull.failed", task="api", reason="the forge says no")
    assert (story.view.owing, story.view.published) == (False, False)
    assert "api has no pull request: the forge says no; to try again: spinney merge" in closing(story.view)


def test_notes_are_in_the_json_each_once() -> None:
    story = Story("api").tell("note", text="one").tell("note", text="two").tell("note", text="one")
    assert to_json(story.view, story.now)["notes"] == ["one", "two"]
