from __future__ import annotations

import json
import time
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tokens import estimate
from workflow_manager.context.compression import Kind, compress, gist

KINDS: tuple[Kind, ...] = get_args(Kind)

TASK = """# Sign-in

People ask for it since spring. It came up again last week, and nobody could remember why it was dropped.

## What is wanted

Users sign in with an address and a password; the form is the one we have. A session must end after 12 hours.
The colours are as everywhere else. Passwords are never logged.

- [ ] A form with both fields
- [x] A table of users
1. Start with the form. It is the smallest part.

> Please do not use the old module. It should be removed some day.

| what | aim |
|---|---|
| answer | < 200 ms |
| mood | good |

```python
def sign_in(email, password):
    user = find(email)
    if user is None:
        raise Refused
    return Session(user)
```

That is all for now.
"""


def test_key_requirements_are_what_a_text_demands() -> None:
    assert compress(TASK, "task") == (
        """# Sign-in
People ask for it since spring.
## What is wanted
A session must end after 12 hours.
Passwords are never logged.
- [ ] A form with both fields
- [x] A table of users
1. Start with the form. It is the smallest part.
Please do not use the old module. It should be removed some day.
| what | aim |
| answer | < 200 ms |
def sign_in(email, password):
    user = find(email)
…
"""
    )


def test_long_list_item_keeps_its_first_sentence_and_its_demands() -> None:
    item = "- The form has two fields. " + "It looks nice. " * 30 + "It must work without a mouse."
    assert compress(f"{item}\n", "task") == "- The form has two fields. It must work without a mouse.\n"


DESIGN = """# Accounts

The module keeps users. It grew over the years and has seen several owners.

## Interfaces

`POST /sign-in` answers 303. Its body is a form.

```typescript
export interface Session { id: string }
const LIMIT = 5;
export async function signIn(email: string): Promise<Session> {
  return find(email);
}
```

We chose argon2id instead of bcrypt. The package is there already.

| table | columns |
|-------|:-------:|
| users | id, email |
"""


def test_interfaces_are_what_a_design_offers_and_decides() -> None:
    assert compress(DESIGN, "output") == (
        """# Accounts
## Interfaces
`POST /sign-in` answers 303. Its body is a form.
export interface Session { id: string }
export async function signIn(email: string): Promise<Session> {
…
We chose argon2id instead of bcrypt.
| table | columns |
"""
    )


OUTPUT: dict[str, Any] = {
    "summary": "The form is there. It took a while, because the templates are made by hand in web/forms.py.",
    "next_steps": ["Limit the tries by address", "Write the migration", "Tell the others", "Rest"],
    "warnings": [],
    "verdict": "approve",
    "design": "Some words first. Nothing that matters to others.\nGET /session returns who it is.\n"
    "We decided to keep sessions in a table. The table is small.",
    "fallbacks": {"make test": "pytest"},
    "count": 3,
}


def test_output_file_is_a_list_of_its_entries_in_short() -> None:
    assert compress(json.dumps(OUTPUT, indent=2), "output") == (
        """- summary: The form is there.
- next_steps: Limit the tries by address; Write the migration; Tell the others; and 1 more
- verdict: approve
- design: Some words first.
  GET /session returns who it is.
  We decided to keep sessions in a table.
- fallbacks: make test = pytest
- count: 3
"""
    )


def test_decisions_are_their_first_sentences() -> None:
    decisions = {"storage": "sqlite. " + "It is there already. " * 5, "layers": ["ui", "core", "data", "ops"]}
    assert compress(json.dumps(decisions, indent=2), "decisions") == (
        "- storage: sqlite.\n- layers: ui; core; data; and 1 more\n"
    )


def test_artifacts_are_counted_by_folder() -> None:
    paths = [*(f"src/accounts/part_{number}.py" for number in range(8)), "README.md"]
    assert compress(json.dumps(paths, indent=2), "artifacts") == (
        "- src/accounts/: part_0.py; part_1.py; part_2.py; and 5 more\n- ./: README.md\n"
    )


def test_last_ten_events_are_kept() -> None:
    events = "".join(f"- event {number}\n" for number in range(25))
    assert compress(events, "events") == "".join(f"- event {number}\n" for number in range(15, 25))


def test_short_text_stays_as_it_is() -> None:
    assert compress("It hangs.", "task") == "It hangs."
    assert compress('["a.py"]', "artifacts") == '["a.py"]'


def test_gist_is_the_beginning_of_the_shorter_form() -> None:
    short = gist(json.dumps(OUTPUT, indent=2), "output")
    assert short == (
        "- summary: The form is there.\n"
        "- next_steps: Limit the tries by address; Write the migration; Tell the others; and 1 more\n"
        "- verdict: approve\n"
        "- design: Some words first.\n"
        "  GET /session returns who it i…\n"
    )
    assert estimate(short) < 70


BROKEN = st.sampled_from(
    [
        '{"summary": "\\ud800"}',
        '{"a": ' * 3000,
        "[" * 100_000,
        '{"summary": ' + "9" * 5000 + "}",
        '{"summary": NaN, "": {"": [null, {}]}}',
        "```\n```\n~~~",
        "|-|\n|-|",
        "- " * 500,
        "\x00\x1b[31m",
    ]
)
MARKDOWN = st.lists(
    st.sampled_from(
        ["# A", "- b", "1. c must", "```", "def f():", "| a | b |", "|---|", "", "Word. Word; x", ">"]
    )
).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6),
    max_leaves=30,
).map(json.dumps)
TEXTS = st.text() | BROKEN | MARKDOWN | JSON


@given(TEXTS, st.sampled_from(KINDS))
def test_shorter_form_is_never_larger(text: str, kind: Kind) -> None:
    short, shortest = compress(text, kind), gist(text, kind)
    assert len(shortest) <= len(short) <= len(text)
    assert estimate(shortest) <= estimate(short) <= estimate(text)


@given(TEXTS, st.sampled_from(KINDS))
def test_shorter_form_is_the_same_every_time(text: str, kind: Kind) -> None:
    assert compress(text, kind) == compress(text, kind)
    assert gist(text, kind) == gist(text, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "piece",
    ["a", " ", "- ", "|-", "`", "```\n", "#", "(", "1", "GET ", "a(", "must ", ". ", "\n", '{"a":', "[", "def ",
     "export ", "x(y", "1.1.", "<", "at ", "|", "> ", "a|b\n|-\n", "- [ ] "],
)  # fmt: skip
def test_time_grows_with_the_text_and_not_faster(piece: str, kind: Kind) -> None:
    text = piece * (64 * 1024 // len(piece))
    start = time.perf_counter()
    compress(text, kind)
    assert time.perf_counter() - start < 0.5  # 50 ms on a quiet machine; minutes where it is quadratic
