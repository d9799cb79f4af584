"""A plan as a file that travels: whole, with the texts as they were read, and known by its digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.errors import SpinneyError, UserError
from shared.files import read_bounded, replace_file
from shared.model import Identity, Oid, Plan

FORMAT = 1
_LARGEST = 64 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class PlanFile:
    plan: Plan
    base: Oid
    made: float  # seconds since the epoch
    digest: str  # SHA-256 of the rest, in hexadecimal
    fresh: bool = False  # begin anew where there is a branch already
    go_on: bool = False  # go on with it, even where it is in review
    identity: Identity | None = None  # author and committer of all that the jobs commit; None in older files


def write(
    path: Path, plan: Plan, base: Oid, made: float, *, fresh: bool = False, go_on: bool = False,
    identity: Identity | None = None,
) -> PlanFile:  # fmt: skip
    """Its folder is made where there is none. Raises UserError where the file cannot be written."""
    how = {"fresh": fresh, "go_on": go_on, "identity": asdict(identity) if identity else None}
    content: dict[str, Any] = {
        "format": FORMAT,
        "base": base,
        "made": round(made, 3),
        **how,
        "plan": asdict(plan),
    }
    digest = _digest(content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps({"digest": digest, **content}, indent=1) + "\n")
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}",
            "name another file, in a folder of yours: --out FILE",
        ) from None
    return PlanFile(plan, base, content["made"], digest, fresh, go_on, identity)


def read(path: Path, digest: str = "") -> PlanFile:
    """The plan in ``path``, which must be the one that ``digest`` names where that is given. Raises UserError."""
    hint = "make one: spinney plan … --github-matrix --out plan.json"
    try:
        content: Any = json.loads(read_bounded(path, _LARGEST))
    except SpinneyError as error:
        raise UserError(error.message, hint) from None
    except ValueError:
        raise UserError(f"{path} is not a plan: it is not JSON", hint) from None
    if not isinstance(content, dict) or "plan" not in content:
        raise UserError(f"{path} is not a plan", hint)
    if content.get("format") != FORMAT:
        raise UserError(
            f"{path} has the format {content.get('format')!r}, and this version of Spinney reads {FORMAT}",
            "use one version for all steps",
        )
    named = content.pop("digest", "")
    found = _digest(content)
    if named != found or (digest and digest != found):
        raise UserError(
            f"{path} is not the plan that was made: its digest is {found[:12]}, not {(digest or str(named))[:12]}",
            "plan again, and change nothing in the file",
        )
    try:
        plan = TypeAdapter(Plan).validate_json(json.dumps(content["plan"]))
        identity = TypeAdapter(Identity | None).validate_python(content.get("identity"))
        how = (bool(content["fresh"]), bool(content["go_on"]), identity)
        return PlanFile(plan, Oid(str(content["base"])), float(content["made"]), found, *how)
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a plan that this version reads: {error}", hint) from None


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
