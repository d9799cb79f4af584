"""What git is told for a remote repository, and what its answers mean."""

from __future__ import annotations

import pytest

from shared.errors import GitError
from shared.git import transfers
from shared.git.transfers import MOVED, Denied, NotReached

URL = "https://github.com/acme/widgets.git"


def test_only_one_transport_is_open_and_nobody_is_asked() -> None:
    told = transfers.settings(URL)
    assert "protocol.https.allow=always" in told
    assert "protocol.http.allow=always" not in told
    assert {"credential.helper=", "core.askPass=", "http.followRedirects=false"} <= set(told)


def test_no_proxy_stands_before_this_machine() -> None:
    assert "http.proxy=" in transfers.settings("http://127.0.0.1:80/o/r.git")
    assert "http.proxy=" not in transfers.settings(URL)


def test_header_goes_to_that_host_alone() -> None:
    told = transfers.with_header(URL, "Authorization: Basic eHg=")
    assert told["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraHeader"
    assert (
        transfers.without(b"Authorization: Basic eHg=", told["GIT_CONFIG_VALUE_0"])
        == b"Authorization: Basic ***"
    )
    assert transfers.without(b"text", "") == b"text"


def test_proxies_and_certificates_are_taken_and_nothing_else() -> None:
    environ = {"https_proxy": "p", "NO_PROXY": "n", "GIT_DIR": "x", "PATH": "y", "SSL_CERT_FILE": "c"}
    assert transfers.surroundings(environ) == {"https_proxy": "p", "NO_PROXY": "n", "GIT_SSL_CAINFO": "c"}


def test_what_a_push_says_of_each_ref() -> None:
    output = (
        "To https://github.com/acme/widgets.git\n"
        " \t1111:refs/heads/spinney/a\t1111111..2222222\n"
        "*\t1111:refs/heads/spinney/b\t[new branch]\n"
        "+\t1111:refs/heads/spinney/c\t1111111...2222222 (forced update)\n"
        "-\t:refs/heads/spinney/d\t[deleted]\n"
        "=\t1111:refs/heads/spinney/e\t[up to date]\n"
        "!\t1111:refs/heads/spinney/f\t[rejected] (stale info)\n"
        "!\t1111:refs/heads/spinney/g\t[remote rejected] (protected branch hook declined)\n"
        "!\t1111:refs/heads/spinney/h\t[remote rejected] (cannot lock ref 'x': is at 1 but expected 2)\n"
        "!\t1111:refs/heads/spinney/i\t[remote failure] (remote failed to report status)\n"
        "!\t1111:refs/heads/spinney/j\t[remote rejected] (shallow update not allowed)\n"
        "Done\n"
    )
    told = {name[-1]: reason for name, reason in transfers.pushed(output.encode()).items()}
    assert told == {
        **dict.fromkeys("abcde", ""), "f": MOVED, "h": MOVED, "i": None,
        "g": "the remote refuses it: protected branch hook declined",
        "j": "the remote takes nothing from a shallow clone: git fetch --unshallow",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (
            "fatal: unable to access 'https://github.com/o/r.git/': Could not resolve host: github.com",
            NotReached,
        ),
        ("fatal: unable to access '…': Failed to connect to github.com port 443 after 9 ms", NotReached),
        ("fatal: unable to access '…': server certificate verification failed.", NotReached),
        ("remote: Permission to o/r.git denied to ada.\nfatal: unable to access '…': … error: 403", Denied),
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", Denied),
        ("remote: Repository not found.\nfatal: repository 'https://github.com/o/r.git/' not found", Denied),
        ("error: RPC failed; HTTP 502 curl 22\nfatal: the remote end hung up unexpectedly", GitError),
        ("", GitError),
    ],
)
def test_why_a_transfer_failed(words: str, kind: type[GitError]) -> None:
    error = transfers.failure(words.encode(), URL)
    assert type(error) is kind
    assert error.message.startswith("github.com/acme/widgets")


@pytest.mark.parametrize(
    "name", ["refs/heads/spinney/a", "refs/spinney/lock", "refs/heads/spinney/batch/20260102-x"]
)
def test_our_own_refs_are_let_through(name: str) -> None:
    transfers.refuse_foreign(name, "refs/heads/spinney/", "refs/spinney/")
