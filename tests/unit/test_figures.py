from __future__ import annotations

from orchestrator.reporting.figures import figures
from tests.support.story import Story


def whole() -> Story:
    """Two tasks, with sub-agents, a retry, a conflict, skips, context, waiting and a gate."""
    about = {"api": {"workflow": "autodev", "budget": 8000}}
    story = Story("api", "docs", needs={"docs": ("api",)}, about=about, gate="make test").sized(2)
    story.after(0.5).start("api").context("api", "PLANNER", 1200, budget=2000)
    story.leased(
        "api", 3.0, "PLANNER", wait=0.5, phase="plan", summary="three files", tokens=(1200, 90), cost=0.25
    )
    story.context("api", "CODER", 600, 300, 6800, compressed=["PLANNER"])
    story.wants("api", "CODER").gets("api", "CODER").agent_begins("api").after(1).returns("api", "CODER")
    story.wants("api", "CODER/c1", "CODER/c2").gets("api", "CODER/c1").agent_begins("api", "CODER/c1").after(
        4
    )
    story.agent_ends("api", "CODER/c1", summary="make").returns("api", "CODER/c1")
    story.gets("api", "CODER/c2").agent_begins("api", "CODER/c2").after(2)
    story.agent_ends("api", "CODER/c2", ok=False, summary="exit status 1").returns("api", "CODER/c2")
    story.wants("api", "CODER").gets("api", "CODER").after(1)
    story.agent_ends("api", ok=False, summary="c2: exit status 1").returns("api", "CODER")
    story.leased("api", 5.0, attempt=2, summary="built it")
    story.tell("agent.conflicted", task="api", phase="work", agent="CODER", paths=["a.py"], resolver="MENDER")
    story.leased("api", 0.5, "MENDER")
    story.context("api", "REVIEWER", 7000, budget=6200, refused=True)
    for name in ("AUDITOR", "WRITER"):
        story.tell("agent.skipped", task="api", phase="check", agent=name, reason="not needed for a typo")
    story.commit("api", 16).over("api").start("docs").after(1).gate("api", 2.0, wait=0.25).merge("api", 32)
    return story.leased("docs", 1.5, "WRITER").over("docs").after(0.5).merge("docs", 33).end("succeeded")


def test_report_of_a_run_in_which_everything_occurs() -> None:
    story = whole()
    assert (
        "\n".join(figures(story.view, story.now))
        == """
time
  in all             22.8 s
  one after another  20.0 s
  speedup            0.88
  efficiency         0.44 of 2 slots
  overhead           4.8 s beyond the longest chain of agents
  gate               2.0 s, 1 time, 0 failed
  models             1,200 tokens read, 90 written, 0.25 USD

waited, summed over all that did
  to be set up       3.2 s
  for needs          37.5 s
  for a slot         4.5 s
  for the gate       2.2 s
  to be merged       1.5 s

what decided how long it took
  8 steps, 18.0 s of work and 4.2 s between
       3.0 s  api: PLANNER  (1.0 s after the run's start)
       1.0 s  api: CODER
       4.0 s  api: CODER/c1
       2.0 s  api: CODER/c2
       1.0 s  api: CODER
       5.0 s  api: CODER
       0.5 s  api: MENDER
       1.5 s  docs: WRITER  (3.2 s after what it needed)

time by agent
       7.0 s  CODER, 2 times
       4.0 s  CODER/c1
       3.0 s  PLANNER
       2.0 s  CODER/c2
       1.5 s  WRITER
       0.5 s  MENDER

time by phase
      15.0 s  work, 6 times
       3.0 s  plan

time by task
      16.5 s  api, 6 times
       1.5 s  docs

context
  api  1800 of 8000 tokens for 3 agents, 300 saved, 1 refused

skipped agents
     2  not needed for a typo: AUDITOR, WRITER

agents that ran again
  api: CODER, 2 tries

slowest agents
       5.0 s  api: work / CODER, try 2
       4.0 s  api: work / CODER/c1
       3.0 s  api: plan / PLANNER
       2.0 s  api: work / CODER
       2.0 s  api: work / CODER/c2"""
    )


def test_report_of_a_single_command_says_only_what_there_is_to_say() -> None:
    story = Story("a").start("a").agent("a", 2.0, "COMMAND").over("a").merge("a", 32).end("succeeded")
    assert figures(story.view, story.now) == [
        "",
        "time",
        "  in all             2.0 s",
        "  one after another  2.0 s",
        "  speedup            1.00",
        "  efficiency         1.00 of 1 slot",
        "  overhead           0.0 s beyond the longest chain of agents",
    ]


def test_long_lists_are_cut_and_say_so() -> None:
    story = Story("a").start("a")
    for number in range(25):
        story.agent("a", 1.0 + number, f"AGENT{number:02}")
        fields = {"task": "a", "phase": "work", "agent": f"OTHER{number:02}"}
        story.tell("agent.skipped", **fields, reason="the idea needs no core layer")
    lines = figures(story.end("succeeded").view, story.now)
    by_agent = lines[lines.index("time by agent") + 1 : lines.index("skipped agents") - 1]
    assert (by_agent[0], by_agent[-1], len(by_agent)) == ("      25.0 s  AGENT24", "  … and 15 more", 11)
    path = lines[lines.index("what decided how long it took") + 1 : lines.index("time by agent") - 1]
    assert path[0] == "  25 steps, 5m25s of work and 0.0 s between"
    assert (path[1], path[-2], path[-1]) == (
        "       6.0 s  a: AGENT05",
        "      25.0 s  a: AGENT24",
        "  … and 5 more",
    )
    names = ", ".join(f"OTHER{number:02}" for number in range(10))
    assert f"    25  the idea needs no core layer: {names} and 15 more" in lines


def test_what_took_no_time_is_counted_and_not_listed() -> None:
    story = Story("a").start("a").agent("a", 300.0, "CODER")
    for number in range(6):
        story.agent("a", 0.01, f"SMALL{number}")
    lines = figures(story.end("succeeded").view, story.now)
    assert lines[lines.index("what decided how long it took") :] == [
        "what decided how long it took",
        "  7 steps, 5m00s of work and 0.0 s between",
        "       5m00s  a: CODER",
        "  … and 6 more",
        "",
        "time by agent",
        "       5m00s  CODER",
        "  … and 6 more",
    ]


def test_slowest_executions_are_named_where_agents_of_one_name_ran_more_than_once() -> None:
    story = Story("a", "b").start("a").start("b").agent("a", 2.0, "COMMAND").agent("b", 3.0, "COMMAND")
    lines = figures(story.end("succeeded").view, story.now)
    assert lines[-3:] == [
        "slowest agents",
        "       3.0 s  b: work / COMMAND",
        "       2.0 s  a: work / COMMAND",
    ]


def test_rate_limit_and_the_gate_before_are_named() -> None:
    story = Story("a", "b", gate="make").sized(1, "a rate limit").start("a").start("b").wants("a", "CODER")
    story.leased("b", 1.0, wait=2.0).over("b").gets("a", "CODER").agent_begins("a").after(1).agent_ends("a")
    story.over("a").gate("a", 2.0).after(1).gate("b", 3.0, passed=False)
    lines = figures(story.settle("b", "unmerged").end("failed").view, story.now)
    assert "  for a rate limit   5.0 s" in lines
    assert lines[lines.index("what decided how long it took") + 1 :][:5] == [
        "  4 steps, 7.0 s of work and 3.0 s between",
        "       1.0 s  b: CODER  (2.0 s after the run's start)",
        "       1.0 s  a: CODER",
        "       2.0 s  a: the gate",
        "       3.0 s  b: the gate  (1.0 s after the gate before)",
    ]
    assert "  gate               5.0 s, 2 times, 1 failed" in lines
