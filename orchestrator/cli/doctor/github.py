"""Whether we could work on GitHub. Asks it, and changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator.cli.doctor.checks import Check

if TYPE_CHECKING:
    from orchestrator.composition.permissions import Examined, Right
    from orchestrator.runs import Place

_FEW = 200  # requests left; a batch of a dozen issues takes about eighty


def github(place: Place, keys: Mapping[str, str]) -> Iterator[Check]:
    from orchestrator.cli.session import waits
    from orchestrator.composition.permissions import examine
    from orchestrator.intake.reader import configured

    found = examine(place, configured(place.checkout), keys, waits())
    yield Check("ok", "github", f"{found.repository} at {found.host}, default branch {found.default_branch}")
    for note in found.notes:
        yield Check("warn", "github", note)
    role = f", who has the role {found.role} there" if found.role else ""
    yield Check("ok", "token", f"speaks for {found.login or 'an account that is not told'}{role}")
    yield from (_right(right) for right in found.rights)
    yield from _limits(found)
    yield _drafts(found)
    if found.protected:
        yield Check(
            "ok", "default branch", f"{found.default_branch} is protected: runs land by pull requests only"
        )
    else:
        hint = "Settings → Rules: require a pull request and your checks before anything is merged"
        detail = f"{found.default_branch} is not protected: whoever may write can push to it"
        yield Check("warn", "default branch", detail, (hint,))


def _right(right: Right) -> Check:
    if right.has:
        return Check("ok", "permission", f"{right.name}, {right.what_for}")
    if right.has is None:
        return Check(
            "warn", "permission", f"{right.name}, {right.what_for}: it could not be found out: {right.said}"
        )
    name, _, kind = right.name.partition(": ")
    hints = (
        f"a token of yours: give it {right.name!r} in its settings, or the scope `repo` to a classic one",
        f"a workflow: permissions: {{{name.lower().replace(' ', '-').replace('commit-', '')}: {kind}}}",
    )
    vital = kind == "write" and name != "Commit statuses"
    detail = f"{right.name} is missing, {right.what_for}; GitHub says: {right.said}"
    return Check("fail" if vital else "warn", "permission", detail, hints)


def _limits(found: Examined) -> Iterator[Check]:
    for kind, (left, whole) in found.limits.items():
        few = left < min(_FEW, whole // 2)
        hints = ("it is filled up within the hour; a run waits for that",) if few else ()
        yield Check(
            "warn" if few else "ok", "limit", f"{kind}: {left:,} of {whole:,} requests are left", hints
        )


def _drafts(found: Examined) -> Check:
    if not found.private:
        return Check("ok", "drafts", "pull requests can be opened as drafts")
    return Check(
        "ok",
        "drafts",
        "a private repository has them by its plan; where it has none, pull requests are ordinary",
    )
