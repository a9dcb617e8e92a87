"""A host elsewhere: functions that another Lambda endpoint runs, called over connections kept open."""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Mapping
from functools import cache, lru_cache
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore.parsers
import botocore.serialize
import botocore.session
from attrs import frozen
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HeadersDict

from durable_gen.local._facts import ErrorObject
from durable_gen.local._functions import FUNCTION_TIMEOUT, REGION, Answer
from durable_gen.local._host import Call, Unreachable, encoded, error_of
from durable_gen.local._wire import model

CONNECTING = 10.0  # seconds
ANSWERING = FUNCTION_TIMEOUT + 30  # seconds
SPARE = 64  # connections that are kept open while nothing runs


@frozen
class _Reply:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    last: bool  # whether its connection ends with it


class Remote:
    """A host that calls Invoke somewhere else.

    Args:
        endpoint: its URL, reached without a proxy. What is sent is signed if this machine has AWS
            credentials. AWS_CA_BUNDLE names the certificates that it is judged by.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._parts = urlsplit(endpoint)
        self._credentials = botocore.session.get_session().get_credentials()
        self._spare: list[socket.socket] = []  # the last one was used last
        self._tls: ssl.SSLContext | None = None
        if self._parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))

    def invoke(self, call: Call) -> Answer:
        """Run one invocation elsewhere, and wait for its end.

        Args:
            call: what to run.

        Raises:
            Unreachable: it was refused, or the endpoint does not answer.
        """
        function = call.function
        qualifier = None if function.version == "$LATEST" else function.version
        method, target, headers = _head(function.name, qualifier, call.tenant)
        data = self._written(method, target, headers, encoded(call.event))
        connection = self._connected()
        try:
            reply = _exchange(connection, data, method)
        except TimeoutError:
            connection.close()
            return Answer(error=_late())
        except (OSError, HTTPException) as error:
            connection.close()
            text = f"The endpoint {self._endpoint} has ended the connection: {error!r}"
            raise Unreachable(code="ServiceException", message=text) from error
        if reply.last or len(self._spare) >= SPARE:
            connection.close()
        else:
            self._spare.append(connection)
        return _answer(reply)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._spare:
            self._spare.pop().close()

    def _written(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Write a request, signed if it can be."""
        target = self._parts.path.rstrip("/") + target
        headers = {"Host": self._parts.netloc.rpartition("@")[2], **headers}
        if self._credentials is not None:
            url = f"{self._parts.scheme}://{headers['Host']}{target}"
            request = AWSRequest(method, url, headers, body)
            SigV4Auth(self._credentials.get_frozen_credentials(), "lambda", REGION).add_auth(
                request
            )
            headers = {**headers, **dict(request.headers.items())}
        lines = [f"{method} {target} HTTP/1.1", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _connected(self) -> socket.socket:
        """Take a connection that still stands, or make one.

        Raises:
            Unreachable: nobody listens there.
        """
        while self._spare:
            try:
                connection = self._spare.pop()
            except IndexError:  # another thread has taken it
                break
            if not select.select([connection], [], [], 0)[0]:
                return connection
            connection.close()  # there is nothing to be read but its end
        host, port = self._parts.hostname or "", self._parts.port or (443 if self._tls else 80)
        try:
            connection = socket.create_connection((host, port), CONNECTING)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_hostname=host)
        except OSError as error:
            text = f"Could not connect to the endpoint URL: {self._endpoint}: {error}"
            raise Unreachable(code="ServiceException", message=text) from error
        connection.settimeout(ANSWERING)
        return connection


@lru_cache(maxsize=256)
def _head(
    function: str, qualifier: str | None, tenant: str | None
) -> tuple[str, str, Mapping[str, str]]:
    """Give the method, the target and the headers of an Invoke, by the model."""
    given: dict[str, Any] = {"FunctionName": function, "Payload": b""}
    given |= {} if qualifier is None else {"Qualifier": qualifier}
    given |= {} if tenant is None else {"TenantId": tenant}
    serializer = botocore.serialize.create_serializer(model().protocol)
    found = serializer.serialize_to_request(given, model().operation_model("Invoke"))
    query = urlencode(found["query_string"])
    target = f"{found['url_path']}?{query}" if query else found["url_path"]
    return found["method"], target, dict(found["headers"])


def _exchange(connection: socket.socket, data: bytes, method: str) -> _Reply:
    connection.sendall(data)
    response = HTTPResponse(connection, method=method)
    try:
        response.begin()
        body, headers = response.read(), HeadersDict(response.getheaders())
        return _Reply(response.status, headers, body, response.will_close)
    finally:
        response.close()


@cache
def _failed() -> str:
    """Name the header that tells of a function's failure."""
    members = model().operation_model("Invoke").output_shape.members
    return str(members["FunctionError"].serialization["name"])


def _answer(reply: _Reply) -> Answer:
    """Read an answer; a refusal by the model.

    Raises:
        Unreachable: the function was not run.
    """
    if reply.status >= 300:
        told = {"status_code": reply.status, "headers": reply.headers, "body": reply.body}
        parser = botocore.parsers.create_parser(model().protocol)
        error = parser.parse(told, model().operation_model("Invoke").output_shape)["Error"]
        code, gone = str(error["Code"]), error["Code"] == "ResourceNotFoundException"
        passing = reply.status == 429 or reply.status >= 500
        raise Unreachable(code, str(error["Message"]), gone=gone, passing=passing)
    if reply.headers.get(_failed()):
        return Answer(error=error_of(reply.body))
    return Answer(reply.body.decode("utf-8", "replace"))


def _late() -> ErrorObject:
    text = f"The endpoint has not answered within {ANSWERING} seconds."
    return {"ErrorType": "Sandbox.Timedout", "ErrorMessage": text}
