"""Failures that are understood without a model: what an output says, and what follows from it. Pure.

The first row that matches decides; rows whose words other failures may mention as well come later.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from workflow_manager.recovery import answers
from workflow_manager.recovery.proposals import TAIL, Case, Diagnosis, Failure, Kind, Proposal, Surroundings


@dataclass(frozen=True, slots=True)
class Row:
    kind: Kind
    patterns: tuple[str, ...]  # of the output; each of bounded length, so that no text makes it slow
    answer: Proposal | Callable[[Case], tuple[Proposal, ...]] | None = None


_SHELL = r"(?:sh|bash|dash|zsh): (?:(?:line )?\d{1,6}: )?"
_NAME = r"([\w.+@/-]{1,100})"
ROWS = (
    Row(
        Kind.MEMORY,
        (r"heap out of memory|^MemoryError|Cannot allocate memory|std::bad_alloc|Out of memory",),
        answers.MEMORY,
    ),
    Row(Kind.DISK, (r"No space left on device|ENOSPC|Disk quota exceeded",), answers.DISK),
    Row(
        Kind.MERGE_CONFLICT,
        (r"^CONFLICT \(|Automatic merge failed|: needs merge$|unmerged files",),
        answers.CONFLICT,
    ),
    Row(
        Kind.OTHER_SHELL,
        (
            r"(?:\[\[|source|shopt|pushd|popd|declare|mapfile): not found|Bad substitution",
            r"^(?:/bin/)?sh: [^\n]{0,80}(?:Syntax error: \"\(\" unexpected|redirection unexpected)",
        ),
        answers.other_shell,
    ),
    Row(
        Kind.MISSING_COMMAND,
        (
            rf"{_SHELL}{_NAME}: (?:command )?not found$",
            rf"command not found: {_NAME}$",
            rf"env: ['\"\u2018]?{_NAME}['\"\u2019]?: No such file or directory",
        ),
        answers.command,
    ),
    Row(
        Kind.MISSING_MODULE,
        (r"No module named ['\"]?([\w.-]{1,100})",),
        answers.python_module,
    ),
    Row(
        Kind.MISSING_MODULE,
        (r"Cannot find (?:module|package) ['\"]([^'\"\n]{1,200})['\"]",),
        answers.node_module,
    ),
    Row(
        Kind.MISSING_MODULE,
        (r"no required module provides package ([\w./-]{1,200})|missing go\.sum entry",),
        answers.go_module,
    ),
    Row(
        Kind.MISSING_DEPENDENCY,
        (r"npm ci[^\n]{0,200}(?:package-lock|lock ?file)|can only install with an existing package-lock",),
        answers.npm_lock,
    ),
    Row(Kind.MISSING_DEPENDENCY, (r"lock ?file is (?:out of date|outdated|not up)",), answers.LOCK_FILE),
    Row(
        Kind.MISSING_DEPENDENCY,
        (
            r"fatal error: ([\w./+-]{1,100}): No such file",
            r"cannot find -l([\w.+-]{1,60})",
            r"Package ([\w.+-]{1,60}) was not found in the pkg-config",
        ),
        answers.dependency,
    ),
    Row(
        Kind.TESTS,  # they have said what they were asked
        (
            r"FAILED \((?:failures|errors)=\d|^=+ [^\n]{0,60}\d+ (?:failed|error)|^Tests: +\d+ failed",
            r"^test result: FAILED|^--- FAIL:|^\s{0,10}\d+ (?:tests? )?failing$",
        ),
    ),
    Row(
        Kind.PORT,
        (r"[Pp]ort (\d{2,5}) is (?:already )?(?:in use|allocated)|EADDRINUSE|[Aa]ddress already in use",),
        answers.port,
    ),
    Row(
        Kind.BUSY,
        (
            r"index\.lock['\u2019]?: File exists|Text file busy|Resource temporarily unavailable",
            r"database is locked|Could not get lock",
        ),
        answers.BUSY,
    ),
    Row(
        Kind.EXISTS,
        (r"mkdir: (?:cannot create directory )?['\u2018]?([^'\u2019\n:]{1,200})['\u2019]?: File exists",),
        answers.exists,
    ),
    Row(
        Kind.FOLDER,
        (
            r"cannot create ([^\n:]{1,200}): Directory nonexistent",
            r"^(?:cp|mv|install|touch|ln|mkdir|dd): cannot [^\n'\u2018:]{1,60}['\u2018]([^'\u2019\n:]{1,200})['\u2019]"
            r"[^\n:]{0,40}: No such file or directory",
            r"^tee: ([^\n:]{1,200}): No such file or directory",
        ),
        answers.folder,
    ),
    Row(
        Kind.WRONG_PLACE,
        (
            r"can't cd to ([^\n]{1,200})|cd: ([^\n:]{1,200}): No such file",
            r"not a git repository|No rule to make target|No targets specified and no makefile",
            r"Could not read package\.json|could not find `Cargo\.toml`|go\.mod file not found",
        ),
        answers.wrong_place,
    ),
    Row(Kind.PERMISSION, (rf"{_SHELL}{_NAME}: Permission denied$",), answers.not_executable),
    Row(
        Kind.PERMISSION,
        (r"Permission denied|EACCES|EPERM|Operation not permitted|Read-only file system",),
        answers.PERMISSION,
    ),
    Row(
        Kind.NETWORK,
        (
            r"(Could not resolve host|Temporary failure in name resolution|Name or service not known)",
            r"(Network is unreachable|Connection (?:refused|reset|timed out)|TLS handshake timeout)",
            r"\b(EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNRESET|ECONNREFUSED)\b",
        ),
        answers.network,
    ),
    Row(
        Kind.SYNTAX,
        (
            r"SyntaxError|[Ss]yntax error|unexpected EOF while looking|[Uu]nterminated quoted string",
            r"IndentationError|ParseError",
        ),
        answers.SYNTAX,
    ),
)


def diagnose(failure: Failure, around: Surroundings) -> Diagnosis:
    """Why a command failed and what could be done."""
    output = failure.output[-TAIL:]
    if failure.how.startswith("timed out"):
        return Diagnosis(Kind.TIMEOUT, proposals=(answers.TIMEOUT,))
    for row in ROWS:
        match = _found(row, output)
        if match is not None:
            return _answered(row, Case(_subject(match), failure, around))
    if failure.how in ("exit status 137", "killed by SIGKILL"):
        return Diagnosis(Kind.MEMORY, proposals=(answers.MEMORY,))
    return Diagnosis(Kind.UNKNOWN, _signature(Kind.UNKNOWN, _last_words(output)))


def _found(row: Row, output: str) -> re.Match[str] | None:
    found = (re.search(pattern, output, re.MULTILINE) for pattern in row.patterns)
    return next((match for match in found if match), None)


def _subject(match: re.Match[str]) -> str:
    """What the output names, if it names anything."""
    return next((group.strip() for group in match.groups() if group), "")


def _answered(row: Row, case: Case) -> Diagnosis:
    answer, signature = row.answer, _signature(row.kind, case.what)
    if answer is None:
        return Diagnosis(row.kind, signature)
    proposals = (answer,) if isinstance(answer, Proposal) else answer(case)
    return Diagnosis(row.kind, signature, proposals)


def _signature(kind: Kind, subject: str) -> str:
    plain = " ".join(re.sub(r"[0-9]+", "0", subject).split())[:200]
    return "" if kind is Kind.UNKNOWN and not plain else f"{kind}: {plain}"


def _last_words(output: str) -> str:
    """The last line that says something, without what differs from one place to the next."""
    lines = [line for line in output.splitlines()[-50:] if line.strip()]
    return re.sub(r"(?:/[\w.@+-]{1,100}){2,20}", "PATH", lines[-1][:500]) if lines else ""
