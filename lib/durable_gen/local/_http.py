"""The service over HTTP: a WSGI application that answers as Lambda's endpoint does."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError
from werkzeug.wrappers import Request, Response

from durable_gen.local._answers import Answered, answered, faulty, refused
from durable_gen.local._front import Front
from durable_gen.local._routes import Asked, Malformed, arguments, find
from durable_gen.local._rules import MIB
from durable_gen.local._wire import fault, model

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from durable_gen.local._client import Client

BODY = 6 * MIB + 256 * 1024
"""Bytes of a request's body: the largest payload, and what is around it in a checkpoint."""
LOGGER = logging.getLogger("durable_gen.local")
UNREAD = frozenset(
    {"text/plain", "text/html", "text/xml", "application/xml", "multipart/form-data"}
)
"""Content types of bodies that are certainly no JSON; others pass, as curl's form type does."""


class Http:
    """A WSGI application over a service.

    Args:
        client: answers the operations of durable executions.
        front: answers those of functions.
    """

    def __init__(self, client: Client, front: Front) -> None:
        self._client = client
        self._front = front

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request, id_ = Request(environ), str(uuid.uuid4())
        try:
            answer = self._answer(request, id_)
        except Exception:
            LOGGER.exception("%s %s", request.method, request.path)
            answer = faulty("ServiceException", "The service failed; its log says how.")
        response = Response(answer.body, answer.status)
        response.headers.clear()
        response.headers["x-amzn-RequestId"] = id_
        for key, value in answer.headers.items():
            response.headers[key] = value
        if answer.status != 204:
            response.headers["Content-Length"] = str(len(answer.body))
        return response(environ, start_response)

    def _answer(self, request: Request, id_: str) -> Answered:
        path = (request.environ.get("REQUEST_URI") or request.path).partition("?")[0]
        found = find(request.method, path)
        if found is None:
            text = f"There is no operation at {request.method} {path:.200}"
            return faulty("UnknownOperationException", text, 404)
        operation, labels = found
        body = request.stream.read(BODY + 1)
        if len(body) > BODY:
            return self._too_large(operation)
        asked = Asked(labels, dict(request.args.lists()), request.headers, body)
        try:
            _readable(operation, request.mimetype, body)
            given = arguments(operation, asked)
            if operation == "Invoke":  # neither is the operation's own
                given["trace_id"] = request.headers.get("X-Amzn-Trace-Id")
                given["request_id"] = id_
            result = self._method(operation)(**given)
        except Malformed as error:
            return faulty("InvalidParameterValueException", str(error))
        except ParamValidationError as error:
            return faulty("InvalidParameterValueException", str(error))
        except ClientError as error:
            return refused(error)
        return answered(operation, result)

    def _method(self, operation: str) -> Callable[..., Mapping[str, Any]]:
        name = xform_name(operation)
        holder = self._front if hasattr(self._front, name) else self._client
        method: Callable[..., Mapping[str, Any]] = getattr(holder, name)
        return method

    @staticmethod
    def _too_large(operation: str) -> Answered:
        codes = {shape.name for shape in model().operation_model(operation).error_shapes}
        code = "RequestTooLargeException"
        code = code if code in codes else "InvalidParameterValueException"
        return faulty(code, f"The body has more than {BODY} bytes")


def _readable(operation: str, mimetype: str, body: bytes) -> None:
    """Refuse a body whose content type says that it is no JSON.

    Raises:
        Malformed: the operation has no code of its own for it.
        ClientError: UnsupportedMediaTypeException, of Invoke.
    """
    if not body or mimetype not in UNREAD or operation.endswith("CallbackSuccess"):
        return
    text = f"The body is expected to be application/json, not {mimetype}"
    if operation == "Invoke":
        raise fault(code="UnsupportedMediaTypeException", message=text, operation=operation)
    raise Malformed(text)
