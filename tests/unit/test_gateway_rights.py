from __future__ import annotations

import pytest

from orchestrator.gateway.rules.outcomes import Answered, BadKey, ClientFault, Limited, Outcome, Transient
from orchestrator.gateway.rules.rights import Rights
from shared.callers import Caller
from shared.model import AgentName, TaskId

CODER = Caller(TaskId("a"), "build", AgentName("CODER"))
AGAIN = Caller(TaskId("a"), "build", AgentName("CODER"), attempt=2)
TESTER = Caller(TaskId("a"), "build", AgentName("TESTER"))
OTHER = Caller(TaskId("b"), "build", AgentName("CODER"))
FORBIDDEN, WRONG, FAULT = BadKey("no", sure=False), BadKey("no"), ClientFault("no")


@pytest.mark.parametrize(
    ("before", "outcome", "meant"),
    [
        ([], FORBIDDEN, FAULT),
        ([(FORBIDDEN, CODER)], FORBIDDEN, FAULT),
        ([(FORBIDDEN, AGAIN)], FORBIDDEN, FAULT),
        ([(FORBIDDEN, TESTER)], FORBIDDEN, FORBIDDEN),
        ([(FORBIDDEN, OTHER)], FORBIDDEN, FORBIDDEN),
        ([(Answered(), OTHER)], FORBIDDEN, FAULT),
        ([(Answered(), CODER)], FORBIDDEN, FAULT),
        ([(FORBIDDEN, OTHER), (Answered(), TESTER)], FORBIDDEN, FAULT),
        ([(FAULT, OTHER), (Transient("busy"), OTHER), (Limited(1.0), OTHER)], FORBIDDEN, FAULT),
        ([], WRONG, WRONG),
        ([(Answered(), CODER)], WRONG, WRONG),
        ([(FORBIDDEN, OTHER)], FAULT, FAULT),
    ],
)
def test_refusal_is_about_the_key_where_nobody_was_answered_and_two_were_refused(
    before: list[tuple[Outcome, Caller]], outcome: Outcome, meant: Outcome
) -> None:
    rights = Rights()
    for earlier, caller in before:
        rights.judge(earlier, caller)
    assert rights.judge(outcome, CODER) == meant
