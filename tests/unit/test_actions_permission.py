from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.actions.triggers import Person, Wish
from orchestrator.composition import triggers
from shared.errors import UserError
from shared.forge.github.errors import AnswerLost, Refused
from shared.forge.tracker import IssueSnapshot
from shared.model import Settings
from tests.support.trackers import MemoryTracker, issue

ADA = Person(7, "ada")
WIDGETS = "octo-org/widgets"
RUN = Wish("run", "why", (12, 15), "spinney", who=ADA)


class Api:
    """Answers by path; keeps what was sent."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.sent, self.lost = answers, [], 0
        self.refused: dict[str, Refused] = {}  # by method

    def get(self, path: str) -> Any:
        answer = self.answers.get(path, Refused(404, "Not Found"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send(self, method: str, path: str, body: dict[str, Any]) -> None:
        self.sent.append((method, path, body))
        if method in self.refused:
            raise self.refused[method]
        if self.lost:
            self.lost -= 1
            raise AnswerLost("lost")


def user(login: str = "ada", id: int = 7, type: str = "User") -> dict[str, Any]:
    return {"login": login, "id": id, "type": type}


def answers(permission: str = "write", now: str = "ada", **who: Any) -> dict[str, Any]:
    return {
        "/user/7": user(now, type=who.get("type", "User")),
        f"/repos/octo-org/widgets/collaborators/{now}/permission": {
            "permission": permission,
            "user": user(now, **who),
        },
    }


def ask(
    monkeypatch: pytest.MonkeyPatch,
    api: Api,
    asked: Wish = RUN,
    *,
    mark: bool = True,
    edited: str = "",
    there: Sequence[IssueSnapshot] | None = None,
) -> tuple[Wish, int]:
    closed = []
    if there is None:
        there = [issue(number, repository=WIDGETS, edited=edited) for number in asked.issues]
    tracker = MemoryTracker.of(*there, repository=WIDGETS)
    github = SimpleNamespace(api=api, repository=WIDGETS, tracker=tracker)

    def open_forge(place: Any, settings: Settings, keys: Any, *, issues: bool) -> Any:
        assert settings.forge == "github"
        return SimpleNamespace(github=github, close=lambda: closed.append(True))

    monkeypatch.setattr(triggers, "open_forge", open_forge)
    told = triggers.permitted(SimpleNamespace(checkout=Path()), Settings(), {}, asked, mark=mark)  # type: ignore[arg-type]
    return told, len(closed)


@pytest.mark.parametrize("permission", ["write", "maintain", "admin"])
def test_who_may_write_is_listened_to_and_the_issues_get_the_label(
    monkeypatch: pytest.MonkeyPatch, permission: str
) -> None:
    api = Api(answers(permission))
    assert ask(monkeypatch, api) == (RUN, 1)
    path = "/repos/octo-org/widgets/issues/{}/labels"
    assert api.sent == [
        sent
        for number in (12, 15)
        for sent in (
            (
                "DELETE",
                f"{path.format(number)}/spinney",
                None,
            ),  # so that it is put on now, whoever did it before
            ("POST", path.format(number), {"labels": ["spinney"]}),
        )
    ]


def test_a_person_is_found_by_number_under_a_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, Api(answers(now="countess")))[0] == RUN


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (answers("read"), "ada may not write here"),
        (answers("triage"), "ada may not write here"),
        (answers("none"), "ada may not write here"),
        (answers(type="Bot"), "ada is a bot"),
        (answers(id=8), "ada is somebody else than ada was"),  # the old name belongs to another one now
        ({"/user/7": user()}, "ada is nobody who may write here"),
        ({}, "ada is nobody who may write here"),
    ],
)
def test_who_may_not_write_starts_nothing_and_marks_nothing(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], why: str
) -> None:
    api = Api(found)
    told, closed = ask(monkeypatch, api)
    assert (told.do, told.reason, closed, api.sent) == ("nothing", f"why, but {why}", 1, [])


def test_a_bot_is_refused_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    told, closed = ask(
        monkeypatch, Api({}), Wish("run", "why", (1,), "spinney", who=Person(8, "x[bot]", bot=True))
    )
    assert (told.do, closed) == ("nothing", 0)


def test_what_github_does_not_tell_is_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused):
        ask(monkeypatch, Api({"/user/7": Refused(403, "Resource not accessible by integration")}))


def test_the_schedule_asks_nothing_of_github(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Wish("run", "it is time", label="spinney")
    assert ask(monkeypatch, Api({}), asked) == (asked, 0)


def test_a_label_whose_answer_was_lost_is_put_again(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(answers())
    api.lost = 1
    ask(monkeypatch, api, Wish("run", "why", (12,), "spinney", who=ADA))
    assert [method for method, *_ in api.sent] == ["DELETE", "DELETE", "POST"]


def test_a_label_that_is_not_there_need_not_be_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(answers())
    api.refused = {"DELETE": Refused(404, "Label does not exist")}
    assert ask(monkeypatch, api)[0] == RUN
    assert [method for method, *_ in api.sent] == ["DELETE", "POST"] * 2


def test_an_issue_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(answers())
    api.refused = {"POST": Refused(404, "Not Found", "the token needs the permission issues=write")}
    with pytest.raises(Refused, match="#12 cannot get the label 'spinney': Not Found") as refused:
        ask(monkeypatch, api)
    assert refused.value.hints[0] == "name issues that are there"


def test_a_list_by_hand_with_what_is_no_issue_marks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(answers())
    asked = Wish("run", "why", (12, 13, 14), "spinney", who=ADA)
    there = [issue(12, repository=WIDGETS), issue(13, repository=WIDGETS, is_pull_request=True)]
    with pytest.raises(UserError, match="2 issues that were asked for cannot be had") as refused:
        ask(monkeypatch, api, asked, there=there)
    assert refused.value.hints == (
        "#13: it is a pull request, and a task is made of an issue",
        "#14: there is none",
    )
    assert api.sent == []


@pytest.mark.parametrize("edited", ["2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z", "?"])
def test_a_text_that_was_changed_since_the_comment_loses_the_label(
    monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    asked = Wish("run", "why", (12,), "spinney", until="2026-11-20T12:00:00Z", who=ADA)
    api = Api(answers())
    told, _ = ask(monkeypatch, api, asked, edited=edited)
    assert (told.do, told.issues, told.reason) == (
        "nothing",
        (),
        "why, but its text was changed since; read it, and ask again",
    )
    assert [method for method, *_ in api.sent] == ["DELETE", "POST", "DELETE"]
    api = Api(answers())
    assert ask(monkeypatch, api, asked, edited="2026-11-20T11:59:59Z")[0] == asked
    assert [method for method, *_ in api.sent] == ["DELETE", "POST"]


def test_a_retry_changes_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(answers())
    ask(monkeypatch, api, Wish("retry", "why", (12,), who=ADA))
    assert api.sent == []
