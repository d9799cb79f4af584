"""What a whole command reads and writes, and how it changes the shell for those after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workflow_manager.commands import known, programs
from workflow_manager.commands.syntax import Redirect, Simple, Unclear, Word
from workflow_manager.commands.touching import Effects, Touching
from workflow_manager.commands.variables import assigned, refuse_misleading
from workflow_manager.commands.words import parse

_LONGEST = 65_536  # characters of a command that is looked at
_BEFORE = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"})
_AFTER = frozenset({"fi", "done", "}"})
_NOT_FOLLOWED = frozenset({"case", "esac", "function", "select", "[["})
_SHELLS = frozenset({"sh", "bash", "dash"})
_NESTED = 4  # levels of ``sh -c``


@dataclass(frozen=True, slots=True)
class Understood:
    """A command's effects, and what it leaves to those after it in a list."""

    effects: Effects
    changes_shell: bool = False  # and does nothing else
    folders: tuple[str, ...] = ()  # where the shell is then
    repeatable: bool = False  # doing it again in another shell leaves the same there and no trace elsewhere


def understand(command: str, root: str, folders: tuple[str, ...]) -> Understood:
    """What ``command`` does that starts in one of ``folders``, all in or around the tree at ``root``."""
    try:
        if len(command) > _LONGEST:
            raise Unclear("is too long to be looked at")
        simples = parse(command)
    except Unclear as unclear:
        return Understood(Effects(unclear=str(unclear)))
    state = _only_changes_shell(simples)
    touching = Touching(root, folders, surely=_runs_in_order(simples))
    try:
        if simples and all(_program(simple) == "sleep" for simple in simples):
            raise Unclear("only waits")
        _Walk(touching).through(simples)
    except Unclear as unclear:
        return Understood(Effects(unclear=str(unclear)), state, folders)
    effects = touching.effects()
    runs = any(word.inner for simple in simples for word in simple.words)
    return Understood(
        effects, state, touching.folders, state and not runs and not effects.writes | effects.makes
    )


def _program(simple: Simple) -> str | None:
    """The program's name as it is written; None where there are only assignments or redirections."""
    return next((word.text for word in simple.words if not assigned(word)), None)


def _only_changes_shell(simples: Sequence[Simple]) -> bool:
    """Whether it is nothing but ``cd``, variables and the like, so that it is there for later commands."""

    def state(simple: Simple) -> bool:
        program = _program(simple)
        return program in known.STATE or (program is None and bool(simple.words))

    return bool(simples) and all(state(simple) and simple.joined in ("", ";", "&&") for simple in simples)


def _runs_in_order(simples: Sequence[Simple]) -> bool:
    """Whether each part runs, or none after it that relies on it."""
    joined = {simple.joined for simple in simples} - {"", "|"}
    unsure = any(word.inner for simple in simples for word in simple.words)
    unsure |= any(word.text in _BEFORE | _SHELLS for simple in simples for word in simple.words)
    return not unsure and (joined <= {"&&"} or joined <= {";"})


class _Walk:
    def __init__(self, touching: Touching, nested: int = 0) -> None:
        self._touching, self._nested = touching, nested

    def through(self, simples: Sequence[Simple]) -> None:
        """Part after part, with every folder in mind in which one can be by then."""
        touching, before = self._touching, ""
        seen = touching.folders
        for simple in simples:
            went = self._part(simple)
            surely = simple.joined in ("&&", "") and before in ("&&", ";", "")
            touching.be_in(went if went and surely else (*touching.folders, *went))
            seen = tuple(dict.fromkeys((*seen, *touching.folders)))
            if simple.joined not in ("&&", ""):
                touching.be_in(seen)
            before = simple.joined

    def _part(self, simple: Simple) -> tuple[str, ...]:
        """Add what one program does; the folders it goes to, if it is ``cd``."""
        for word in (*simple.words, *(redirect.target for redirect in simple.redirects)):
            self._expand(word)
        for redirect in simple.redirects:
            self._redirect(redirect)
        words = list(simple.words)
        while words and words[0].bare and words[0].text in _BEFORE:
            words.pop(0)
        while words and (name := assigned(words[0])):
            refuse_misleading(name)
            words.pop(0)
        if not words or (words[0].bare and words[0].text in _AFTER | {"for"}):
            return ()
        if words[0].bare and words[0].text in _NOT_FOLLOWED:
            raise Unclear("is more than a list of commands")
        if words[0].text == "cd":
            return self._go([word for word in words[1:] if word.text not in ("-P", "-L", "--")])
        if words[0].text in _SHELLS:
            self._shell(words[0].text, words[1:])
        else:
            programs.apply(words, self._touching)
        return ()

    def _expand(self, word: Word) -> None:
        if word.inner:
            folders = self._touching.folders
            self.through(word.inner)
            self._touching.be_in(folders)
        if word.pattern:
            self._touching.read(word)

    def _redirect(self, redirect: Redirect) -> None:
        operator, target = redirect.operator, redirect.target
        if operator in ("<", "<>"):
            self._touching.read(target)
        if operator in (">", ">>", ">|", "<>"):
            self._touching.write(target)
        if operator == ">&" and not (target.known and re.fullmatch(r"[0-9]+|-", target.text)):
            self._touching.write(target)

    def _go(self, args: Sequence[Word]) -> tuple[str, ...]:
        if len(args) != 1:
            raise Unclear("goes to a folder that cannot be told")
        return self._touching.enter(args[0])

    def _shell(self, program: str, args: Sequence[Word]) -> None:
        """``sh -c`` with a command that can be read is that command."""
        direct = len(args) > 1 and re.fullmatch(r"-[eux]{0,3}c", args[0].text)
        if not direct or not args[1].known or self._nested >= _NESTED:
            raise Unclear(f"runs `{program}`, and what that changes cannot be told")
        folders = self._touching.folders
        _Walk(self._touching, self._nested + 1).through(parse(args[1].text))
        self._touching.be_in(folders)
