"""Whether a command reaches beyond its worktree. Pure, and rather too careful: such a command is only shown.

It reads words and knows no program, so it is a help and no wall: a sandbox is what holds a model's commands.
"""

from __future__ import annotations

import re

_SPLIT = re.compile(r"[\s;&|()`\"'<>=]+")
_PROGRAMS = frozenset(
    {
        *(
            "sudo",
            "su",
            "doas",
            "pkexec",
            "chown",
            "kill",
            "killall",
            "pkill",
            "reboot",
            "shutdown",
            "crontab",
        ),
        *(
            "apt",
            "apt-get",
            "aptitude",
            "dpkg",
            "dnf",
            "yum",
            "rpm",
            "apk",
            "pacman",
            "zypper",
            "brew",
            "snap",
        ),
        *("flatpak", "nix-env", "systemctl", "service", "launchctl", "mount", "umount", "sysctl", "iptables"),
        *("useradd", "usermod", "groupadd", "passwd", "update-alternatives", "ufw", "docker", "podman"),
        *("pipx", "rustup", "nvm", "pyenv", "asdf", "corepack"),
    }
)
_MACHINE = "it installs for the whole machine"
_PHRASES: tuple[tuple[str, str], ...] = (
    (_MACHINE, r"\b(?:npm|pnpm|yarn)\b[^\n;&|]{0,200}\s(?:-g|--global|global)\b"),
    (_MACHINE, r"\b(?:gem|cargo|go)\s{1,5}install\b"),
    (_MACHINE, r"(?<![\w./-])(?:pip3?|python3? -m pip|uv pip)\s{1,5}install\b"),
    (_MACHINE, r"--(?:user|system|break-system-packages)\b"),
    ("it runs what it loads from elsewhere", r"\b(?:curl|wget)\b[^\n]{0,500}\|\s{0,5}(?:ba|da|z)?sh\b"),
    (
        "it changes git's settings or another repository",
        r"\bgit\b[^\n;&|]{0,200}\s(?:--global|--system|push)\b",
    ),
    (
        "it changes what git has recorded",
        r"\bgit\s{1,5}(?:checkout|reset|restore|stash|clean|rebase|merge|commit|worktree|branch|update-ref)\b",
    ),
)
_OWN_PIP = re.compile(r"(?<!\S)(?:\./)?\.venv/bin/(?:python3? -m )?pip3? install")  # of the worktree alone
_ALLOWED = ("/dev/null", "/dev/stdout", "/dev/stderr", "/bin/sh", "/bin/bash", "/usr/bin/env")


def reaches_out(command: str, root: str) -> str:
    """Why ``command``, run in the folder ``root``, changes more than what is below it, or an empty string."""
    for word in _SPLIT.split(command):
        if word.rpartition("/")[2] in _PROGRAMS:
            return f"`{word[:60]}` changes the machine"
        if _outside(word, root):
            return f"`{word[:60]}` is outside the worktree"
    shared = _OWN_PIP.sub("", command)
    return next((why for why, pattern in _PHRASES if re.search(pattern, shared)), "")


def _outside(word: str, root: str) -> bool:
    if word.startswith(("~", "$HOME", "${HOME")) or ".." in word.split("/"):
        return True
    if not word.startswith("/") or word in _ALLOWED or len(word) == 1:
        return False
    return not root or not f"{word}/".startswith(f"{root.rstrip('/')}/")
