from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tokens import estimate

# Counted once by three public vocabularies, of 65,000, 100,000 and 200,000 entries.
COUNTED = {
    "prose": (
        "Users must be able to sign in with an email address and a password."
        " At most five tries in ten minutes are allowed for each address.",
        (28, 28, 28),
    ),
    "markdown": (
        "## Sign-in\n\n- [ ] A form with both fields\n- [ ] Passwords are hashed with `argon2id`\n\n"
        "| what | aim |\n|---|---|\n| start | < 30 ms |\n",
        (47, 44, 44),
    ),
    "json": (
        '{"summary": "The login form is there", "next_steps": ["Deploy it"], "warnings": [],'
        ' "verdict": "approve"}',
        (30, 29, 29),
    ),
    "code": (
        "def find(self, email: str) -> User | None:\n"
        "    return next((user for user in self._users if user.email == email.lower()), None)\n",
        (37, 33, 33),
    ),
    "paths": (
        "`.tasks/SECURITY_AUDITOR/note.md`, `.tasks/manifest.json`, `workflow_manager/task_files.py`,"
        " `tests/unit/test_tokens.py`",
        (41, 31, 32),
    ),
    "numbers": ("1, 22, 333, 4444, 55555, 2023-11-14T22:13:20.000Z, 3.14159", (32, 38, 38)),
    "digests": (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 c6be6de25ed4",
        (43, 43, 43),
    ),
    "an encoded block": (
        "dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyBhbmQgcnVucyBhd2F5IGZyb20gdGhlIGh1bnRlcnM=",
        (63, 72, 67),
    ),
    "capitals": (
        "RESEARCHER_LOCAL PLANNER TEST_MASTER SECURITY_AUDITOR IMPLEMENTER DEV_CORE_SYSTEMS",
        (25, 17, 18),
    ),
}
OTHER_SCRIPTS = {
    "Chinese": ("登录页面在多个用户同时输入凭据时会卡住。请修复此问题并添加测试。", (26, 27, 23)),
    "Russian": ("Страница входа зависает, когда несколько пользователей вводят данные.", (30, 24, 14)),
    "Hindi": ("जब कई उपयोगकर्ता एक साथ अपनी जानकारी दर्ज करते हैं तो पृष्ठ रुक जाता है।", (81, 76, 19)),
    "emoji": ("✅ done 🚀 ship 🔥 → ⚠️ 🧪", (18, 17, 14)),
}


@pytest.mark.parametrize("kind", COUNTED)
def test_estimate_is_a_little_above_what_vocabularies_count(kind: str) -> None:
    text, counted = COUNTED[kind]
    assert 0.95 * max(counted) <= estimate(text) <= 1.6 * max(counted)


@pytest.mark.parametrize("script", OTHER_SCRIPTS)
def test_other_scripts_are_not_taken_for_free(script: str) -> None:
    text, counted = OTHER_SCRIPTS[script]
    assert max(counted) <= estimate(text) <= 2.1 * max(counted)


def test_no_text_has_no_tokens() -> None:
    assert estimate("") == 0
    assert estimate("   ") == 0


@given(st.text())
def test_every_text_has_tokens_but_not_more_than_three_a_character(text: str) -> None:
    assert (1 if text.strip() else 0) <= estimate(text) <= 3 * len(text)


@given(st.text(), st.text())
def test_a_line_more_is_not_fewer_tokens(text: str, more: str) -> None:
    assert estimate(f"{text}\n{more}") >= max(estimate(text), estimate(more))


@pytest.mark.parametrize("piece", ["a", "aB", " 1", "\n \t", "€", "A1", "a" * 63 + " ", "é", "\ud800"])
def test_time_grows_with_the_text_and_not_faster(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))
    start = time.perf_counter()
    estimate(text)
    assert (
        time.perf_counter() - start < 0.5
    )  # a tenth of that on a quiet machine; minutes where it is quadratic
