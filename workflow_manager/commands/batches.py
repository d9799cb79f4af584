"""A list of commands in batches: what may run at the same time, and why the rest may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from shared.errors import UserError
from shared.text import first_sentence
from workflow_manager.commands.conflicts import Footprint
from workflow_manager.commands.effects import understand
from workflow_manager.commands.paths import Paths, pattern_length, widened
from workflow_manager.commands.touching import Effects

MOST_COMMANDS = 1000
_MOST_PATTERN_TEXT = 1000  # characters; with more, patterns count as the folders in which they begin
_MOST_LINKS = 32

Links = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Dependency:
    """``command``, a number from 1, comes first, because of ``reason``."""

    command: int
    reason: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a list. ``batch`` is 0 for one that only changes the shell of those after it."""

    number: int  # from 1, in the list
    text: str
    before: tuple[str, ...] = ()  # commands that change its shell first
    rest: str = ""  # a script for this command and all after it, where only one shell can run them
    batch: int = 0
    needs: tuple[Dependency, ...] = ()

    def script(self, text: str = "") -> str:
        """The command, or ``text`` in its place, with what comes before it: all of it for one shell."""
        return "".join(f"{{ {before}\n}} || exit\n" for before in self.before) + (
            text or self.rest or self.text
        )


@dataclass(frozen=True, slots=True)
class Batches:
    """Commands in the order of their list, and the same in batches that run one after the other."""

    commands: tuple[Command, ...]
    batches: tuple[tuple[Command, ...], ...]
    touched: frozenset[str]  # absolute paths, for whoever looks for links among them


def in_batches(commands: Sequence[str], root: str, links: Links = ()) -> Batches:
    """Order ``commands``, which run in the folder ``root``, an absolute path.

    ``links`` are symbolic links that are there already, each with where it leads, both absolute. A command that
    only changes the shell, such as ``cd``, is repeated in front of each later one; where it would not be the same
    again, as with ``export X=$(mktemp)``, the rest of the list runs in one shell. Raises UserError for a list that
    is too long.
    """
    if len(commands) > MOST_COMMANDS:
        raise UserError(
            f"a list of {len(commands):,} commands is too long: {MOST_COMMANDS:,} can be put in order",
            "put some of them into a script",
        )
    root = "/" + root.strip("/")
    read, effects = _read(commands, root)
    running = [place for place, command in enumerate(read) if command.batch]
    complete = _completed([effects[place] for place in running], frozenset(links))
    feet = [Footprint(read[place].number, e, root) for place, e in zip(running, complete, strict=True)]
    placed = _placed([read[place] for place in running], feet)
    shell = [command for command in read if not command.batch]
    last = max((command.batch for command in placed), default=0)
    return Batches(
        tuple(sorted([*placed, *shell], key=lambda command: command.number)),
        tuple(tuple(c for c in placed if c.batch == number) for number in range(1, last + 1)),
        frozenset().union(*(effect.reads | effect.writes | effect.makes for effect in effects)),
    )


def _read(commands: Sequence[str], root: str) -> tuple[list[Command], list[Effects]]:
    """Every command with its effects, those of what changed its shell included."""
    read, effects = [], []
    folders: tuple[str, ...] = (root,)
    before: list[str] = []
    shell = Effects()
    for number, text in enumerate(commands, 1):
        understood = understand(text, root, folders)
        command = Command(number, text, tuple(before), batch=1)
        last = number == len(commands)
        if understood.changes_shell and understood.repeatable and not last:
            before.append(text)
            folders, shell = understood.folders, shell | understood.effects
            command = replace(command, batch=0)
        elif understood.changes_shell and not last:
            read.append(replace(command, rest=_in_one_shell(commands[number - 1 :], number)))
            effects.append(
                Effects(unclear="changes the shell for all after it in a way that cannot be repeated")
            )
            break
        read.append(command)
        effects.append(shell | understood.effects)
    return read, effects


def _in_one_shell(commands: Sequence[str], first: int) -> str:
    """A script that runs ``commands`` in order, each for itself unless it only changes the shell."""
    lines = []
    for number, text in enumerate(commands, first):
        state = understand(text, "/", ("/",)).changes_shell
        failed = f"{{ status=$?; echo 'command {number} failed' >&2; exit $status; }}"
        lines.append(f"eval {quote(text)} || {failed}" if state else f"( eval {quote(text)} ) || {failed}")
    return "\n".join(lines)


def _completed(effects: Sequence[Effects], links: frozenset[tuple[str, str]]) -> list[Effects]:
    """With links followed, and patterns made plain where there are too many to compare."""
    links = links.union(*(effect.links for effect in effects))
    if len(links) > _MOST_LINKS:
        why = "is in a list with too many links to follow"
        return [replace(effect, unclear=effect.unclear or why) for effect in effects]
    paths = frozenset().union(*(e.reads | e.writes | e.makes for e in effects))
    too_many = sum(map(pattern_length, paths)) > _MOST_PATTERN_TEXT
    ends = [(Paths(frozenset({name})), Paths(frozenset({target}))) for name, target in links]

    def change(paths: frozenset[str]) -> frozenset[str]:
        plain = frozenset(map(widened, paths)) if too_many else paths
        return _through(plain, ends)

    return [_changed(effect, change) for effect in effects]


def _changed(effects: Effects, change: Callable[[frozenset[str]], frozenset[str]]) -> Effects:
    reads, writes, makes = change(effects.reads), change(effects.writes), change(effects.makes)
    return replace(effects, reads=reads, writes=writes, makes=makes)


def _through(paths: frozenset[str], links: Sequence[tuple[Paths, Paths]]) -> frozenset[str]:
    """``paths`` and what they are by another name."""
    for _ in links:
        here = Paths(paths)
        more = {
            path
            for pair in links
            for one, other in (pair, pair[::-1])
            if here.meeting(one)
            for path in other.paths
        }
        if more <= paths:
            break
        paths |= more
    return paths


def _placed(commands: Sequence[Command], feet: Sequence[Footprint]) -> list[Command]:
    """Each command with what it waits for, and in the batch after the last of those."""
    placed: list[Command] = []
    behind: list[int] = []  # for each command a bit for every one that is over before it begins
    barrier = 0  # place of the last command that runs alone: all that matters begins there
    for place, (command, foot) in enumerate(zip(commands, feet, strict=True)):
        needs, over = [], 0
        for other in range(place - 1, barrier - 1, -1):
            if not over >> other & 1 and (reason := foot.follows(feet[other])):
                needs.append(Dependency(commands[other].number, first_sentence(reason, 300)))
                over |= behind[other] | 1 << other
        behind.append(over)
        batch = 1 + max(
            (placed[other].batch for other in range(barrier, place) if over >> other & 1), default=0
        )
        placed.append(replace(command, batch=batch, needs=tuple(reversed(needs))))
        if foot.unclear:
            barrier = place
    return placed
