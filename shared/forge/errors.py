"""What every forge may raise beside the kinds in ``shared.errors``."""

from __future__ import annotations

from shared.errors import SpinneyError


class AnswerLost(SpinneyError):
    """Something was asked for that changes the forge, and no answer came: it may or may not have been done."""

    prefix = "forge"
