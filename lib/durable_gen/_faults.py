"""What a failed call to the service means: by error code and HTTP status."""

from __future__ import annotations

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
