"""Arguments sorted into options and operands, by what a program is known to accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from workflow_manager.commands.syntax import Unclear, Word


@dataclass(frozen=True, slots=True)
class Spec:
    """What is known about a program's options.

    ``options`` names them, separated by blanks: ``-n:`` has a value, ``-o:w`` one that is a file to write, ``-f:r``
    one to read, ``-x!`` makes the program do what cannot be told; all others change nothing about files.
    ``strict``: an option that is not named cannot be told. Otherwise every option that matters is named.
    """

    options: str = ""
    strict: bool = False
    needs: str = ""  # at least one of these options must be there
    single: bool = False  # options of one dash are whole words
    stop: bool = False  # the first operand ends the options
    skip: int = 0  # operands before those that are files ...
    unless: str = ""  # ... unless one of these options is there
    default: str = ""  # read where no operand is a file


@dataclass(frozen=True, slots=True)
class Arguments:
    options: tuple[tuple[str, str, Word | None], ...]  # name, role, value
    operands: tuple[Word, ...]

    def has(self, names: str) -> bool:
        return any(name in names.split() for name, _, _ in self.options)

    def values(self, names: str) -> list[Word]:
        return [value for name, _, value in self.options if value is not None and name in names.split()]


@lru_cache(maxsize=512)
def _roles(options: str) -> dict[str, str]:
    roles = {}
    for entry in options.split():
        if entry.endswith("!"):
            roles[entry[:-1]] = "!"
        else:
            name, colon, role = entry.partition(":")
            roles[name] = colon + role
    return roles


def sort_out(program: str, args: Sequence[Word], spec: Spec) -> Arguments:
    """Raises Unclear where an option is not understood, or might be one."""
    return _Sorting(program, list(args), spec).arguments()


class _Sorting:
    def __init__(self, program: str, args: list[Word], spec: Spec) -> None:
        self._program, self._args, self._spec = program, args, spec
        self._roles = _roles(spec.options)
        self._careful = spec.strict or any(role in (":w", "!") for role in self._roles.values())
        self._found: list[tuple[str, str, Word | None]] = []
        self._operands: list[Word] = []

    def arguments(self) -> Arguments:
        while self._args:
            word = self._args.pop(0)
            if (word.text == "--" and word.known) or (self._spec.stop and self._operands):
                self._operands += [word, *self._args] if self._operands and self._spec.stop else self._args
                break
            if not word.known and not word.text.strip("-"):
                if self._careful or word.text:
                    raise Unclear(f"gives `{self._program}` options that cannot be told")
                self._operands.append(word)
            elif word.text.startswith("--"):
                self._long(word)
            elif word.text.startswith("-") and word.text != "-":
                self._short(word)
            else:
                self._operands.append(word)
        if self._spec.needs and not any(name in self._spec.needs.split() for name, _, _ in self._found):
            raise Unclear(f"runs `{self._program}`, and what that changes cannot be told")
        return Arguments(tuple(self._found), tuple(self._operands))

    def _long(self, word: Word) -> None:
        name, equals, value = word.text.partition("=")
        if not word.known and not equals:
            raise Unclear(f"gives `{self._program}` options that cannot be told")
        role = self._role(name)
        if equals:
            self._add(name, role, replace(word, text=value))
        else:
            self._add(name, role, self._next(name) if role.startswith(":") else None)

    def _short(self, word: Word) -> None:
        if not word.known:
            raise Unclear(f"gives `{self._program}` options that cannot be told")
        if self._spec.single:
            self._long(word)
            return
        if word.text[1:].isdigit():
            return  # a number, as of lines
        for index, letter in enumerate(word.text[1:], 2):
            name = "-" + letter
            role = self._role(name)
            if role.startswith(":"):
                rest = word.text[index:]
                self._add(name, role, replace(word, text=rest) if rest else self._next(name))
                return
            self._add(name, role, None)

    def _role(self, name: str) -> str:
        if name in self._roles:
            return self._roles[name]
        if name.startswith("--"):  # long options may be shortened
            for known, role in self._roles.items():
                if known.startswith(name) and role != "":
                    return role
        if self._spec.strict:
            raise Unclear(f"gives `{self._program}` the option {name}, and what that does cannot be told")
        return ""

    def _next(self, name: str) -> Word:
        if not self._args:
            raise Unclear(f"gives `{self._program}` nothing after {name}")
        return self._args.pop(0)

    def _add(self, name: str, role: str, value: Word | None) -> None:
        if role == "!":
            raise Unclear(f"gives `{self._program}` the option {name}, and what that does cannot be told")
        self._found.append((name, role, value))
