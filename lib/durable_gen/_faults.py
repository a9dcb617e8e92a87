"""What a failed call to the service means: by error code and HTTP status."""

from __future__ import annotations

from typing import Any, Literal

from durable_gen.errors import CheckpointFailed

Meaning = Literal["over", "refused", "passing"]

KMS = frozenset(
    {
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    }
)
PASSING = frozenset(  # client errors that time, or new credentials, mend
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeTooSkewed",
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
SPENT = "invalid checkpoint token"  # the one fault that has no code of its own


def meaning(error: Exception) -> Meaning:
    """Say what a failed call means.

    Returns:
        "over": the token is no longer valid, another invocation goes on; "refused": trying again
        cannot help; "passing": it may, so Lambda should invoke again.
    """
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        from botocore.exceptions import ParamValidationError

        return "refused" if isinstance(error, ParamValidationError) else "passing"
    fault = response.get("Error") or {}
    code = fault.get("Code", "")
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    text = str(fault.get("Message", "")).casefold()
    if code == "InvalidParameterValueException" and text.startswith(SPENT):
        return "over"
    if code in PASSING:
        return "passing"
    if code in KMS or (400 <= status < 500 and status not in (408, 429)):
        return "refused"
    return "passing"


def refused(error: Exception) -> CheckpointFailed:
    """Make the error for a call that the service refused."""
    failed = CheckpointFailed(f"the service refused the call: {error}")
    failed.__cause__ = error
    return failed
