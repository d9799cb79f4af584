"""The guards of ``tests/conftest.py``, each seen to fail what it should."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support import guards
from tests.support.repository import Repo

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def guarded_suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty test suite under the same guards."""
    pytester.makeconftest(CONFTEST.read_text())
    return pytester


def failure(suite: pytest.Pytester, source: str) -> str:
    """Run ``source`` as a suite; its test passes, and the guard's words come back."""
    suite.makepyfile(source)
    result = suite.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=1, errors=1)
    return next(line for line in result.outlines if "broke a guard" in line)


def test_environment_holds_nothing_of_the_users() -> None:
    names = {name for name in os.environ if name.startswith(("GIT_", "SPINNEY_", "XDG_", "GITHUB_"))}
    assert names == {"GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_TERMINAL_PROMPT"}
    assert os.environ["GIT_CONFIG_GLOBAL"] == "/dev/null"


def test_every_test_has_an_empty_home_of_its_own(home: Path) -> None:
    assert list(home.iterdir()) == []
    assert home == Path.home()


def test_variables_that_lead_git_astray_are_taken_out() -> None:
    environment = {"GIT_DIR": "/elsewhere", "SPINNEY_SESSION": "x", "CI": "true", "PATH": "/bin"}
    guards.clean_environment(environment, Path("/home/of/test"))
    assert environment == {
        "PATH": "/bin",
        "HOME": "/home/of/test",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
    }


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "example.com"])
def test_connections_to_other_machines_are_refused(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as outside, pytest.raises(guards.OutsideConnection):
        outside.connect((address, 80))
    assert guards.NETWORK.refused() == [f"it wanted to connect to {address}"]


def test_names_of_other_machines_are_not_looked_up() -> None:
    with pytest.raises(guards.OutsideConnection):
        socket.getaddrinfo("example.com", 443)
    assert guards.NETWORK.refused() == ["it wanted to connect to example.com"]


def test_connections_to_this_machine_are_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            pass
        assert socket.getaddrinfo("localhost", 80)
    assert guards.NETWORK.refused() == []


def test_swallowed_connection_fails_the_test(guarded_suite: pytest.Pytester) -> None:
    line = failure(
        guarded_suite,
        """
        import contextlib, socket
        def test_quiet():
            with contextlib.suppress(OSError), socket.socket() as outside:
                outside.connect(("192.0.2.1", 80))
        """,
    )
    assert "test_quiet broke a guard: it wanted to connect to 192.0.2.1" in line


def test_thread_that_goes_on_fails_the_test(
    guarded_suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "GRACE", 0.01)
    go_on = threading.Event()
    monkeypatch.setattr(guards, "_wait_for_ever", go_on.wait, raising=False)
    line = failure(
        guarded_suite,
        """
        import threading
        from tests.support import guards
        def test_forgetful():
            threading.Thread(target=guards._wait_for_ever, name="forgotten", daemon=True).start()
        """,
    )
    go_on.set()
    assert "test_forgetful broke a guard: it left the thread 'forgotten' running" in line


def test_thread_that_is_about_to_end_is_waited_for() -> None:
    before = guards.Before.now()
    go_on = threading.Event()
    threading.Thread(target=go_on.wait).start()
    threading.Thread(target=go_on.set).start()
    assert before.left_behind() == []


@pytest.mark.process
def test_process_that_goes_on_fails_the_test(
    guarded_suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "GRACE", 0.01)
    line = failure(
        guarded_suite,
        """
        import subprocess
        def test_forgetful():
            test_forgetful.child = subprocess.Popen(["sleep", "60"])
        """,
    )
    assert "test_forgetful broke a guard: it left a process running: sleep 60" in line


@pytest.mark.process
def test_process_that_a_child_left_behind_is_found() -> None:
    before = guards.Before.now()
    child = subprocess.Popen(["sh", "-c", "sleep 61 & echo ready; wait"], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        left = before.left_behind(grace=0.0)
        assert len(left) == 2
    assert before.left_behind() == []


def test_changed_folder_and_environment_are_put_back(guarded_suite: pytest.Pytester) -> None:
    guarded_suite.makepyfile(
        """
        import os
        def test_first(tmp_path):
            os.chdir(tmp_path)
            os.environ["GIT_DIR"] = "/elsewhere"
        def test_second(tmp_path):
            assert "GIT_DIR" not in os.environ
            assert os.getcwd() != str(tmp_path.parent / "test_first0")
        """
    )
    guarded_suite.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist").assert_outcomes(passed=2)


@pytest.mark.git
def test_repository_is_a_copy_that_nobody_else_sees(repo: Repo, template_repository: Path) -> None:
    first = repo.head
    repo.write("new file", "text")
    assert repo.commit("second") != first
    assert repo.read("HEAD", "new file") == "text"
    assert repo.log("HEAD") == ["second", "first"]
    assert Repo(template_repository).head == first
