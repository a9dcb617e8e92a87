"""A document pipeline: read many documents at once, tolerate a few bad ones, retry the slow ones.

durable-gen run examples/document_pipeline.py:handler --event examples/documents.json
"""

from __future__ import annotations

import asyncio
from typing import TypedDict

from attrs import frozen

from durable_gen import Completion, Context, Flow, Retry, StepTimedOut, current_step, durable

PATIENT = Retry(max_attempts=3, initial=1, jitter="none", retry_on=(StepTimedOut, ConnectionError))


@frozen
class Page:
    """What was read of a document."""

    document: str
    words: int


class Report(TypedDict):
    """What came of all of them."""

    words: int
    bad: list[str | None]
    reason: str


def fetch(document: str) -> str:
    """Download a document; the archive answers at the second try."""
    if document.startswith("archive/") and current_step().attempt == 1:
        msg = "the archive is waking up"
        raise ConnectionError(msg)
    if document.endswith(".bad"):
        msg = f"{document} is not a document"
        raise ValueError(msg)
    return f"text of {document}"


async def recognise(text: str) -> int:
    """Count the words; the first try of a long one hangs, and is given up after its timeout."""
    if "scan" in text and current_step().attempt == 1:
        await asyncio.sleep(60)
    return len(text.split())


def read(ctx: Context, document: str) -> Flow[Page]:
    """Read one document."""
    text = yield from ctx.step("fetch", fetch, document, retry=PATIENT)
    words = yield from ctx.step("recognise", recognise, text, retry=PATIENT, timeout=0.25)
    return Page(document, words)


@durable
def handler(event: dict[str, list[str]], ctx: Context) -> Flow[Report]:
    """Read all documents, up to four at once; give up when more than a quarter are bad."""
    pages = yield from ctx.map(
        "read",
        event["documents"],
        read,
        max_concurrency=4,
        completion=Completion(tolerated_percentage=25),
        item_name=lambda document, _: document,
    )
    return Report(
        words=sum(page.words for page in pages.values),
        bad=[item.name for item in pages if item.error is not None],
        reason=pages.reason,
    )
