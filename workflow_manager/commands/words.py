"""A shell command taken apart: its simple commands, their words and redirections.

One pass from left to right, linear in the text. What is rare and hard to follow (backquotes, functions, ``case``,
background jobs) raises ``Unclear``: whoever asks then knows nothing about the command, which is always safe.
"""

from __future__ import annotations

import re

from workflow_manager.commands.syntax import Making, Redirect, Simple, Unclear, Word

_DEEPEST = 12  # levels of $(…) that are followed
_PLAIN = re.compile(r"[^ \t\n'\"\\$`|&;()<>*?\[{}#~]+")
_DOUBLE_QUOTED = re.compile(r'[^"\\$`]*')
_DIGITS = re.compile(r"[0-9]{1,9}\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_PARAMETER = re.compile(r"\{[^{}'\"\\`()]*\}")
_ALTERNATIVES = re.compile(r"\{[^{}\s'\"\\$`|&;()<>]*\}")
_OPERATOR = re.compile(r"&&|\|\||;;|\|&|[|&;()\n]")
_REDIRECTION = re.compile(r"<<<|<<-|<<|<>|<&|<|>>|>&|>\||>")


def parse(text: str) -> tuple[Simple, ...]:
    """The simple commands of ``text`` in order. Raises Unclear."""
    return tuple(_Reader(text).commands(nested=False))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self._here: list[tuple[str, bool, bool]] = []  # delimiter, quoted, tabs removed

    def commands(self, *, nested: bool) -> list[Simple]:
        """Up to the end, or to the parenthesis that closes a nested one."""
        found: list[Simple] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        open_groups = 0
        while True:
            self._skip_blanks()
            operator = self._operator()
            if operator is None and self._at < len(self._text):
                if (redirect := self._redirect(words)) is not None:
                    redirects.append(redirect)
                elif word := self._word():
                    words.append(word)
                continue
            if operator == "(" and words:
                raise Unclear("defines a function, or is more than a list of commands")
            if words or redirects:
                found.append(Simple(tuple(words), tuple(redirects), operator or ""))
                words, redirects = [], []
            elif operator in ("(", ")") and found:
                found.append(Simple((), (), operator))
            if operator is None:
                if nested or open_groups:
                    raise Unclear("leaves a parenthesis open")
                return found
            open_groups += (operator == "(") - (operator == ")")
            if open_groups < 0:
                if nested:
                    return found
                raise Unclear("closes a parenthesis that was not opened")

    def _skip_blanks(self) -> None:
        text, end = self._text, len(self._text)
        while self._at < end:
            if text[self._at] in " \t":
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._at += 2
            elif text[self._at] == "#":
                newline = text.find("\n", self._at)
                self._at = end if newline < 0 else newline
            else:
                return

    def _operator(self) -> str | None:
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            return None
        operator = match.group()
        if operator in ("&", "|&"):
            raise Unclear("runs a part of itself in the background")
        if operator == ";;":
            raise Unclear("is more than a list of commands")
        self._at = match.end()
        if operator == "\n":
            self._skip_here_documents()
            return ";"
        return operator

    def _redirect(self, words: list[Word]) -> Redirect | None:
        match = _REDIRECTION.match(self._text, self._at)
        if match is None:
            return None
        start, self._at = self._at, match.end()
        operator = match.group()
        if self._text.startswith("(", self._at):
            raise Unclear("substitutes a process")
        number_before = start > 0 and self._text[start - 1].isdigit()
        if number_before and words and words[-1].bare and _DIGITS.match(words[-1].text):
            words.pop()
        self._skip_blanks()
        target = self._word()
        if target is None:
            raise Unclear("redirects to nothing")
        if operator in ("<<", "<<-"):
            self._here.append((target.text, not target.bare, operator == "<<-"))
            return Redirect("<<", Word(""))
        return Redirect(operator, target)

    def _skip_here_documents(self) -> None:
        for delimiter, quoted, tabs in self._here:
            body = self._here_document(delimiter, tabs)
            if not quoted and ("$(" in body or "`" in body):
                raise Unclear("has commands in a here-document")
        self._here.clear()

    def _here_document(self, delimiter: str, tabs: bool) -> str:
        start, end = self._at, len(self._text)
        while self._at < end:
            newline = self._text.find("\n", self._at)
            newline = end if newline < 0 else newline
            line = self._text[self._at : newline]
            before, self._at = self._at, min(end, newline + 1)
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return self._text[start:before]
        return self._text[start:end]

    def _word(self) -> Word | None:
        """The word that begins here; None where there is none."""
        made = Making()
        text = self._text
        while self._at < len(text):
            if match := _PLAIN.match(text, self._at):
                made.add(match.group())
                self._at = match.end()
                continue
            char = text[self._at]
            if char in " \t\n|&;()<>":
                break
            self._special(char, made)
        return made.word()

    def _special(self, char: str, made: Making) -> None:
        match char:
            case "'":
                end = self._text.find("'", self._at + 1)
                if end < 0:
                    raise Unclear("leaves a quote open")
                made.add(self._text[self._at + 1 : end], quoted=True)
                self._at = end + 1
            case '"':
                self._at += 1
                self._double_quoted(made)
            case "\\":
                following = self._text[self._at + 1 : self._at + 2]
                made.add("" if following == "\n" else following, quoted=True)
                self._at += 2
            case "$":
                self._expansion(made)
            case "`":
                raise Unclear("holds a command in backquotes")
            case "{":
                self._brace(made)
            case "~" if not made.begun:
                made.leave_out()
                self._at += 1
            case _:
                made.add(char, special=char)
                self._at += 1

    def _double_quoted(self, made: Making) -> None:
        made.add("", quoted=True)
        while True:
            match = _DOUBLE_QUOTED.match(self._text, self._at)
            assert match is not None
            made.add(match.group(), quoted=True)
            self._at = match.end()
            char = self._text[self._at : self._at + 1]
            if char == '"':
                self._at += 1
                return
            if not char:
                raise Unclear("leaves a quote open")
            if char == "\\":
                following = self._text[self._at + 1 : self._at + 2]
                kept = following if following in ('"', "\\", "$", "`") else "\\" + following
                made.add("" if following == "\n" else kept, quoted=True)
                self._at += 2
            elif char == "$":
                self._expansion(made)
            else:
                raise Unclear("holds a command in backquotes")

    def _expansion(self, made: Making) -> None:
        """At a dollar sign."""
        text, after = self._text, self._at + 1
        if text.startswith("((", after):
            end = text.find("))", after)
            if end < 0 or not _is_arithmetic(text[after + 2 : end]):
                raise Unclear("has arithmetic that cannot be followed")
            self._at = end + 2
            made.leave_out()
        elif text.startswith("(", after):
            self._at = after + 1
            made.leave_out(self._inner())
        elif text.startswith("{", after):
            match = _PARAMETER.match(text, after)
            if match is None:
                raise Unclear("has an expansion that cannot be followed")
            self._at = match.end()
            made.leave_out()
        elif match := _NAME.match(text, after):
            self._at = match.end()
            made.leave_out()
        elif text.startswith("'", after):
            raise Unclear("has a quote that cannot be followed")
        else:
            made.add("$", quoted=True)
            self._at = after

    def _inner(self) -> tuple[Simple, ...]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unclear("is nested too deeply")
        found = self.commands(nested=True)
        self._depth -= 1
        return tuple(found)

    def _brace(self, made: Making) -> None:
        """``{a,b}`` stands for several words: a pattern that matches them all, and the text itself."""
        match = _ALTERNATIVES.match(self._text, self._at)
        if match is None:
            keyword = not made.begun and self._text[self._at + 1 : self._at + 2] in ("", " ", "\t", "\n")
            self._at += 1
            made.add("{") if keyword else made.leave_out()
            return
        self._at = match.end()
        inside = match.group()
        if "," not in inside and ".." not in inside:
            made.add(inside)
        elif "/" in inside:
            made.leave_out()
        else:
            made.add("*", special="*")


def _is_arithmetic(text: str) -> bool:
    """Whether ``text`` between ``$((`` and ``))`` can only be a sum, not two groups of commands."""
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0 or not (char.isalnum() or char in "_$ +-*/%<>=!^~?:()"):
            return False
    return True
