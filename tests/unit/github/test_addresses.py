from __future__ import annotations

import pytest

from shared.errors import UserError
from shared.forge.github.addresses import (
    chosen,
    host_at,
    host_named,
    is_loopback,
    located,
    quoted,
    unknown_to_all_but_ssh,
)
from shared.forge.github.api import Host

PUBLIC = Host("github.com", "https://api.github.com", "https://api.github.com/graphql", "https://github.com")


def enterprise(name: str, scheme: str = "https") -> Host:
    web = f"{scheme}://{name}"
    return Host(name, f"{web}/api/v3", f"{web}/api/graphql", web)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/o-1/r.x",
        "https://github.com/o-1/r.x.git",
        "https://github.com/o-1/r.x/",
        "https://GitHub.com/o-1/r.x.git/",
        "https://user:secret@github.com/o-1/r.x",
        "https://www.github.com/o-1/r.x",
        "git@github.com:o-1/r.x.git",
        "github.com:o-1/r.x",
        "git@github.com:/o-1/r.x",
        "ssh://git@github.com/o-1/r.x.git",
        "ssh://git@github.com:22/o-1/r.x",
        "ssh://git@ssh.github.com:443/o-1/r.x.git",
        "git+ssh://git@github.com/o-1/r.x",
    ],
)
def test_github_is_known_by_any_of_its_addresses(address: str) -> None:
    found = located(address)
    assert found is not None
    assert (found.host, found.repository) == (PUBLIC, "o-1/r.x")


def test_other_hosts_are_enterprise_servers() -> None:
    for address, host in {
        "https://git.example.org/o/r": enterprise("git.example.org"),
        "https://git.example.org:8443/o/r.git": enterprise("git.example.org:8443"),
        "git@git.example.org:o/r": enterprise("git.example.org"),
        "ssh://git@git.example.org:2222/o/r": enterprise("git.example.org"),  # the port is that of ssh
        "http://127.0.0.1:8080/o/r": enterprise("127.0.0.1:8080", "http"),
        "http://[::1]:8080/o/r": enterprise("[::1]:8080", "http"),
        "http://localhost/o/r.git": enterprise("localhost", "http"),
        "https://localhost/o/r.git": enterprise("localhost"),
        "https://127.0.0.1:8443/o/r": enterprise("127.0.0.1:8443"),
    }.items():
        found = located(address)
        assert found is not None, address
        assert (found.host, found.repository) == (host, "o/r")


def test_names_that_only_ssh_may_know_are_told_apart() -> None:
    for address, name in {
        "git@github.com-work:o/r": "github.com-work",
        "ssh://git@work/o/r": "work",
        "git@github.com:o/r": "",
        "ssh://git@ssh.github.com:443/o/r": "",
        "git@x.ghe.com:o/r": "",
        "https://git.example.org/o/r": "",
        "/srv/o/r": "",
    }.items():
        assert unknown_to_all_but_ssh(address) == name


def test_tenant_with_data_residency_has_its_api_beside_it() -> None:
    tenant = Host("x.ghe.com", "https://api.x.ghe.com", "https://api.x.ghe.com/graphql", "https://x.ghe.com")
    found = located("git@x.ghe.com:o/r.git")
    assert found is not None
    assert found.host == tenant == host_at("https://api.x.ghe.com")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/srv/git/o/r",
        "../o/r",
        "~/o/r",
        "file:///o/r",
        "http://github.com/o/r",  # the token would go in the clear
        "http://127.0.0.1.example.org/o/r",
        "git://github.com/o/r",
        "ext::sh -c x",
        "https://github.com/o",
        "https://github.com/o/r/s",
        "https://github.com/o/..",
        "https://github.com/o/.",
        "https://github.com/o r/x",
        "https:///o/r",
        "https://github.com:port/o/r",
        "https://[::1/o/r",
        "git@github.com:o",
        "github.com/o/r",
        "C:\\o\\r",
        "-u:o/r\n",
    ],
)
def test_what_can_be_no_github_is_none(address: str) -> None:
    assert located(address) is None


def test_settings_may_name_the_api() -> None:
    assert host_at("https://api.github.com/") == PUBLIC
    assert host_at("https://git.example.org/api/v3") == enterprise("git.example.org")
    assert host_at("http://127.0.0.1:99") == Host(
        "127.0.0.1:99", "http://127.0.0.1:99", "http://127.0.0.1:99/graphql", "http://127.0.0.1:99"
    )


@pytest.mark.parametrize(
    "api",
    [
        "http://git.example.org/api/v3",
        "git.example.org",
        "https://user:secret@git.example.org",
        "https://git.example.org/?x=1",
        "https://git.example.org/#x",
        "ftp://git.example.org",
        "https://",
        "https://git.example.org:port",
        "",
    ],
)
def test_api_where_the_token_must_not_go_is_refused(api: str) -> None:
    with pytest.raises(UserError) as caught:
        host_at(api)
    assert "is no address of a GitHub API" in caught.value.message
    assert caught.value.hints


def test_settings_come_before_the_environment_and_that_before_the_remote() -> None:
    job = {
        "GITHUB_API_URL": "https://git.example.org/api/v3",
        "GITHUB_GRAPHQL_URL": "https://git.example.org/api/graphql",
        "GITHUB_SERVER_URL": "https://git.example.org",
    }
    assert chosen(PUBLIC, "https://other.example.org/api/v3", job) == enterprise("other.example.org")
    assert chosen(enterprise("git.example.org"), "", job) == enterprise("git.example.org")
    assert chosen(None, "", job) == enterprise("git.example.org")
    assert chosen(PUBLIC, "", job) == PUBLIC  # the job is of another server
    assert chosen(PUBLIC, "", {}) == PUBLIC
    assert chosen(None, "", {}) is None


def test_part_of_a_path_stays_one_part() -> None:
    assert quoted("a/b?c#d%") == "a%2Fb%3Fc%23d%25"
    assert quoted("..") == "%2E%2E"
    assert quoted(12) == "12"
    assert quoted("ä b") == "%C3%A4%20b"


def test_this_machine_is_known_by_its_name_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9:80", "localhost:1", "[::1]", "[::1]:80")))
    assert not any(map(is_loopback, ("", "example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0:80")))
    assert host_named("github.com") == PUBLIC
