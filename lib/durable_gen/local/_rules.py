"""What a checkpoint may contain: the whole batch is judged before any of it is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from durable_gen.local._facts import ErrorObject, Operation, Update
from durable_gen.local._functions import ACCOUNT, REGION, Name
from durable_gen.local._machine import LEGAL

MIB = 1_048_576  # bytes
PAYLOAD_LIMIT = MIB  # of an operation, a callback's answer, an asynchronous execution
SYNC_LIMIT = 6 * MIB  # of an execution that someone waits for (service model: OperationPayload)
BODY_LIMIT = 6 * MIB  # of a checkpoint's updates, as JSON
ACTIONS = {(kind, action) for kind, _, action in LEGAL}
PAIRS = {
    ("STEP", "SUCCEED"): "START",
    ("STEP", "FAIL"): "START",
    ("STEP", "RETRY"): "START",
    ("CONTEXT", "SUCCEED"): "START",
    ("CONTEXT", "FAIL"): "START",
}
"""(type, action) of a second update of one Id in a batch -> the action that the first must have."""


class Refused(Exception):  # noqa: N818  # it becomes an InvalidParameterValueException at the edge
    """A request breaks a rule; nothing has been changed."""


def size(text: str | None) -> int:
    """Count the UTF-8 bytes of a payload."""
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def error_size(error: ErrorObject | None) -> int:
    """Count the UTF-8 bytes of an error, over all of its fields."""
    if not error:
        return 0
    fields = (error.get(member) for member in ("ErrorMessage", "ErrorType", "ErrorData"))
    return sum(map(size, fields)) + sum(map(size, error.get("StackTrace") or ()))


def judge(
    batch: Sequence[Update], find: Callable[[str], Operation | None], execution_limit: int
) -> None:
    """Judge a batch.

    Args:
        batch: the updates in order.
        find: gives the operation of an id as it stands.
        execution_limit: bytes of the execution's result.

    Raises:
        Refused: a rule is broken; the text names the update.
    """
    earlier: dict[str, list[Update]] = {}
    status: dict[str, str] = {}
    for place, update in enumerate(batch):
        try:
            if update.type == "EXECUTION" and place != len(batch) - 1:
                msg = "expected one EXECUTION update, as the last of its batch"
                raise Refused(msg)
            _update(update, find, earlier, status, execution_limit)
        except Refused as error:
            msg = f"Updates[{place}] ({update.type} {update.action} of {update.id!r}): {error}"
            raise Refused(msg) from None


def _update(
    update: Update,
    find: Callable[[str], Operation | None],
    earlier: dict[str, list[Update]],
    status: dict[str, str],
    execution_limit: int,
) -> None:
    """Judge one update, and remember it among the earlier ones."""
    _shape(update)
    if update.type == "EXECUTION":
        _sizes(update, execution_limit)
        return
    _sizes(update, PAYLOAD_LIMIT)
    stored = find(update.id)
    before = earlier.setdefault(update.id, [])
    _same(update, stored, before)
    _parent(update, find, earlier)
    known = status.get(update.id, stored.status if stored else None)
    then = LEGAL.get((update.type, known, update.action))
    if then is None:
        msg = f"expected an action that its status allows, but it is {known or 'absent'}"
        raise Refused(msg)
    status[update.id] = then
    before.append(update)


def _shape(update: Update) -> None:
    kind, action = update.type, update.action
    msg = None
    if kind == "EXECUTION":
        if action not in {"SUCCEED", "FAIL"}:
            msg = "expected SUCCEED or FAIL"
    elif (kind, action) not in ACTIONS:
        known = sorted(a for k, a in ACTIONS if k == kind)
        msg = f"expected one of {', '.join(known)}"
    if action == "SUCCEED" and update.error is not None:
        msg = "a success carries no Error"
    elif action == "FAIL" and update.payload is not None:
        msg = "a failure carries no Payload"
    elif action == "RETRY" and update.payload is not None and update.error is not None:
        msg = "a retry carries Payload or Error, not both"
    elif action == "RETRY" and update.delay is None:
        msg = "expected StepOptions.NextAttemptDelaySeconds, 1 to 31622400 seconds"
    elif (kind, action) == ("WAIT", "START") and update.wait is None:
        msg = "expected WaitOptions.WaitSeconds, 1 to 31622400 seconds"
    elif (kind, action) == ("CHAINED_INVOKE", "START"):
        msg = _target(update.function)
    if msg is not None:
        raise Refused(msg)


def _target(function: str | None) -> str | None:
    if function is None:
        return "expected ChainedInvokeOptions.FunctionName"
    name = Name.parse(function)
    if name is None:
        return f"malformed FunctionName {function!r}"
    if name.region not in {None, REGION}:
        return f"expected a function of region {REGION}, got {function!r}"
    if name.account not in {None, ACCOUNT}:
        return f"expected a function of account {ACCOUNT}, got {function!r}"
    return None


def _sizes(update: Update, limit: int) -> None:
    for member, found, most in (
        ("Payload", size(update.payload), limit),
        ("Error", error_size(update.error), PAYLOAD_LIMIT),
    ):
        if found > most:
            msg = f"{member} has {found} bytes, the limit is {most}"
            raise Refused(msg)


def _same(update: Update, stored: Operation | None, before: list[Update]) -> None:
    if before:
        first = PAIRS.get((update.type, update.action))
        if len(before) > 1 or before[0].action != first:
            msg = "a second update of one Id in a batch may only close what the first started"
            raise Refused(msg)
    for known in (stored, before[0] if before else None):
        if known is None:
            continue
        for member, old, new in (
            ("Type", known.type, update.type),
            ("SubType", known.sub_type, update.sub_type),
            ("Name", known.name, update.name),
            ("ParentId", known.parent, update.parent),
        ):
            if new is not None and new != old:
                msg = f"{member} was {old!r} before, now it is {new!r}"
                raise Refused(msg)


def _parent(
    update: Update,
    find: Callable[[str], Operation | None],
    earlier: dict[str, list[Update]],
) -> None:
    if update.parent is None:
        return
    stored = find(update.parent)
    sent = earlier.get(update.parent)
    kind = stored.type if stored else sent[0].type if sent else None
    if kind != "CONTEXT":
        msg = f"ParentId {update.parent!r} names {'no operation' if kind is None else f'a {kind}'}, expected a CONTEXT that has started"
        raise Refused(msg)
