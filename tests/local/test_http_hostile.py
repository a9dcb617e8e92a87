import json
import socket
import threading
from urllib.parse import urlsplit

import pytest

from local.serving import PATIENCE
from local.staging import finish

PLAIN = b"POST /2015-03-31/functions/plain/invocations HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(name="shop")
def _shop(site):
    site.service.register("plain", lambda event, _: event, durable=False)
    return site


class Wire:
    """A connection of a client that writes its own bytes."""

    def __init__(self, stage):
        where = urlsplit(stage.endpoint)
        self.socket = socket.create_connection((where.hostname, where.port), PATIENCE)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """Read a response: status, headers, body."""
        line = self.file.readline()
        headers = {}
        while (text := self.file.readline().strip()) != b"":
            name, _, value = text.decode().partition(": ")
            headers[name.lower()] = value
        body = self.file.read(int(headers.get("content-length", 0)))
        return int(line.split()[1]), headers, body

    def ended(self):
        return self.file.read() == b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (PLAIN + b"".join(b"X-%d: 1\r\n" % n for n in range(10_000)) + b"\r\n", 431),
        (PLAIN + b"X: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (PLAIN + b"Content-Length: -1\r\n\r\n", 400),
        (PLAIN + b"Content-Length: many\r\n\r\n", 400),
        (PLAIN + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}xx", 400),
        (PLAIN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (PLAIN + b"Transfer-Encoding: gzip\r\n\r\n{}", 400),
        (PLAIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (PLAIN + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400),
        (PLAIN + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 5000 + b"\r\n{}\r\n", 400),
        (PLAIN + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}no end of a chunk\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n", 400),
    ],
)
def test_no_http_then_refused_in_json_and_closed(shop, data, status):
    """What is no request is answered with a 4xx and a code, and the connection ends."""
    with Wire(shop) as wire:
        wire.send(data)
        found, headers, body = wire.answer()
        assert (status, "InvalidRequestContentException") == (found, headers["x-amzn-errortype"])
        assert headers["x-amzn-requestid"]
        assert json.loads(body)["message"]
        assert wire.ended()


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"BREW", b"PUT"])
def test_method_unknown_then_no_such_operation(shop, method):
    """A method that no operation has is a 404 like any other."""
    with Wire(shop) as wire:
        wire.send(method + b" /2015-03-31/functions/ HTTP/1.1\r\n\r\n")
        status, headers, _ = wire.answer()
        assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"", b'{"a": '])
def test_body_that_trickles_then_refused_when_patience_is_over(shop, body):
    """A body that does not come is waited for so long and no longer."""
    shop.serving.server.patience = 0.2
    with Wire(shop) as wire:
        wire.send(PLAIN + b"Content-Length: 9\r\n\r\n" + body)
        status, headers, _ = wire.answer()
        assert (status, headers["x-amzn-errortype"]) == (408, "InvalidRequestContentException")
        assert wire.ended()


def test_body_sent_a_byte_at_a_time_for_ever_then_refused(shop):
    """Bytes that come now and then do not lengthen the time that a request has."""
    shop.serving.server.patience = 0.3
    with Wire(shop) as wire:
        wire.send(PLAIN + b"Content-Length: 1000000\r\n\r\n")
        over = threading.Event()

        def trickle():
            while not over.wait(0.01):
                try:
                    wire.send(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert wire.answer()[0] == 408
        finally:
            over.set()
            thread.join()


def test_head_that_trickles_then_closed(shop):
    """A head that does not come whole ends the connection."""
    shop.serving.server.patience = 0.2
    with Wire(shop) as wire:
        wire.send(b"GET /2015-03-31/functions/ HTTP/1.1\r\nHost:")
        assert wire.ended()


def test_patience_over_between_requests_then_the_connection_is_kept(shop):
    """A connection may be idle for longer than a request may take to come."""
    shop.serving.server.patience = 0.05
    with Wire(shop) as wire:
        for _ in range(2):
            wire.send(PLAIN + b"Content-Length: 2\r\n\r\n{}")
            assert wire.answer()[::2] == (200, b"{}")
            threading.Event().wait(0.1)


def test_body_announced_then_told_to_send_it(shop):
    """A client that waits for 100 Continue before it sends its body is told so."""
    with Wire(shop) as wire:
        wire.send(PLAIN + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert wire.answer()[0] == 100
        wire.send(b"{}")
        assert wire.answer()[::2] == (200, b"{}")


def test_headers_of_any_bytes_then_handed_on_or_refused(shop):
    """What stands in headers is any bytes: they hurt nobody."""
    with Wire(shop) as wire:
        head = PLAIN + b"X-Amzn-Trace-Id: \xff\xe9\x01\r\nContent-Type: \xff;;=\r\n"
        wire.send(head + b"Content-Length: 2\r\n\r\n{}")
        assert wire.answer()[::2] == (200, b"{}")
        wire.send(PLAIN + b"X-Amz-Client-Context: \xf0\r\nContent-Length: 2\r\n\r\n{}")
        assert wire.answer()[1]["x-amzn-errortype"] == "InvalidRequestContentException"


def test_text_that_utf8_cannot_write_then_escaped_as_json_has_it(site):
    """A lone surrogate leaves the service as JSON's escape for it."""
    site.service.register("plain", lambda event, _: event, durable=False)
    lone = b'"\\ud800"'
    site.act("f", finish(result='"\ud800"'), execution_timeout=600)
    for path in ("f:$LATEST", "plain"):
        with Wire(site) as wire:
            head = b"POST /2015-03-31/functions/%s/invocations HTTP/1.1\r\n" % path.encode()
            wire.send(head + b"Content-Length: 8\r\n\r\n" + lone)
            assert wire.answer()[::2] == (200, lone)
