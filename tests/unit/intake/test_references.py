from __future__ import annotations

import pytest

from orchestrator.intake.references import Reference, certain, reference, shown, whole
from shared.errors import UserError
from shared.forge.tracker import IssueRef


@pytest.mark.parametrize(
    ("text", "ref", "host"),
    [
        ("#12", IssueRef(12), ""),
        ("12", IssueRef(12), ""),
        ("octo/repo#12", IssueRef(12, "octo/repo"), ""),
        ("octo-cat/re.po_x#12", IssueRef(12, "octo-cat/re.po_x"), ""),
        ("https://github.com/octo/repo/issues/12", IssueRef(12, "octo/repo"), "github.com"),
        ("https://github.com/octo/repo/issues/12#issuecomment-5", IssueRef(12, "octo/repo"), "github.com"),
        ("http://ghe.example:8080/o/r/issues/1?a=b", IssueRef(1, "o/r"), "ghe.example:8080"),
    ],
)
def test_an_issue_is_named_by_number_repository_or_address(text: str, ref: IssueRef, host: str) -> None:
    assert reference(text) == Reference(ref, text, host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#",
        "12.md",
        "tasks/12",
        "#12x",
        "octo/repo",
        "octo#12",
        "a/b/c#12",
        "octo/repo#12/x",
        "-1",
        "١٢",
        "12\n",
        "https://github.com/octo/repo",
        "https://user:word@github.com/octo/repo/issues/1",
        "ftp://github.com/octo/repo/issues/1",
        "1" * 19,
    ],
)
def test_what_is_written_otherwise_is_no_issue(text: str) -> None:
    assert reference(text) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("https://github.com/octo/repo/pull/3", "is a pull request"),
        ("https://github.com/octo/repo/pull/3/files", "is a pull request"),
        ("https://github.com/octo/repo/discussions/3", "is a discussion"),
        ("#0", "there is no issue #0"),
    ],
)
def test_what_cannot_become_a_task_is_refused_by_name(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        reference(text)


def test_only_a_bare_number_may_be_a_folder() -> None:
    assert certain("#12")
    assert certain("octo/repo#12")
    assert not certain("12")
    assert not certain("tasks")


def test_an_address_on_another_host_is_refused() -> None:
    found = reference("https://ghe.example/o/r/issues/1")
    assert found is not None
    found.refuse_elsewhere("GHE.example")
    with pytest.raises(UserError, match=r"is on ghe\.example, and this repository is on github\.com"):
        found.refuse_elsewhere("github.com")
    same = reference("https://www.github.com/o/r/issues/1")
    assert same is not None
    same.refuse_elsewhere("github.com")


def test_an_issue_is_the_same_however_its_repository_is_written() -> None:
    assert whole(IssueRef(1), "Octo/Repo") == whole(IssueRef(1, "octo/repo"), "x/y")
    assert shown(IssueRef(1, "octo/REPO"), "Octo/Repo") == "#1"
    assert shown(IssueRef(1, "octo/other"), "Octo/Repo") == "octo/other#1"
