"""What there is to know of a coding program: how it is started, told what to do, heard and stopped. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Output = Literal["claude", "lines", "object", "text"]
Speaks = Literal["anthropic", "openai", "google"]
Permissions = Literal["claude", "none"]
_NAME = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Definition:
    """One coding program.

    Filled in, in arguments and variables: ``{model}``, ``{steps}``, ``{prompt}``, ``{prompt_file}``, ``{session_id}``,
    ``{home}``, ``{gateway}`` (its address), ``{token}`` (for it), ``{patience}`` and ``{patience_ms}`` (how long to
    wait for an answer); as arguments of their own ``{session}`` and ``{permissions}``.
    """

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    files: tuple[
        tuple[str, str], ...
    ] = ()  # what its home has at first, ``{identity}`` filled in: (path, text)
    new: tuple[str, ...] = ()  # what ``{session}`` stands for the first time
    again: tuple[str, ...] = ()  # and when there is a session to go on with; empty: it cannot
    session: str = ""  # a file in its home, as a glob, that is there once there is a session
    permissions: Permissions = "none"  # how it is told what it may do; else the sandbox alone holds it
    output: Output = "text"
    says: tuple[
        str, ...
    ] = ()  # where its words are, in the JSON that it prints; the last ones are its summary
    fails: tuple[str, ...] = ()  # where it says what went wrong
    status: str = ""  # where it says which HTTP status that was
    speaks: Speaks = "anthropic"  # the interface to models that it needs
    interrupt: bool = True  # it says what it has done when it gets SIGINT
    version: tuple[str, ...] = ("--version",)  # arguments that make it say its version
    oldest: str = ""  # the oldest version that is known to work
    install: str = ""  # a command

    @property
    def program(self) -> str:
        return self.command[0]

    @property
    def reads_prompt(self) -> bool:
        """Whether it is told what to do on its standard input."""
        return not any("{prompt}" in word or "{prompt_file}" in word for word in self.command)


@dataclass(frozen=True, slots=True)
class Filling:
    """What stands for ``{model}`` and so on, and for ``{session}`` and ``{permissions}``, which are several words."""

    words: Mapping[str, str]
    session: Sequence[str] = ()
    permissions: Sequence[str] = ()

    def text(self, template: str) -> str:
        """``template`` with its words filled in, once: what is filled in is not looked at. Other braces stay."""
        return _NAME.sub(lambda found: self.words.get(found[1], found[0]), template)

    def arguments(self, templates: Sequence[str]) -> list[str]:
        filled: list[str] = []
        for template in templates:
            if template == "{session}":
                filled += [self.text(word) for word in self.session]
            elif template == "{permissions}":
                filled += self.permissions
            else:
                filled.append(self.text(template))
        return filled


def overridden(
    definition: Definition, command: Sequence[str], environment: Sequence[tuple[str, str]], oldest: str
) -> Definition:
    """``definition`` as somebody configured it: one word is where the program is, several are the whole command.

    Whoever writes the whole command has arranged for what it talks to.
    """
    whole = tuple(command) if len(command) > 1 else (*command, *definition.command[1:])
    return replace(
        definition,
        command=whole if command else definition.command,
        environment=(*definition.environment, *environment),
        oldest=oldest or definition.oldest,
        speaks="anthropic" if len(command) > 1 else definition.speaks,
    )
