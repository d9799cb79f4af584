"""How much time an agent has left, by what its gateway says."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflow_manager.backends.anthropic.patience import Patience
from workflow_manager.backends.gateway_link import Standing


@dataclass(slots=True)
class Line:
    """What the gateway would say next, and a clock that is moved by hand."""

    says: Standing | None = None
    time: float = 100.0
    beats: int = 0
    cancelled: int = 0
    seen: list[Standing | None] = field(default_factory=list)

    def standing(self) -> Standing | None:
        return self.says

    def cancel(self) -> None:
        self.cancelled += 1

    def beat(self) -> None:
        self.beats += 1

    def patience(self, *, resumed: bool = False) -> Patience:
        return Patience(60.0, self, self.beat, resumed=resumed, now=lambda: self.time)


def test_time_goes_by() -> None:
    line = Line()
    patience = line.patience()
    line.time += 45.0
    assert (patience.left(), patience.taken) == (15.0, 45.0)


def test_time_that_requests_were_held_for_does_not_count() -> None:
    line = Line()
    patience = line.patience()
    line.time += 500.0
    line.says = Standing(1, 480.0, "rate limit")
    patience.look()
    assert (patience.left(), patience.taken) == (40.0, 20.0)


def test_what_an_earlier_manager_was_held_for_is_not_given_again() -> None:
    line = Line(Standing(0, 300.0, ""))
    patience = line.patience(resumed=True)
    line.time += 10.0
    line.says = Standing(1, 305.0, "")
    patience.look()
    assert patience.left() == 55.0


def test_request_that_is_open_is_a_sign_of_life_and_none_is_not() -> None:
    line = Line(Standing(0, 0.0, ""))
    patience = line.patience()
    patience.look()
    assert line.beats == 0
    line.says = Standing(2, 0.0, "")
    patience.look()
    assert line.beats == 1


def test_gateway_that_does_not_answer_changes_nothing() -> None:
    line = Line(Standing(1, 30.0, ""))
    patience = line.patience()
    patience.look()
    line.says = None
    patience.look()
    assert (patience.left(), line.beats) == (90.0, 1)


def test_hanging_up_is_passed_on() -> None:
    line = Line()
    line.patience().hang_up()
    assert line.cancelled == 1
