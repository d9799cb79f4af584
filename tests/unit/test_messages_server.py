"""The scripted Messages server over real HTTP, asked by the real SDK."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from shared.model import Tokens
from tests.support.messages import Asked, Fault, MessagesServer, RateLimits, Reply, ToolUse, first

TOOLS: Any = [
    {
        "name": "write",
        "input_schema": {"type": "object"},
        "cache_control": {"type": "ephemeral"},
    },
    {"name": "read", "input_schema": {"type": "object"}},
]
WRITE = Reply(
    "I write.", [ToolUse("write", {"path": "ä.py", "text": 'a\n"b"'}), ToolUse("read")], thinking="Where?"
)


def client(server: MessagesServer, **fields: Any) -> anthropic.Anthropic:
    """Without certificates, which take longer to load than everything else."""
    options: dict[str, Any] = {"base_url": server.url, "api_key": server.key, "max_retries": 0} | fields
    return anthropic.Anthropic(http_client=anthropic.DefaultHttpxClient(verify=False), **options)


def streamed(server: MessagesServer, *contents: Any, **fields: Any) -> Any:
    """The final message of a streamed request whose messages alternate."""
    roles = ("user", "assistant")
    messages: Any = [
        {"role": roles[n % 2], "content": content} for n, content in enumerate(contents or ("hi",))
    ]
    options: Any = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": messages} | fields
    with client(server) as asking, asking.messages.stream(**options) as stream:
        return stream.get_final_message()


@pytest.fixture
def hello() -> Iterator[MessagesServer]:
    with MessagesServer(lambda asked: Reply("hello")) as server:
        yield server


def test_sdk_puts_a_streamed_answer_together() -> None:
    with MessagesServer(lambda asked: WRITE) as server:
        final = streamed(server, tools=TOOLS)
    thinking, text, write, read = final.content
    assert (thinking.thinking, text.text) == ("Where?", "I write.")
    assert (write.name, write.input) == ("write", {"path": "ä.py", "text": 'a\n"b"'})
    assert (read.name, read.input) == ("read", {})
    assert final.stop_reason == "tool_use"


def test_bill_is_what_the_client_was_told(hello: MessagesServer) -> None:
    usages = [streamed(hello, "x" * 9000, tools=TOOLS).usage for _ in range(2)]
    told = [
        Tokens(u.input_tokens, u.output_tokens, u.cache_creation_input_tokens, 0, u.cache_read_input_tokens)
        for u in usages
    ]
    assert hello.billed == told[0] + told[1]
    assert hello.billed_usd > 0


def test_answers_that_do_not_stream_are_the_same(hello: MessagesServer) -> None:
    with client(hello) as asking:
        whole = asking.messages.create(
            model="claude-sonnet-5-5", max_tokens=10, messages=[{"role": "user", "content": "hi"}]
        )
    assert whole.content[0].text == streamed(hello).content[0].text == "hello"  # type: ignore[union-attr]
    assert hello.bills[1] == hello.bills[2]


def test_conversation_goes_on_with_results_and_thoughts_as_they_were() -> None:
    with MessagesServer(lambda asked: WRITE if asked.turns == 0 else Reply("done")) as server:
        content = streamed(server, tools=TOOLS).to_dict()["content"]
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
            for block in content
            if block["type"] == "tool_use"
        ]
        assert streamed(server, "hi", content, results, tools=TOOLS).content[0].text == "done"
        assert [text for _, text, _ in server.asked[1].tool_results] == ["ok", "ok"]
        changed = [{**content[0], "thinking": "Elsewhere?"}, *content[1:]]
        for broken, problem in ((changed, "Invalid `signature`"), (content[1:], "Expected `thinking`")):
            with pytest.raises(anthropic.BadRequestError, match=problem):
                streamed(server, "hi", broken, results, tools=TOOLS)
    assert len(server.violations) == 2


def test_paused_turn_may_be_gone_on_with_and_no_other_one() -> None:
    replies = [Reply("thinking about it", stop_reason="pause_turn"), Reply("done")]
    with MessagesServer(lambda asked: replies[asked.turns]) as server:
        paused = streamed(server).to_dict()["content"]
        assert streamed(server, "hi", paused).content[0].text == "done"
        with pytest.raises(anthropic.BadRequestError, match="prefill"):
            streamed(server, "hi", "The answer is")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
def test_statuses_are_told_in_the_real_ones_words_and_cost_nothing(status: int) -> None:
    with MessagesServer(lambda asked: Fault(status, {"retry-after": "7"})) as server:
        with pytest.raises(anthropic.APIStatusError) as refused:
            streamed(server)
        assert refused.value.status_code == status
        assert refused.value.response.headers["retry-after"] == "7"
        assert server.billed == Tokens()


def test_cut_stream_raises_in_the_client_and_bills_what_was_sent() -> None:
    with MessagesServer(first([Fault.cut(4)], lambda asked: Reply("word " * 100))) as server:
        with pytest.raises(httpx2.RemoteProtocolError):
            streamed(server)
        cut, _ = server.billed, streamed(server)
    assert cut.input == server.bills[2][1].input
    assert 0 < cut.output < server.bills[2][1].output


def test_stream_that_ends_early_raises_nothing_in_the_client() -> None:
    with MessagesServer(lambda asked: Fault.early_end(4)) as server:
        assert streamed(server).stop_reason is None


def test_error_in_a_stream_is_raised_with_a_good_status() -> None:
    with MessagesServer(lambda asked: Fault.error_event("overloaded_error", "Overloaded")) as server:
        with pytest.raises(anthropic.APIStatusError) as raised:
            streamed(server)
        assert raised.value.status_code == 200


def test_refused_connection_is_a_connection_error() -> None:
    with MessagesServer(lambda asked: Fault.refuse_connection()) as server:
        with pytest.raises(anthropic.APIConnectionError):
            streamed(server)
        assert len(server.asked) == 1


@pytest.mark.parametrize("events", [0, 3])
def test_server_that_hangs_lets_go_when_it_is_closed(events: int) -> None:
    with (
        MessagesServer(lambda asked: Fault.hang(events)) as server,
        client(server, timeout=0.2) as asking,
        pytest.raises((anthropic.APITimeoutError, httpx2.ReadTimeout)),
    ):
        list(
            asking.messages.create(
                model="claude-sonnet-5-5",
                max_tokens=10,
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
            )
        )


def test_nothing_is_said_without_the_key(hello: MessagesServer) -> None:
    with client(hello, api_key="another") as asking, pytest.raises(anthropic.AuthenticationError):
        asking.models.list()
    assert hello.violations == ["a request without the key"]


def test_broken_json_and_unknown_models_are_refused(hello: MessagesServer) -> None:
    headers = {"x-api-key": hello.key, "anthropic-version": "2023-06-01"}
    broken = urllib.request.Request(f"{hello.url}/v1/messages", b"{", headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(broken)
    assert json.loads(refused.value.read())["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError):
        streamed(hello, model="gpt")


def test_tokens_are_counted_without_a_bill(hello: MessagesServer) -> None:
    with client(hello) as asking:
        count = asking.messages.count_tokens(
            model="claude-sonnet-5-5", messages=[{"role": "user", "content": "hi"}]
        )
        models = [model.id for model in asking.models.list()]
    assert hello.billed == Tokens()
    assert count.input_tokens == streamed(hello).usage.input_tokens
    assert models == ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"]


def test_scripts_may_wait_for_each_other() -> None:
    together = threading.Barrier(12)

    def script(asked: Asked) -> Reply:
        together.wait(10)
        return Reply("all are here")

    with MessagesServer(script) as server:
        threads = [threading.Thread(target=streamed, args=(server,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.at_once == 12


def test_limits_that_were_asked_for_are_enforced() -> None:
    with MessagesServer(lambda asked: Reply("x"), limits=RateLimits(requests=60, burst=1 / 60)) as server:
        streamed(server)
        with pytest.raises(anthropic.RateLimitError) as refused:
            streamed(server)
        assert refused.value.response.headers["retry-after"] == "1"
        assert server.limit_refusals == 1
