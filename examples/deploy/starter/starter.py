"""Starts an execution for each message of a queue: a plain function, on what Lambda's runtime has.

The message's id is the execution's name, and a name is used once: a message that is delivered twice starts one
execution. A message that could not be started is left in the queue, for the next try.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import botocore.session


@cache
def client() -> Any:
    """Make a Lambda client, once."""
    return botocore.session.get_session().create_client("lambda")


def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Start them all.

    Args:
        event: a batch of messages of SQS.

    Returns:
        The messages that stay in the queue.
    """
    failed = []
    for message in event["Records"]:
        try:
            start(message["messageId"], message["body"])
        except Exception as error:
            print(f"message {message['messageId']} was not started: {error!r}")
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def start(name: str, body: str) -> None:
    """Start an execution, unless there is one of this name."""
    client().invoke(
        FunctionName=os.environ["FUNCTION"],  # with its alias
        InvocationType="Event",
        DurableExecutionName=name,
        Payload=body.encode(),
    )
