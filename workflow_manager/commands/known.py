"""Well-known programs as data: what they do with their arguments."""

from __future__ import annotations

from workflow_manager.commands.options import Spec

# Nothing about files, whatever their arguments say.
_HARMLESS = (
    ": arch basename break continue dirname echo exit expr false hash hostname id nproc printenv printf pwd"
    " read return seq set shift sleep tr true tty type ulimit umask uname unset which whoami"
)
HARMLESS = frozenset(_HARMLESS.split())
# They may change the shell that runs them; a command made of nothing else changes it for all later ones.
STATE = frozenset({".", "cd", "export", "readonly", "set", "source", "ulimit", "umask", "unset"})

_GREP = (
    "-i -v -w -x -c -l -L -n -H -h -o -q -s -r -R -E -F -G -P -a -z -I -y -A: -B: -C: -m: -e: -f:r -d: -D:"
    " --include: --exclude: --exclude-dir: --exclude-from:r --color --max-count: --after-context:"
    " --before-context: --context: --regexp: --file:r --recursive --quiet --silent --count --ignore-case"
    " --files-with-matches --files-without-match --line-number --only-matching --invert-match --word-regexp"
    " --line-regexp --extended-regexp --fixed-strings --perl-regexp --no-filename --with-filename --no-messages"
)
_GIVEN = "-e -f --regexp --file"
_SUMS = Spec("-c! --check!")

READING: dict[str, Spec] = {
    "cat": Spec(),
    "cmp": Spec("-n: -i:"),
    "comm": Spec(),
    "cut": Spec("-d: -f: -c: -b:"),
    "date": Spec("-d: -r:r -f:r -s! --date: --reference:r --file:r --set!"),
    "df": Spec(),
    "diff": Spec("-U: -C: -I: -x: -X:r --exclude-from:r"),
    "du": Spec("-d: -X:r --exclude-from:r --files0-from!", default="."),
    "egrep": Spec(_GREP, strict=True, skip=1, unless=_GIVEN),
    "fgrep": Spec(_GREP, strict=True, skip=1, unless=_GIVEN),
    "grep": Spec(_GREP, strict=True, skip=1, unless=_GIVEN),
    "head": Spec("-n: -c: --lines: --bytes:"),
    "jq": Spec("-r -e -c -s -n -S -M -C -j -a --raw-output --exit-status --compact-output --slurp", True, skip=1),
    "join": Spec("-1: -2: -j: -t: -o:"),
    "ls": Spec("-I: -w: -T:", default="."),
    "nl": Spec("-b: -s: -w:"),
    "paste": Spec("-d:"),
    "readlink": Spec(),
    "realpath": Spec(),
    "rg": Spec("-e: -f:r -g: -t: -T: -A: -B: -C: -m: --pre!", skip=1, unless=_GIVEN, default="."),
    "sort": Spec("-o:w -k: -t: -S: -T:w --output:w --temporary-directory:w --key: --files0-from! --compress-program!"),
    "stat": Spec("-c: --format: --printf:"),
    "tac": Spec(),
    "tail": Spec("-n: -c: -s: --lines: --bytes: --pid:"),
    "wc": Spec("--files0-from!"),
    **{f"{name}sum": _SUMS for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "b2", "ck")},
}  # fmt: skip

WRITING: dict[str, Spec] = {
    "chgrp": Spec("--reference:r"),
    "chmod": Spec("--reference:r"),
    "chown": Spec("--reference:r --from:"),
    "rm": Spec("-f -r -R -i -I -v -d --force --recursive --verbose --dir", strict=True),
    "rmdir": Spec("-v --verbose --ignore-fail-on-non-empty", strict=True),
    "tee": Spec("-a -i -p --append", strict=True),
    "touch": Spec("-d: -t: -r:r --date: --reference:r"),
    "truncate": Spec("-s: -r:r --size: --reference:r"),
    "unlink": Spec("", strict=True),
}

MAKING = Spec("-p -v -m: --parents --verbose --mode:", strict=True)
_COPYING = (
    "-r -R -a -p -f -n -u -v -i -L -P -H -d -x -T -t: --target-directory:"
    " --recursive --archive --force --verbose"
)
COPYING: dict[str, Spec] = {
    "cp": Spec(f"{_COPYING} --preserve --no-clobber --update --no-target-directory", strict=True),
    "mv": Spec("-f -n -u -v -i -T -t: --target-directory: --force --no-clobber --verbose", strict=True),
    "install": Spec("-v -C -p -T -m: -o: -g: -t: --target-directory: --mode: --verbose", strict=True),
}
LINKING = Spec(
    "-s -f -n -v -T -i --symbolic --force --no-dereference --verbose --no-target-directory", strict=True
)
SED = Spec(
    "-n -E -r -s -z -u -i -e: -l: --quiet --silent --regexp-extended --expression: --in-place --null-data",
    strict=True,
)
AWK = Spec("-F: -v:", strict=True, skip=1)
FIND = Spec(
    "-name: -iname: -path: -ipath: -wholename: -regex: -iregex: -type: -maxdepth: -mindepth: -size: -mtime: -mmin:"
    " -newer:r -perm: -user: -group: -not -o -or -a -and -print -print0 -empty -prune -quit -L -H -P -printf:"
    " -executable -readable -writable -depth -xdev -true -false -links: -atime: -ctime: -amin: -cmin: -delete",
    strict=True,
    single=True,
)
TAR = Spec(
    "-x -c -t -f: -z -j -J -v -p -k -h -m -C: --extract --create --list --file: --gzip --bzip2 --xz --verbose"
    " --directory: --strip-components: --exclude:",
    strict=True,
)
UNZIP = Spec("-o -q -n -j -d:", strict=True)
CURL = Spec(
    "-s -S -L -f -k -I -O -o:w -H: -m: -A: -e: --silent --show-error --location --fail --compressed --head"
    " --remote-name --output:w --header: --retry: --retry-delay: --max-time: --connect-timeout: --insecure",
    strict=True,
)
WGET = Spec("-q -O:w --quiet --output-document:w --no-verbose", strict=True, needs="-O --output-document")
TIMEOUT = Spec("-k: -s: --signal: --kill-after: --preserve-status --foreground", strict=True, stop=True)
NICE = Spec("-n: --adjustment:", strict=True, stop=True)
VENV = Spec("--clear --without-pip --system-site-packages --upgrade-deps --prompt:", strict=True)

# They read whatever they like and write nothing but caches that are made for several at once.
RUNNERS: dict[str, Spec] = {
    "black": Spec("--check --diff -q --quiet -l: --line-length: --config:", strict=True, needs="--check --diff"),
    "eslint": Spec("--max-warnings: --ext: --quiet -c: --config: --no-eslintrc --format:", strict=True),
    "flake8": Spec("--max-line-length: --select: --ignore: --extend-ignore: --exclude: --config: --count", strict=True),
    "go test": Spec("-v -race -short -failfast -count: -run: -timeout: -cover", strict=True, single=True),
    "go vet": Spec("", strict=True),
    "isort": Spec("-c --check --check-only --diff -q --profile:", strict=True, needs="-c --check --check-only"),
    "mypy": Spec("-p: -m: --strict --config-file: --ignore-missing-imports --no-error-summary --pretty"
                 " --show-error-codes --no-incremental --explicit-package-bases", strict=True),
    "prettier": Spec("-c -l --check --list-different --config:", strict=True, needs="-c -l --check --list-different"),
    "pyflakes": Spec("", strict=True),
    "pylint": Spec("--disable: --enable: --rcfile: -E --errors-only -j:", strict=True),
    "pytest": Spec("-q -v -x -s -k: -m: -n: -r: -l -h --maxfail: --tb: --color: --durations: --timeout: --no-header"
                   " --quiet --verbose --exitfirst --collect-only --co --strict-markers --strict-config --ignore:"
                   " --deselect:", strict=True),
    "ruff check": Spec("-q --quiet --no-fix --select: --ignore: --extend-select: --output-format: --config: --diff"
                       " --statistics --no-cache", strict=True),
    "ruff format": Spec("--check --diff -q --quiet --config: --no-cache", strict=True, needs="--check --diff"),
    "shellcheck": Spec("-s: -e: -x -S: -f:", strict=True),
    "tsc": Spec("--noEmit -p: --project: --strict --pretty", strict=True, needs="--noEmit"),
    "unittest": Spec("-q -v -f -b -c -s: -p: -t: -k: --quiet --verbose --failfast --buffer", strict=True),
    "yamllint": Spec("-s -c: -d: -f: --strict", strict=True),
    **{f"git {name}": Spec("--output:w --ext-diff! --textconv! -O! --open-files-in-pager!")
       for name in ("blame", "cat-file", "describe", "diff", "grep", "log", "ls-files", "ls-tree", "rev-parse",
                    "shortlog", "show", "status")},
}  # fmt: skip

_INSTALL = frozenset({"install", "add", "i", "ci", "sync", "update", "upgrade"})
_INSTALLERS = "pip pip3 pipx uv npm pnpm apt apt-get apk dnf yum brew bundle gem composer poetry conda rustup"
SET_UP: dict[str, frozenset[str]] = {
    **dict.fromkeys(_INSTALLERS.split(), _INSTALL),
    "yarn": _INSTALL | {""},
    "cargo": frozenset({"fetch", "install", "add"}),
    "go": frozenset({"mod", "get", "install"}),
    "make": frozenset({"deps", "dependencies", "setup", "install", "bootstrap", "init"}),
}
