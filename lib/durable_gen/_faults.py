"""What a failed call to the service means: by error code and HTTP status."""

from __future__ import annotations

import errno
import sys
from typing import Any, Literal

from durable_gen.errors import CheckpointFailed

Meaning = Literal["over", "refused", "passing", "broken"]

KMS = frozenset(
    {
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    }
)
PASSING = frozenset(  # client errors that time mends
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
BROKEN = frozenset(  # those that another process may not have
    {"ExpiredToken", "ExpiredTokenException", "RequestTimeTooSkewed"}
)
SPENT = "invalid checkpoint token"  # the one fault that has no code of its own


def meaning(error: Exception) -> Meaning:
    """Say what a failed call means.

    Returns:
        "over": the token is no longer valid, another invocation goes on; "refused": trying again
        cannot help; "passing": it may, here and now; "broken": it cannot here, so Lambda should
        invoke again.
    """
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        return _without_answer(error)
    fault = response.get("Error") or {}
    code = fault.get("Code", "")
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    text = str(fault.get("Message", "")).casefold()
    if code == "InvalidParameterValueException" and text.startswith(SPENT):
        return "over"
    if code in BROKEN:
        return "broken"
    if code in PASSING:
        return "passing"
    if code in KMS or (400 <= status < 500 and status not in (408, 429)):
        return "refused"
    return "passing"


def _without_answer(error: Exception) -> Meaning:
    """Judge an error that holds no answer of the service: botocore's own, or another client's."""
    if isinstance(error, OSError):  # connections, time-outs
        return "passing"
    from botocore.exceptions import ConnectionError as Unconnected
    from botocore.exceptions import HTTPClientError, ParamValidationError

    if isinstance(error, ParamValidationError):
        return "refused"
    return "passing" if isinstance(error, HTTPClientError | Unconnected) else "broken"


def retry_after(error: Exception) -> float:
    """Read how many seconds the service asks to wait; 0 where it does not say."""
    response: Any = getattr(error, "response", None) or {}
    headers = (response.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:  # a date, which this service does not send
        return 0.0


def refused(error: Exception) -> CheckpointFailed:
    """Make the error for a call that the service refused."""
    failed = CheckpointFailed(f"the service refused the call: {error}")
    failed.__cause__ = error
    return failed


# --- faults of stores and key services that a serde uses --------------------------------------------

PASSING_ERRNO = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EREMOTEIO,
        errno.ESTALE,
    }
)
PASSING_BOTOCORE = (
    "ConnectionError",
    "CredentialRetrievalError",
    "HTTPClientError",
    "IncompleteReadError",
    "NoCredentialsError",
)


class Passing(BaseException):
    """A fault that may pass ends the invocation: no workflow, and no record, takes it for its own.

    Args:
        error: the fault, for Lambda to see.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def passes(error: Exception) -> bool:
    """Tell whether what a serde raised may pass, so that Lambda should invoke again."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if _botocore(error, "ClientError"):
        return meaning(error) in ("passing", "broken")
    if _botocore(error, *PASSING_BOTOCORE):
        return True
    return isinstance(error, OSError) and error.errno in PASSING_ERRNO


def _botocore(error: Exception, *names: str) -> bool:
    """Tell whether an error is one of botocore's, without importing it."""
    module = sys.modules.get("botocore.exceptions")
    return module is not None and isinstance(error, tuple(getattr(module, name) for name in names))
