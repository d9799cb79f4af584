"""The sandbox as data: what is named is there, in the right order, and nothing else."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import pytest

from shared.containment import contained, environment_in
from shared.model import Containment, Limits, Sandbox
from shared.sandbox import GATEWAY_PORT, SANDBOX_GATEWAY_URL, groups
from shared.sandbox.building import Tools, command_line
from shared.sandbox.calls import call_filter
from shared.sandbox.environment import looks_secret, passed_on, secrets_among
from shared.sandbox.making import led_to, looks_installed
from shared.sandbox.places import expanded, toolchains, why_not_shown

TOOLS = Tools("/usr/bin/prlimit", "/opt/python/bin/python3", "/opt/python", "/product/forward.py")
SANDBOX = Sandbox(
    "/r.spinney/task",
    home="/home/ada",
    read=("/home/ada/.pyenv",),
    hide=("/r/.git",),
    write=("/r.spinney/task/.tasks",),
    show=(("/r/.git/objects", "/r/.git/objects"), ("/run/link", "/r.spinney/task/.git")),
    limits=Limits(memory=1000, processes=20, file_size=300, temporary=400),
)


def built(sandbox: Sandbox, tools: Tools = TOOLS) -> tuple[list[str], list[str], list[str]]:
    """(what comes before bubblewrap, its own options, what it starts)."""
    line = command_line("/usr/bin/bwrap", sandbox, ["sh", "-c", "true"], tools)
    at = line.index("/usr/bin/bwrap")
    end = line.index("--", at)
    return line[:at], line[at + 1 : end], line[end + 1 :]


def mounts(sandbox: Sandbox) -> list[tuple[str, str]]:
    """(option, place) of every mount, in order."""
    options = built(sandbox)[1]
    found = []
    for index, word in enumerate(options):
        if word in ("--tmpfs", "--proc", "--dev", "--remount-ro"):
            found.append((word, options[index + 1]))
        elif word in ("--bind", "--ro-bind", "--ro-bind-try"):
            found.append((word, options[index + 2]))
    return found


# --- building


def test_every_namespace_is_the_sandboxs_own_and_no_capability_is_left() -> None:
    options = built(SANDBOX)[1]
    for kind in ("user", "pid", "net", "ipc", "uts", "cgroup-try"):
        assert f"--unshare-{kind}" in options
    assert ("--cap-drop", "ALL") in list(pairwise(options))
    assert {"--disable-userns", "--die-with-parent", "--new-session"} <= set(options)


def test_nothing_but_the_worktree_and_its_tasks_is_written() -> None:
    assert [place for option, place in mounts(SANDBOX) if option == "--bind"] == [
        "/r.spinney/task",
        "/r.spinney/task/.tasks",
    ]


def test_what_is_shown_lies_over_what_is_hidden_and_written() -> None:
    order = [place for option, place in mounts(SANDBOX) if option != "--remount-ro"]
    for first, then in (
        ("/home/ada", "/home/ada/.pyenv"),
        ("/r/.git", "/r/.git/objects"),
        ("/r.spinney/task", "/r.spinney/task/.git"),
        ("/home/ada", "/r.spinney/task"),
    ):
        assert order.index(first) < order.index(then)


def test_memory_that_no_size_limits_becomes_read_only_last() -> None:
    assert mounts(SANDBOX)[-4:] == [
        ("--remount-ro", "/proc"),
        ("--remount-ro", "/dev"),
        ("--remount-ro", "/r/.git"),
        ("--remount-ro", "/"),
    ]


def test_private_places_have_a_size() -> None:
    options = built(SANDBOX)[1]
    sizes = {options[index + 3]: options[index + 1] for index, word in enumerate(options) if word == "--size"}
    assert sizes == {"/dev/shm": str(256 * 1024**2), "/tmp": "400", "/home/ada": "400"}


def test_no_place_of_the_systems_holds_a_secret() -> None:
    places = {place for _, place in mounts(SANDBOX)}
    assert not places & {"/", "/etc", "/etc/shadow", "/etc/ssh", "/root", "/home", "/run", "/var", "/sys"} - {
        "/"
    }


def test_each_process_is_limited_in_memory_only_where_no_group_counts_it() -> None:
    assert built(SANDBOX)[2] == [
        *(
            "/usr/bin/prlimit",
            "--nproc=20",
            "--fsize=300",
            "--core=0",
            "--data=1000",
            "--",
            "sh",
            "-c",
            "true",
        )
    ]
    counted = Sandbox("/w", groups=("/sys/fs/cgroup/memory/spinney-1-a",))
    before, _, inside = built(counted)
    assert not any(word.startswith("--data") for word in inside)
    assert before[-2:] == ["/sys/fs/cgroup/memory/spinney-1-a", "--"]


def test_without_prlimit_the_command_is_started_all_the_same() -> None:
    assert built(SANDBOX, Tools())[2] == ["sh", "-c", "true"]


def test_a_filter_of_system_calls_is_handed_over_as_a_file() -> None:
    before, options, _ = built(Sandbox("/w", calls="/run/calls"))
    assert before[-2:] == ["/run/calls", "--"]
    assert ("--seccomp", "9") in list(pairwise(options))
    assert "--seccomp" not in built(Sandbox("/w"))[1]


def test_the_gateway_is_reached_through_a_forwarder_that_becomes_the_command() -> None:
    _, options, inside = built(Sandbox("/w", socket="/tmp/s/gateway.sock"))
    assert inside[inside.index("--") + 1 :] == [
        *("/opt/python/bin/python3", "-I", "-S", "/run/spinney/forward.py", "/run/spinney/gateway.sock"),
        *(str(GATEWAY_PORT), "--", "sh", "-c", "true"),
    ]
    assert f":{GATEWAY_PORT}" in SANDBOX_GATEWAY_URL
    for place in ("/opt/python", "/run/spinney/gateway.sock", "/run/spinney/forward.py"):
        assert place in options


def test_an_interpreter_of_the_systems_is_there_already() -> None:
    tools = Tools("", "/usr/bin/python3", "/usr", "/product/forward.py")
    assert ("--ro-bind", "/usr") not in [
        (a, b) for a, b in pairwise(built(Sandbox("/w", socket="/s"), tools)[1])
    ]


def test_a_containment_without_a_sandbox_stays_what_it_was() -> None:
    assert contained(Containment(), ["true"]) == ["true"]
    assert environment_in(Containment(), {"GITHUB_TOKEN": "x"}) == {"GITHUB_TOKEN": "x"}
    assert contained(Containment("/usr/bin/bwrap", sandbox=SANDBOX), ["true"])[0] == "/bin/sh"


# --- the environment


@pytest.mark.parametrize(
    "name",
    [
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "GH_PAT"),
        *("NPM_AUTH", "PGPASSWORD", "DATABASE_PASSWORD", "MY_PASS", "SSH_PRIVATE", "SENTRY_DSN", "apikey"),
        *("SPINNEY_API_KEY", "SESSION_COOKIE", "VAULT_TOKEN", "GPG_PASSPHRASE", "CREDENTIALS_FILE"),
    ],
)
def test_what_sounds_like_a_secret_is_not_passed_on_even_when_asked_for(name: str) -> None:
    assert looks_secret(name)
    assert name not in passed_on(Sandbox("/w", environment=(name,)), {name: "x"})
    assert secrets_among([name, "EDITOR"]) == (name,)


@pytest.mark.parametrize("name", ["MAX_TOKENS", "CLAUDE_CODE_MAX_OUTPUT_TOKENS", "LLM_MAX_TOKENS"])
def test_how_many_tokens_is_no_secret(name: str) -> None:
    assert not looks_secret(name)
    assert looks_secret(f"{name}_KEY")
    assert looks_secret("GITHUB_TOKENS")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PATH",
            "LANG",
            "LC_ALL",
            "TERM",
            "TZ",
            "USER",
            "PWD",
            "SPINNEY_TASK",
            "SPINNEY_SESSION",
            "JAVA_HOME",
        ),
        *("VIRTUAL_ENV", "PYENV_ROOT", "CI", "SPINNEY_PORT_BASE", "SPINNEY_AUTHOR_NOTE"),
    ],
)
def test_what_programs_need_is_passed_on(name: str) -> None:
    assert passed_on(Sandbox("/w"), {name: "x"})[name] == "x"


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS", "BASH_ENV", "SSH_AUTH_SOCK", "GIT_DIR", "EDITOR", "X"],
)
def test_what_is_not_on_the_list_is_not_passed_on(name: str) -> None:
    assert name not in passed_on(Sandbox("/w"), {name: "x"})


def test_a_variable_that_was_asked_for_is_passed_on_and_the_home_is_private() -> None:
    told = passed_on(
        Sandbox("/w", home="/tmp", environment=("EDITOR",)), {"EDITOR": "ed", "HOME": "/home/ada"}
    )
    assert told == {"EDITOR": "ed", "HOME": "/tmp", "GIT_OPTIONAL_LOCKS": "0"}


# --- places

HOME, APART = "/home/ada", ("/home/ada/shop", "/home/ada/shop/.git", "/home/ada/shop.spinney")


INSTALLED = ("/opt/node", "/opt/go", "/etc/tool", "/srv/v1", "/opt", "/data", "/home/eve", "/home/eve/.local", "/root",
             "/Users/eve", "/src/shop/.venv", "/src/shop/node_modules", "/src/shop", "/var", "/home/eve/env")  # fmt: skip


def places_of(path: str, apart: tuple[str, ...], links: tuple[str, ...] = ()) -> set[str]:
    """What an environment's path adds to the toolchains that are known."""

    def there(path: str) -> set[str]:
        return set(toolchains(path, HOME, apart, installed=INSTALLED.__contains__, links=lambda place: links))

    return there(path) - there("")


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ("/opt/node/bin", "/opt/node"),
        ("/opt/tools", "/opt/tools"),
        ("/opt/go/sbin/", "/opt/go"),
        ("/opt/plain/bin", "/opt/plain/bin"),  # no installation
        ("/opt/bin", "/opt/bin"),  # of what else is in /opt nothing
        ("/data/bin", "/data/bin"),
        ("/home/eve/bin", "/home/eve/bin"),
        ("/home/eve/.local/bin", "/home/eve/.local/bin"),
        ("/home/eve/env/bin", "/home/eve/env"),
        ("/Users/eve/bin", "/Users/eve/bin"),
        ("/root/bin", "/root/bin"),
        ("/root/.pyenv/shims", "/root/.pyenv"),  # a known toolchain, in whoever's home
        ("/home/eve/.nvm/versions/node/v22/bin", "/home/eve/.nvm"),
        ("/home/eve/.cargo/bin", "/home/eve/.cargo/bin"),
        ("/srv/x/.pyenv/shims", "/srv/x/.pyenv/shims"),
        ("/home/eve", None),
        ("/root", None),
        ("/", None),
        ("/usr/local/bin", None),  # there already
        ("/bin", None),
        ("/home/ada/bin", None),  # in the home only what is known
        ("/home/ada/.config/tool/bin", None),
        ("/home/bin", None),  # somebody's home
        ("/home/ada/shop/bin", None),
        ("/home/ada/shop/.venv/bin", None),  # in the home; see below for one that is not
        ("relative/bin", None),
        ("", None),
        ("/etc/tool/bin", "/etc/tool"),
        ("/var/bin", "/var/bin"),  # not all of /var
    ],
)
def test_programs_outside_the_home_are_there(entry: str, shown: str | None) -> None:
    assert places_of(f"{entry}:/usr/bin", APART) == ({shown} if shown else set())


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/srv/v1/bin/tool", {"/srv/v1"}),
        ("/srv/other/bin/tool", set()),
        ("/home/eve/bin/tool", set()),
        ("/home/ada/.ssh/bin/tool", set()),
        ("/usr/lib/tool/bin/tool", set()),
    ],
)
def test_what_links_among_programs_lead_to_is_there_where_it_is_an_installation(
    target: str, shown: set[str]
) -> None:
    assert places_of("/opt/tools", APART, (target,)) == {"/opt/tools"} | shown


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ("/src/shop/.venv/bin", {"/src/shop/.venv"}),
        ("/src/shop/node_modules/.bin", {"/src/shop/node_modules"}),
        ("/src/shop/bin", set()),
        ("/src/shop/tools", set()),
        ("/src/bin", {"/src/bin"}),
    ],
)
def test_of_a_checkout_only_the_environment_that_a_toolchain_made_is_there(
    entry: str, shown: set[str]
) -> None:
    assert places_of(entry, ("/src/shop",)) == shown


def test_libraries_beside_programs_make_an_installation(tmp_path: Path) -> None:
    for folder in ("venv/bin", "tool/lib", "plain/bin", "node_modules/.bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").touch()
    (tmp_path / "plain/bin/tool").symlink_to(tmp_path / "tool/bin/tool")
    (tmp_path / "plain/bin/other").touch()
    found = [
        name for name in ("venv", "tool", "plain", "node_modules") if looks_installed(f"{tmp_path}/{name}")
    ]
    assert found == ["venv", "tool", "node_modules"]
    assert list(led_to(f"{tmp_path}/plain/bin")) == [f"{tmp_path}/tool/bin/tool"]
    assert list(led_to(f"{tmp_path}/nowhere")) == []


def test_known_toolchains_of_the_home_are_there_and_no_place_of_secrets() -> None:
    found = toolchains("", HOME, (), installed=lambda folder: True, links=lambda folder: ())
    assert {f"{HOME}/.pyenv", f"{HOME}/.cargo/bin", f"{HOME}/.nvm", f"{HOME}/go/bin"} <= set(found)
    assert [place for place in found if why_not_shown(place, HOME, APART)] == []


@pytest.mark.parametrize(
    "place",
    [
        *("~", "/", "/home", "~/.ssh", "~/.ssh/config", "~/.aws", "~/.config/gcloud", "~/.netrc", "~/.cargo"),
        *("~/.local/share", "~/shop", "~/shop/..", "/etc", "/run", "/var", "/proc"),
    ],
)
def test_a_place_with_secrets_is_not_shown(place: str) -> None:
    assert why_not_shown(expanded(place, HOME), HOME, APART)


@pytest.mark.parametrize(
    "place", ["~/sdk", "/opt/models", "~/.local/share/fonts", "/var/lib/data", "/etc/tool"]
)
def test_other_places_can_be_shown(place: str) -> None:
    assert why_not_shown(expanded(place, HOME), HOME, APART) == ""


# --- system calls


def outcome(program: bytes, architecture: int, call: int, first: int = 0) -> int:
    """What the kernel's interpreter makes of ``program``: the value it returns."""
    data = {0: call, 4: architecture, 16: first}
    loaded = at = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if operation == 0x06:
            return int(value)
        if operation == 0x20:
            loaded = data[value]
        elif operation in (0x15, 0x35):
            holds = loaded == value if operation == 0x15 else loaded >= value
            at += if_true if holds else if_false
        else:
            pytest.fail(f"no such operation: {operation:#x}")


ALLOWED = 0x7FFF0000
X86, ARM, OLD = 0xC000003E, 0xC00000B7, 0x40000003


@pytest.mark.parametrize(
    ("machine", "architecture", "call", "first", "allowed"),
    [
        ("x86_64", X86, 0, 0, True),  # read
        ("x86_64", X86, 59, 0, True),  # execve
        ("x86_64", X86, 101, 0, True),  # ptrace: debuggers
        *[("x86_64", X86, 41, family, True) for family in (1, 2, 10, 16)],
        *[("x86_64", X86, 41, family, False) for family in (0, 17, 38, 40, 2**31)],
        *[
            ("x86_64", X86, call, 0, False)
            for call in (165, 166, 248, 249, 250, 298, 308, 321, 323, 425, 428)
        ],
        ("x86_64", X86, 0x40000000 + 41, 40, False),  # x32
        ("x86_64", OLD, 102, 0, False),  # socketcall of 32 bits
        ("aarch64", ARM, 63, 0, True),
        ("aarch64", ARM, 198, 1, True),
        ("aarch64", ARM, 198, 40, False),
        *[("aarch64", ARM, call, 0, False) for call in (39, 40, 217, 219, 241, 280, 282, 425, 442)],
        ("aarch64", X86, 63, 0, False),
    ],
)
def test_the_filter_of_system_calls(
    machine: str, architecture: int, call: int, first: int, allowed: bool
) -> None:
    assert (outcome(call_filter(machine), architecture, call, first) == ALLOWED) is allowed


def test_a_machine_whose_numbers_are_not_known_has_no_filter() -> None:
    assert call_filter("riscv64") == b""


# --- control groups

LIMITS = Limits(memory=1000, processes=20)


def test_with_version_1_memory_and_processes_are_counted_below_our_own_groups() -> None:
    told = "8:pids:/\n4:memory:/service/a\n3:cpuset:/\n0::/\n"
    assert groups.plan(told, LIMITS).folders == {
        "/sys/fs/cgroup/memory/service/a": {
            "memory.limit_in_bytes": "1000",
            "memory.memsw.limit_in_bytes": "1000",
        },
        "/sys/fs/cgroup/pids": {"pids.max": "20"},
    }


def test_with_version_2_a_group_lies_beside_our_own() -> None:
    told = "0::/user.slice/user@1000.service/app.slice/terminal.scope\n"
    (place, settings), *others = groups.plan(told, LIMITS).folders.items()
    assert place == "/sys/fs/cgroup/user.slice/user@1000.service/app.slice"
    assert settings["memory.max"] == "1000"
    assert settings["pids.max"] == "20"
    assert not others


@pytest.mark.parametrize("told", ["", "nonsense", "1:name=systemd:/\n"])
def test_without_controllers_no_group_is_made(told: str) -> None:
    assert groups.plan(told, LIMITS).folders == {}
