"""A small made-up project, a batch of ten tasks for it, and what must become of each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from shared.git.sample import make_repository
from shared.model import Identity, TaskStatus

EXPECTED = {
    "readme": TaskStatus.MERGED,
    "license-headers": TaskStatus.MERGED,
    "rounding": TaskStatus.MERGED,
    "rounding-report": TaskStatus.MERGED,
    "currency": TaskStatus.MERGED,
    "currency-report": TaskStatus.MERGED,
    "tabs": TaskStatus.NO_CHANGE,
    "limit-low": TaskStatus.MERGED,
    "limit-high": TaskStatus.CONFLICT,
    "drop-check": TaskStatus.UNMERGED,
}
_AUTHOR = Identity("Spinney Demo", "demo@example.invalid")

_ACCOUNT = '''"""Accounts that never go below zero."""

LIMIT = 1000


class Overdrawn(Exception):
    """More was asked for than there is."""


class Account:
    def __init__(self, balance=0):
        self.balance = balance

    def deposit(self, amount):
        if amount > LIMIT:
            raise ValueError("over the limit")
        self.balance += amount

    def withdraw(self, amount):
        if amount > self.balance:
            raise Overdrawn(amount)
        self.balance -= amount
'''
_REPORT = '''"""Text about accounts."""


def line(name, account):
    return f"{name}: {account.balance}"
'''
_TEST_ACCOUNT = """import unittest

from ledger.account import Account, Overdrawn


class AccountTest(unittest.TestCase):
    def test_a_deposit_is_added(self):
        account = Account(10)
        account.deposit(5)
        self.assertEqual(account.balance, 15)

    def test_nothing_can_be_overdrawn(self):
        with self.assertRaises(Overdrawn):
            Account(10).withdraw(11)
"""
_TEST_REPORT = """import unittest

from ledger.account import Account
from ledger.report import line


class ReportTest(unittest.TestCase):
    def test_a_line_has_name_and_balance(self):
        self.assertEqual(line("Ada", Account(7)), "Ada: 7")
"""


def make_project(folder: Path) -> Path:
    """The project with its history and the batch file beside it; returns the checkout."""
    project = folder / "ledger"
    make_repository(
        project,
        [
            (
                "Begin the ledger",
                {"README.md": "# Ledger\n\nKeeps accounts.\n", ".gitignore": "__pycache__/\n"},
            ),
            ("Add accounts", {"ledger/__init__.py": "", "ledger/account.py": _ACCOUNT}),
            ("Test accounts", {"tests/__init__.py": "", "tests/test_account.py": _TEST_ACCOUNT}),
            ("Report on accounts", {"ledger/report.py": _REPORT, "tests/test_report.py": _TEST_REPORT}),
        ],
        _AUTHOR,
    )
    (folder / "batch.yaml").write_text(files(__package__).joinpath("batch.yaml").read_text())
    return project
