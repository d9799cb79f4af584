"""What one program does with its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from workflow_manager.commands import known
from workflow_manager.commands.options import Arguments, Spec, sort_out
from workflow_manager.commands.paths import resolve
from workflow_manager.commands.scripts import awk_is_harmless, sed_is_harmless
from workflow_manager.commands.syntax import Unclear, Word
from workflow_manager.commands.touching import Touching
from workflow_manager.commands.variables import assigned, refuse_misleading

_ANYWHERE = ("bin", ".bin")  # folders whose programs are what their names say

Apply = Callable[[str, Sequence[Word], Touching], None]


def apply(words: Sequence[Word], touching: Touching) -> None:
    """Add what the program ``words[0]`` does with the others. Raises Unclear."""
    program = _name(words[0], touching)
    args = words[1:]
    if program in _WRAPPERS:
        apply_rest(_WRAPPERS[program](args), touching)
    elif program in _SPECIAL:
        _SPECIAL[program](program, args, touching)
    elif program in known.HARMLESS:
        return
    elif program in known.READING:
        _reads(program, args, touching)
    elif program in known.WRITING:
        _writes(program, args, touching)
    else:
        _runner(program, args, touching)


def apply_rest(words: Sequence[Word], touching: Touching) -> None:
    """What a wrapper runs; nothing where it has no program."""
    rest = list(words)
    while rest and (name := assigned(rest[0])):
        refuse_misleading(name)
        rest.pop(0)
    if rest:
        apply(rest, touching)


def _name(word: Word, touching: Touching) -> str:
    if not word.known:
        raise Unclear("runs a program that cannot be told")
    folder, slash, name = word.text.rpartition("/")
    if slash:
        if folder.rpartition("/")[2] not in _ANYWHERE:
            raise Unclear(f"runs `{word.text}`, and what that changes cannot be told")
        touching.read(word)
    return "python" if re.fullmatch(r"python3?(\.[0-9]{1,2})?", name) else name


def _given(program: str, args: Sequence[Word], spec: Spec, touching: Touching) -> Arguments:
    """The arguments sorted out, with the files that options name read and written."""
    found = sort_out(program, args, spec)
    for _, role, value in found.options:
        if role == ":r" and value is not None:
            touching.read(value)
        elif role == ":w" and value is not None:
            touching.write(value)
    return found


def _reads(program: str, args: Sequence[Word], touching: Touching) -> None:
    spec = known.READING[program]
    found = _given(program, args, spec, touching)
    files = found.operands if spec.unless and found.has(spec.unless) else found.operands[spec.skip :]
    for word in files:
        touching.read(word)
    recursive = program.endswith("grep") and found.has("-r -R --recursive")
    if not files and (spec.default or recursive):
        touching.read(Word("."))


def _writes(program: str, args: Sequence[Word], touching: Touching) -> None:
    for word in _given(program, args, known.WRITING[program], touching).operands:
        touching.write(word)


def _runner(program: str, args: Sequence[Word], touching: Touching) -> None:
    sub = args[0].text if args and args[0].known else ""
    if sub in known.SET_UP.get(program, ()):
        raise Unclear(f"runs `{f'{program} {sub}'.strip()}`, which sets up what others use")
    two = f"{program} {sub}"
    if two in known.RUNNERS:
        _given(two, args[1:], known.RUNNERS[two], touching)
    elif program in known.RUNNERS:
        _given(program, args, known.RUNNERS[program], touching)
    else:
        shown = two if sub and not sub.startswith(("-", "/", ".")) and len(sub) < 20 else program
        raise Unclear(f"runs `{shown}`, and what that changes cannot be told")
    touching.read_everything()


# --- programs with ways of their own


def _test(_program: str, args: Sequence[Word], touching: Touching) -> None:
    """Only what stands after an operator on files is a file."""
    for before, word in zip(["", *(arg.text for arg in args)], args, strict=False):
        if re.fullmatch(r"-[abcdefghkprsuwxGLNOS]", before) or before in ("-nt", "-ot", "-ef"):
            touching.read(word)
        elif word.text in ("-nt", "-ot", "-ef"):
            touching.read(replace(word, text=before)) if before else touching.read_everything()


def _mkdir(program: str, args: Sequence[Word], touching: Touching) -> None:
    found = _given(program, args, known.MAKING, touching)
    for word in found.operands:
        (touching.make if found.has("-p --parents") else touching.write)(word)


def _copies(program: str, args: Sequence[Word], touching: Touching) -> None:
    found = _given(program, args, known.COPYING[program], touching)
    into = found.values("-t --target-directory")
    sources = found.operands if into else found.operands[:-1]
    for word in sources:
        touching.write(word) if program == "mv" else touching.read(word)
    target = into[0] if into else found.operands[-1] if found.operands else Word("")
    if not into and not (len(sources) > 1 or target.text.endswith("/")):
        touching.write(target)
        return
    for word in sources:
        name = word.text.rstrip("/").rpartition("/")[2]
        inside = word.known and target.known and name not in ("", ".", "..")
        touching.write(replace(target, text=f"{target.text}/{name}") if inside else target)


def _links(program: str, args: Sequence[Word], touching: Touching) -> None:
    """Whoever touches the link touches what it leads to, and the other way round."""
    found = _given(program, args, known.LINKING, touching)
    if len(found.operands) not in (1, 2) or not all(word.known for word in found.operands):
        raise Unclear("makes links that cannot be told")
    target = found.operands[0]
    name = found.operands[1] if len(found.operands) == 2 else Word(target.text.rstrip("/").rpartition("/")[2])
    touching.write(name)
    touching.read(target)
    for path in touching.paths(name):
        if found.has("-s --symbolic"):
            ends = [resolve(target.text, path.rpartition("/")[0]), resolve(target.text, path)]
        else:
            ends = touching.paths(target)
        for end in ends:
            touching.link(path, end)


def _sed(program: str, args: Sequence[Word], touching: Touching) -> None:
    if any(re.match(r"-[A-Za-z]*i.|--in-place=", word.text) for word in args):
        raise Unclear("keeps copies with `sed` that cannot be told")
    found = _given(program, args, known.SED, touching)
    scripts = found.values("-e --expression")
    files = found.operands if scripts else found.operands[1:]
    for word in scripts or found.operands[:1]:
        if not (word.known and word.text and sed_is_harmless(word.text)):
            raise Unclear("has a `sed` script that cannot be followed")
    for word in files:
        touching.write(word) if found.has("-i --in-place") else touching.read(word)


def _awk(program: str, args: Sequence[Word], touching: Touching) -> None:
    found = _given(program, args, known.AWK, touching)
    if not all(word.known and awk_is_harmless(word.text) for word in found.operands[:1]):
        raise Unclear("has an `awk` program that cannot be followed")
    for word in found.operands[1:]:
        touching.read(word)


def _find(program: str, args: Sequence[Word], touching: Touching) -> None:
    found = _given(program, args, known.FIND, touching)
    roots = [word for word in found.operands if word.text not in ("!", "(", ")")] or [Word(".")]
    for word in roots:
        touching.write(word) if found.has("-delete") else touching.read(word)


def _tar(program: str, args: Sequence[Word], touching: Touching) -> None:
    bundled = bool(args) and re.fullmatch(r"[xctzjJvpkhm]*f", args[0].text) is not None
    first = [replace(args[0], text="-" + args[0].text), *args[1:]] if bundled else list(args)
    found = _given(program, first, known.TAR, touching)
    archives, folders = found.values("-f --file"), found.values("-C --directory")
    if len(archives) != 1 or len(folders) > 1:
        raise Unclear("runs `tar`, and what that changes cannot be told")
    folder = folders[0] if folders else Word(".")
    if found.has("-c --create"):
        touching.write(archives[0])
        for word in folders or found.operands:
            touching.read(word)
        return
    touching.read(archives[0])
    if not found.has("-t --list"):
        touching.write(folder)


def _unzip(program: str, args: Sequence[Word], touching: Touching) -> None:
    found = _given(program, args, known.UNZIP, touching)
    for word in found.operands[:1]:
        touching.read(word)
        touching.read(replace(word, text=f"{word.text}.zip"))  # the ending may be left out
    for word in found.values("-d"):
        touching.make(word)
    touching.write((found.values("-d") or [Word(".")])[0])


def _curl(program: str, args: Sequence[Word], touching: Touching) -> None:
    found = _given(program, args, known.CURL, touching)
    for word in found.operands:
        if not word.known or ("://" in word.text and not word.text.startswith("http")):
            touching.read_everything()
    if any("#" in word.text for word in found.values("-o --output")):
        raise Unclear("writes a file whose name cannot be told")
    if found.has("-O --remote-name"):
        touching.write(Word("."))


def _wget(program: str, args: Sequence[Word], touching: Touching) -> None:
    _given(program, args, known.WGET, touching)


def _python(_program: str, args: Sequence[Word], touching: Touching) -> None:
    rest = list(args)
    while rest and rest[0].text in ("-B", "-u"):
        rest.pop(0)
    flags = [word.text for word in rest[:2] if word.known]
    if flags[:1] in (["--version"], ["-V"]):
        return
    if len(flags) < 2 or flags[0] != "-m":
        raise Unclear("runs `python`, and what that changes cannot be told")
    if flags[1] == "venv":
        for word in sort_out("venv", rest[2:], known.VENV).operands:
            touching.make(word)
            touching.write(word)
    else:
        _runner(flags[1], rest[2:], touching)


def _assigns(_program: str, args: Sequence[Word], _touching: Touching) -> None:
    for word in args:
        if not word.known and not assigned(word):
            raise Unclear("sets variables that cannot be told")
        refuse_misleading(assigned(word) or word.text)


def _sources(_program: str, args: Sequence[Word], touching: Touching) -> None:
    if not args or not args[0].known or not args[0].text.endswith("bin/activate"):
        raise Unclear("sources a file, and what that changes cannot be told")
    touching.read(args[0])


# --- programs that run others: each gives the words of what it runs


def _command(args: Sequence[Word]) -> Sequence[Word]:
    return () if args and args[0].text in ("-v", "-V") else args


def _env(args: Sequence[Word]) -> Sequence[Word]:
    if any(word.text.startswith("-") for word in args[:1]):
        raise Unclear("runs `env`, and what that changes cannot be told")
    return args


def _exec(args: Sequence[Word]) -> Sequence[Word]:
    if not args:
        raise Unclear("sends the output of later ones elsewhere")
    return args


def _timeout(args: Sequence[Word]) -> Sequence[Word]:
    return sort_out("timeout", args, known.TIMEOUT).operands[1:]


def _nice(args: Sequence[Word]) -> Sequence[Word]:
    return sort_out("nice", args, known.NICE).operands


_WRAPPERS: dict[str, Callable[[Sequence[Word]], Sequence[Word]]] = {
    "command": _command, "env": _env, "exec": _exec, "nice": _nice, "time": lambda args: args,
    "timeout": _timeout,
}  # fmt: skip
_SPECIAL: dict[str, Apply] = {
    ".": _sources, "source": _sources, "[": _test, "awk": _awk, "cp": _copies, "curl": _curl, "export": _assigns,
    "find": _find, "gawk": _awk, "install": _copies, "ln": _links, "local": _assigns, "mkdir": _mkdir,
    "mv": _copies, "python": _python, "readonly": _assigns, "sed": _sed, "tar": _tar, "test": _test,
    "unzip": _unzip, "wget": _wget,
}  # fmt: skip
