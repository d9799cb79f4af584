"""What of this machine is there in a sandbox: system folders, toolchains, and never where secrets are kept.

Pure: nothing is looked at, so a place that is named need not exist.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/snap")
# What programs need to know of the machine; no shadow, no keys, no settings that could hold a password.
SETTINGS = tuple(
    f"/etc/{name}"
    for name in (
        *("passwd", "group", "nsswitch.conf", "hosts", "host.conf", "protocols", "services", "networks"),
        *("localtime", "timezone", "locale.alias", "locale.conf", "os-release", "debian_version", "inputrc"),
        *("ld.so.cache", "ld.so.conf", "mime.types", "magic", "ssl/openssl.cnf", "bash.bashrc"),
    )
)
SETTINGS_FOLDERS = tuple(
    f"/etc/{name}"
    for name in (
        *("alternatives", "ssl/certs", "pki/tls/certs", "pki/ca-trust", "pki/java", "crypto-policies"),
        *("fonts", "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "java-25-openjdk"),
    )
)
# Inside the home only what is known to hold programs and nothing else: not ~/.cargo, which keeps the
# registry's token, not ~/.local/share/uv, which keeps passwords of indexes.
_IN_HOME = (
    *(".pyenv", ".rbenv", ".nodenv", ".goenv", ".jenv", ".asdf", ".nvm", ".volta", ".sdkman/candidates"),
    *(".rustup", ".cargo/bin", "go/bin", ".local/bin", ".local/lib", ".local/pipx", ".local/go"),
    *(".local/share/uv/python", ".local/share/uv/tools", ".local/share/pipx", ".local/share/pnpm"),
    *(".local/share/mise/installs", ".local/share/mise/shims", ".local/share/fnm", ".fnm", ".ghcup/bin"),
    *(".bun/bin", ".deno/bin", ".dotnet", ".elan", ".juliaup/bin", ".npm-global", ".nix-profile", "sdk"),
    *("miniconda3", "miniforge3", "anaconda3", ".linuxbrew"),
)
_ENVIRONMENTS = (".venv", "venv", "node_modules")  # toolchains that lie inside a checkout
_SECRETS = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config", ".netrc", ".git-credentials"),
    *(".gitconfig", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".password-store", ".mozilla", ".claude"),
    *(".codex", ".gemini", ".local/share/keyrings", ".local/share/uv/credentials", ".cargo/credentials.toml"),
    *(
        ".cargo/credentials",
        ".gem/credentials",
        ".m2/settings.xml",
        ".terraform.d",
        ".vault-token",
        ".gcloud",
    ),
    *(".bash_history", ".zsh_history", ".python_history", "Library/Keychains", ".mozilla", ".thunderbird"),
)
_SECRET_PLACES = ("/etc", "/run", "/var", "/proc", "/sys", "/dev", "/boot")


def toolchains(
    path: str,
    home: str,
    apart: Sequence[str],
    *,
    installed: Callable[[str], bool],
    links: Callable[[str], Iterable[str]],
) -> tuple[str, ...]:
    """Folders with programs: of ``path`` (as in the environment) outside ``home``, and known ones inside.

    ``apart`` are folders that must not be there, such as the user's checkout: nothing is named that contains
    one, and inside one only the environment that a toolchain made there. ``installed`` says whether a folder looks
    like an installation, of which more than its programs is shown; ``links`` are the files, by their real paths,
    that the links in a folder lead to.
    """
    around = (home, *apart)

    def installation(folder: str) -> str:
        """``folder``, one of programs, with what they need beside it; nothing where there is nothing of the kind."""
        prefix, name = posixpath.split(folder)
        fits = name in ("bin", "sbin", ".bin") and not _broad(prefix) and _harmless(prefix, around)
        return prefix if fits and installed(prefix) else ""

    found = [f"{home}/{name}" for name in _IN_HOME]
    for entry in path.split(":"):
        place = posixpath.normpath(entry)
        if not place.startswith("/") or any(within(place, root) for root in (*SYSTEM, home)):
            continue
        if whole := installation(place) or _known(place):
            found.append(whole)
        elif not _somebodys(place) and _harmless(place, around):
            found.append(place)
            led_to = {posixpath.dirname(target) for target in links(place)} - {place}
            found += filter(
                None, (installation(folder) for folder in sorted(led_to) if not within(folder, home))
            )
    return tuple(place for place in dict.fromkeys(found) if not any(within(place, root) for root in SYSTEM))


def _known(place: str) -> str:
    """The toolchain that ``place`` belongs to, by its name, in whoever's home; nothing where it is none."""
    for name in _IN_HOME:
        before, mark, _ = f"{place}/".partition(f"/{name}/")
        if mark and (before in ("", "/root") or posixpath.dirname(before) in ("/home", "/Users")):
            return f"{before}/{name}"
    return ""


def _broad(folder: str) -> bool:
    """Whether ``folder`` holds more than one installation: ``/opt``, ``/data``, a home, its ``.local``."""
    return folder.count("/") < 2 or _somebodys(folder)


def _somebodys(folder: str) -> bool:
    """Whether ``folder`` is where somebody keeps everything of theirs."""
    above, name = posixpath.split(folder)
    return folder in ("/", "/root") or above in ("/home", "/Users") or name == ".local"


def _harmless(folder: str, apart: Sequence[str]) -> bool:
    if any(within(root, folder) for root in (*apart, *_SECRET_PLACES)):
        return False
    inside = [root for root in apart if within(folder, root)]
    return not inside or posixpath.basename(folder) in _ENVIRONMENTS


def expanded(place: str, home: str) -> str:
    """An absolute, plain path; ``~`` is ``home``."""
    if place == "~" or place.startswith("~/"):
        place = home + place[1:]
    return posixpath.normpath(posixpath.join(home, place))


def why_not_shown(place: str, home: str, apart: Iterable[str]) -> str:
    """Why a sandbox may not have ``place``, a plain absolute path, or nothing."""
    for name in _SECRETS:
        if meets(place, f"{home}/{name}"):
            return f"secrets are kept in ~/{name}"
    for root in (*apart, *_SECRET_PLACES):
        if within(root, place):
            return f"{root} is in it" if root != place else f"{root} is not for agents"
    return ""


def within(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def meets(one: str, other: str) -> bool:
    """Whether one of two paths contains the other, or both are the same."""
    return within(one, other) or within(other, one)
