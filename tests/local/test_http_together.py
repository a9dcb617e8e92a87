import json
import threading
from urllib.parse import quote

import pytest

from local.serving import PATIENCE, until
from local.staging import callback, finish, suspend
from local.test_commits import FullError
from local.test_http_hostile import Wire

MANY = 5  # requests at once


def get(arn, *headers):
    path = f"/2025-12-01/durable-executions/{quote(arn, safe='')}"
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def posted(path, body):
    return (
        f"POST /2025-12-01/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


@pytest.fixture(name="arn")
def _arn(site):
    return site.play(finish())


@pytest.mark.parametrize("size", [1, 7, 60])
def test_quick_request_in_pieces_then_answered(site, arn, size):
    """A request that comes in pieces is waited for, and nobody waits with it."""
    data = get(arn)
    with Wire(site) as slow, Wire(site) as other:
        for place in range(0, len(data), size):
            slow.send(data[place : place + size])
            if place == 0:
                other.send(data)
                assert other.answer()[0] == 200
        assert json.loads(slow.answer()[2])["Status"] == "SUCCEEDED"
        slow.send(data)
        assert slow.answer()[0] == 200


def test_several_requests_sent_at_once_then_answered_in_their_order(site, arn):
    """A client need not wait for an answer before it asks again."""
    with Wire(site) as wire:
        wire.send(
            get(arn) + get(f"{arn}x") + b"GET /2015-03-31/functions/ HTTP/1.1\r\n\r\n" + get(arn)
        )
        assert [200, 404, 200, 200] == [wire.answer()[0] for _ in range(4)]
        wire.send(get(arn))
        assert wire.answer()[0] == 200


def test_client_says_that_it_stays_then_it_may(site, arn):
    """What HTTP/1.1 does anyway may be said."""
    with Wire(site) as wire:
        for _ in range(2):
            wire.send(get(arn, "Connection: Keep-Alive"))
            assert wire.answer()[0] == 200


def test_client_wants_no_further_answer_then_closed(site, arn):
    """Connection: close holds for every request."""
    with Wire(site) as wire:
        wire.send(get(arn, "Connection: close"))
        status, headers, _ = wire.answer()
        assert (200, "close") == (status, headers["connection"])
        assert wire.ended()


def test_head_of_a_quick_request_that_is_none_then_refused(site, arn):
    """What cannot be read is refused, wherever it would have gone."""
    with Wire(site) as wire:
        wire.send(get(arn, "no header"))
        assert wire.answer()[0] == 400
        assert wire.ended()


def test_answer_that_its_client_does_not_read_then_the_others_have_theirs(site):
    """A client that is slow to read holds nobody up, and gets all of its answer in the end."""
    text = json.dumps("x" * 1_000_000).encode()
    arn = site.play(finish(), payload=text)
    with Wire(site) as slow, Wire(site) as other:
        slow.send(get(arn) * 20)
        for _ in range(3):
            other.send(get(arn))
            assert other.answer()[0] == 200
        for _ in range(20):
            assert json.loads(slow.answer()[2])["InputPayload"] == text.decode()
        slow.send(get(arn))
        assert slow.answer()[0] == 200


def test_client_gone_before_its_answer_then_the_others_have_theirs(site, arn):
    """Clients that leave at any moment hurt nobody."""
    for data in (b"", b"GET", get(arn), get(arn) * 3):
        with Wire(site) as wire:
            wire.send(data)
    with Wire(site) as wire:
        wire.send(get(arn))
        assert wire.answer()[0] == 200


def test_request_that_waits_then_quick_ones_do_not(site, arn):
    """Who waits for a function has a thread of its own."""
    go = threading.Event()
    site.service.register("slow", lambda *_: go.wait(PATIENCE), durable=False)
    with Wire(site) as waiting, Wire(site) as wire:
        waiting.send(b"POST /2015-03-31/functions/slow/invocations HTTP/1.1\r\n\r\n")
        wire.send(get(arn))
        assert wire.answer()[0] == 200
        go.set()
        assert waiting.answer()[::2] == (200, b"true")


def test_service_stopped_then_idle_connections_are_closed(site, arn):
    """Who stops leaves nobody connected."""
    with Wire(site) as wire:
        wire.send(get(arn))
        assert wire.answer()[0] == 200
        site.serving.stop()
        assert wire.ended()


def waiting_for_callbacks(site):
    """Have many executions wait for a callback each; gives the callbacks' ids."""
    site.act("f", *[suspend(callback("c"))] * MANY, *[finish()] * MANY, execution_timeout=600)
    arns = [
        site.client.invoke(FunctionName="f:$LATEST", InvocationType="Event")["DurableExecutionArn"]
        for _ in range(MANY)
    ]
    until(lambda: all(site.trace(arn) == "CallbackStarted |" for arn in arns))
    return [site.service.pending_callbacks(arn)[0].callback_id for arn in arns]


def test_answers_that_come_together_then_each_wakes_its_execution(site):
    """What clients send at once is answered to each of them."""
    words = waiting_for_callbacks(site)
    wires = [Wire(site) for _ in words]
    for wire, word in zip(wires, words, strict=True):
        wire.send(posted(f"durable-execution-callbacks/{quote(word)}/succeed", b"1"))
    assert [200] * MANY == [wire.answer()[0] for wire in wires]
    until(lambda: {site.status(arn) for arn in site.service.executions()} == {"SUCCEEDED"})
    for wire in wires:
        wire.__exit__()


def test_what_they_did_cannot_be_kept_then_each_is_told_and_may_ask_again(site, caplog):
    """A store that fails fails the requests that it was to keep; nothing of them is left."""
    words = waiting_for_callbacks(site)
    engine = site.service._engine
    write = engine._commits._write

    def full(_):
        raise FullError

    data = [posted(f"durable-execution-callbacks/{quote(word)}/succeed", b"1") for word in words]
    wires = [Wire(site) for _ in words]
    engine._commits._write = full
    for wire, request in zip(wires, data, strict=True):
        wire.send(request)
    for wire in wires:
        status, headers, _ = wire.answer()
        assert (500, "ServiceException") == (status, headers["x-amzn-errortype"])
    engine._commits._write = write
    for wire, request in zip(wires, data, strict=True):
        wire.send(request)
        assert wire.answer()[0] == 200
        wire.__exit__()
    until(lambda: {site.status(arn) for arn in site.service.executions()} == {"SUCCEEDED"})
    assert "could not be kept" in caplog.text
