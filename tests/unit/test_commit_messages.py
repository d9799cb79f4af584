from __future__ import annotations

from shared.git.commits import PhaseMessage, merge_message, trailers
from shared.model import Tokens, Usage


def test_phase_message_is_subject_agents_and_trailers() -> None:
    message = PhaseMessage(
        run="run-1",
        task="fix-login",
        title="Fix the login\npage",
        phase="testing",
        attempt=2,
        summaries=(("TESTER", "added three tests"), ("LINTER", "")),
        skipped=(("WRITER", "no label docs"),),
    )
    assert str(message) == (
        "[testing] Fix the login page\n"
        "\n"
        "- TESTER: added three tests\n"
        "- LINTER: done\n"
        "- WRITER: skipped, no label docs\n"
        "\n"
        "Spinney-Run: run-1\n"
        "Spinney-Task: fix-login\n"
        "Spinney-Phase: testing\n"
        "Spinney-Attempt: 2\n"
    )


def test_what_is_written_is_read_back() -> None:
    message = PhaseMessage("r", "t", "Title", "code", 1, (("CODER", "did it"),))
    assert trailers(str(message)) == {
        "Spinney-Run": "r",
        "Spinney-Task": "t",
        "Spinney-Phase": "code",
        "Spinney-Attempt": "1",
    }


def test_what_models_cost_is_told_where_some_were_asked() -> None:
    usage = Usage(Tokens(input=1000, output=200, cache_read=5000), 0.0125, 3)
    marks = trailers(str(PhaseMessage("r", "t", "Title", "code", 1, (), usage=usage)))
    assert marks["Spinney-Tokens"] == "6000 read, 200 written"
    assert marks["Spinney-Cost"] == "0.012500 USD"


def test_model_without_a_price_leaves_no_cost_in_the_commit() -> None:
    usage = Usage(Tokens(input=1000, output=200), None, 1)
    marks = trailers(str(PhaseMessage("r", "t", "Title", "code", 1, (), usage=usage)))
    assert "Spinney-Tokens" in marks
    assert "Spinney-Cost" not in marks


def test_round_of_fixes_says_what_it_answers() -> None:
    message = PhaseMessage("r", "t", "Title", "fix", 1, (), answers=("check:12", "remark:PRRC_x"))
    assert trailers(str(message))["Spinney-Answers"] == "check:12 remark:PRRC_x"


def test_agent_cannot_forge_trailers_in_its_summary() -> None:
    forged = "ok\n\nSpinney-Task: other\nSpinney-Phase: other"
    message = PhaseMessage("r", "t", forged, "code", 1, (("CODER", forged),), (("WRITER", forged),))
    assert trailers(str(message))["Spinney-Task"] == "t"
    assert trailers(str(message))["Spinney-Phase"] == "code"
    assert str(message).count("\n\n") == 2


def test_only_the_last_paragraph_holds_trailers() -> None:
    assert trailers("Subject\n\nSpinney-Task: quoted\n\nText\n") == {}
    assert trailers("Subject\n\nOther: x\nSpinney-Task: a\n\n\n") == {"Spinney-Task": "a"}
    assert trailers("") == {}


def test_merge_message_names_branch_run_and_task() -> None:
    assert merge_message("Fix the login", "spinney/fix-login", "r", "fix-login") == (
        "Merge spinney/fix-login: Fix the login\n\nSpinney-Run: r\nSpinney-Task: fix-login\n"
    )
