"""The service over HTTP: an application that answers as Lambda's endpoint does."""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from botocore.exceptions import ClientError, ParamValidationError

from durable_gen.local._answers import Answered, answered, faulty, refused
from durable_gen.local._arrival import Request
from durable_gen.local._client import TOGETHER
from durable_gen.local._front import Front
from durable_gen.local._routes import Asked, Malformed, arguments, find
from durable_gen.local._rules import MIB
from durable_gen.local._wire import fault, model

if TYPE_CHECKING:
    from durable_gen.local._client import Client

BODY = 6 * MIB + 256 * 1024
"""Bytes of a request's body: the largest payload, and what is around it in a checkpoint."""
FAILED = "The service failed; its log says how."
LOGGER = logging.getLogger("durable_gen.local")
UNREAD = frozenset(
    {"text/plain", "text/html", "text/xml", "application/xml", "multipart/form-data"}
)
"""Content types of bodies that are certainly no JSON; others pass, as curl's form type does."""


class Http:
    """What a server asks for answers.

    Args:
        client: answers the operations of durable executions.
        front: answers those of functions.
    """

    def __init__(self, client: Client, front: Front) -> None:
        self._client = client
        self._front = front
        self._run = str(uuid.uuid4())[:-12]  # a request's id is of this run, and its number
        self._numbers = itertools.count(1)

    def __call__(self, request: Request) -> Answered:
        """Answer a request."""
        id_ = f"{self._run}{next(self._numbers):012x}"
        try:
            answer = self._answer(request, id_)
        except Exception:
            LOGGER.exception("%s %s", request.method, request.target)
            answer = faulty("ServiceException", FAILED)
        headers = {"x-amzn-RequestId": id_, **answer.headers}
        return Answered(answer.status, headers, answer.body)

    def quick(self, request: Request) -> bool:
        """Tell whether a request waits for nothing but the disk, and reads nothing from it."""
        found = find(request.method, request.target.partition("?")[0])
        operation = None if found is None else found[0]
        if operation == "Invoke":
            return request.headers.get("x-amz-invocation-type") == "Event"
        return operation in TOGETHER

    def together(self, requests: Sequence[Request]) -> list[Answered]:
        """Answer the first of some quick requests, at least one; they wait for the disk together."""
        results = self._client.together([partial(self, request) for request in requests])
        return [one if isinstance(one, Answered) else _failed(one) for one in results]

    def _answer(self, request: Request, id_: str) -> Answered:
        path, _, query = request.target.partition("?")
        found = find(request.method, path)
        if found is None:
            text = f"There is no operation at {request.method} {path:.200}"
            return faulty("UnknownOperationException", text, 404)
        operation, labels = found
        if len(request.body) > BODY:
            return self._too_large(operation)
        values = parse_qs(query, keep_blank_values=True) if query else {}
        asked = Asked(labels, values, request.headers, request.body)
        try:
            _readable(operation, request)
            given = arguments(operation, asked)
            result = self._perform(operation, given, request, id_)
        except Malformed as error:
            return faulty("InvalidParameterValueException", str(error))
        except ParamValidationError as error:
            return faulty("InvalidParameterValueException", str(error))
        except ClientError as error:
            return refused(error)
        return answered(operation, result)

    def _perform(
        self, operation: str, given: dict[str, Any], request: Request, id_: str
    ) -> Mapping[str, Any]:
        match operation:
            case "Invoke":
                trace = request.headers.get("x-amzn-trace-id")
                return self._front.invoke(trace_id=trace, request_id=id_, **given)
            case "GetFunction":
                return self._front.get_function(**given)
            case "ListFunctions":
                return self._front.list_functions(**given)
            case _:
                return self._client.perform(operation, given)

    @staticmethod
    def _too_large(operation: str) -> Answered:
        codes = {shape.name for shape in model().operation_model(operation).error_shapes}
        code = "RequestTooLargeException"
        code = code if code in codes else "InvalidParameterValueException"
        return faulty(code, f"The body has more than {BODY} bytes")


def _failed(error: Exception) -> Answered:
    LOGGER.error("What a request did could not be kept.", exc_info=error)
    answer = faulty("ServiceException", FAILED)
    return Answered(
        answer.status, {"x-amzn-RequestId": str(uuid.uuid4()), **answer.headers}, answer.body
    )


def _readable(operation: str, request: Request) -> None:
    """Refuse a body whose content type says that it is no JSON.

    Raises:
        Malformed: the operation has no code of its own for it.
        ClientError: UnsupportedMediaTypeException, of Invoke.
    """
    mimetype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not request.body or mimetype not in UNREAD or operation.endswith("CallbackSuccess"):
        return
    text = f"The body is expected to be application/json, not {mimetype}"
    if operation == "Invoke":
        raise fault(code="UnsupportedMediaTypeException", message=text, operation=operation)
    raise Malformed(text)
