"""The service and its sandboxes are killed at random points while fifty executions run."""

import json
import os
import re
import sys
from collections import Counter
from contextlib import closing

import pytest

from local.ordeal import Ordeal
from local.sandboxing import eventually, gone

# A failure is repeated, as far as threads let it, by `KILL_SEEDS=7 pytest tests/local/test_kills.py`.
SEEDS = [int(seed) for seed in os.environ.get("KILL_SEEDS", "1 2").split()]
WORDS = {  # an update's action, and whether it has an error -> what its event says
    ("START", False): "Started",
    ("SUCCEED", False): "Succeeded",
    ("RETRY", False): "Succeeded",  # of a condition that is not met yet
    ("RETRY", True): "Failed",
    ("FAIL", True): "Failed",
}
LIVES = {  # what the history of one operation may look like, by its kind
    "Step": r"(Started( Failed| Succeeded) )*Started (Succeeded|Failed)",
    "Wait": r"Started Succeeded",
    "Callback": r"Started Succeeded",
    "ChainedInvoke": r"Started (Succeeded|Failed)",  # a plain function that was killed has failed
    "Context": r"Started Succeeded",
    "Execution": r"Started Succeeded",
}


def split(event):
    """Part an event's type into what and how."""
    return re.fullmatch(
        r"([A-Za-z]+)(Started|Succeeded|Failed|TimedOut|Stopped|Completed)", event["EventType"]
    ).groups()


def payload(event):
    return event[f"{event['EventType']}Details"].get("Result", {}).get("Payload")


def finished(ordeal):
    """Every execution is there once, and ends with the right result; every client hears of it."""
    wrong = [arn for arn, status in ordeal.statuses.items() if status != "SUCCEEDED"]
    counts = len(ordeal.outcomes), len(ordeal.statuses)
    if counts != (ordeal.count, 2 * ordeal.count):
        wrong.append(counts)
    recorded = {
        payload(event)
        for events in ordeal.histories.values()
        for event in events
        if event["EventType"] == "StepSucceeded"
    }
    for number, (arn, error, text) in ordeal.outcomes.items():
        result = None if error else json.loads(text)
        answers = [
            payload(event)
            for event in ordeal.histories.get(arn, ())
            if event["EventType"] == "CallbackSucceeded"
        ]
        exact = [number, *map(json.loads, answers), {"paid": number}, number, [0, 1], 2]
        made = set() if error else set(map(json.dumps, result["made"]))
        if error or result["exact"] != exact or len(made) != 7 or made - recorded:
            wrong.append((number, error, text, exact))
    return wrong


def kept(ordeal):
    """What was acknowledged stands in the history, with its value: an update, a callback's answer."""
    there = Counter()
    for arn, events in ordeal.histories.items():
        for event in events:
            kind, word = split(event)
            value = payload(event) if word == "Succeeded" and kind in {"Step", "Context"} else None
            there[arn, event.get("Id"), word, value] += 1
            if event["EventType"] == "CallbackSucceeded":
                there[payload(event)] += 1
    told = Counter(ordeal.answered.values())
    for line in ordeal.trail.of("acknowledged"):
        update = line["update"]
        word = WORDS[update["Action"], bool(update["Error"])]
        value = update["Payload"] if word == "Succeeded" else None
        told[line["arn"], update["Id"], word, value] += 1
    return [item for item in told if told[item] > there[item]]


def unrepeated(ordeal):
    """What was acknowledged to have succeeded does not run again, nor an attempt that has ended."""
    over, ended, wrong = set(), Counter(), []
    for line in ordeal.trail.lines:
        if line["kind"] == "acknowledged":
            step = line["arn"], line["update"]["Id"]
            action = line["update"]["Action"]
            if action in {"SUCCEED", "FAIL"}:
                over.add(step)
            if action == "RETRY":
                ended[step] += 1
        elif line["kind"] == "runs":
            step = line["arn"], line["id"]
            if step in over or line["attempt"] <= ended[step]:
                wrong.append(line)
    return wrong


def once(ordeal):
    """An attempt of an at-most-once step runs at most once."""
    names = {
        (arn, event["Id"])
        for arn, events in ordeal.histories.items()
        for event in events
        if event.get("Name") in {"once", "piece"}
    }
    runs = Counter(
        (line["arn"], line["id"], line["attempt"])
        for line in ordeal.trail.of("runs")
        if (line["arn"], line["id"]) in names
    )
    return [run for run, times in runs.items() if times > 1]


def whole(ordeal):
    """A history has no gap, and every operation's events are those of one life."""
    wrong = []
    for arn, events in ordeal.histories.items():
        if [event["EventId"] for event in events] != list(range(1, len(events) + 1)):
            wrong.append((arn, [event["EventId"] for event in events]))
        lives = {}
        for event in events:
            kind, word = split(event)
            if kind != "Invocation":
                lives.setdefault((kind, event["Id"]), []).append(word)
        wrong += [
            (arn, kind, words)
            for (kind, _), words in lives.items()
            if not re.fullmatch(LIVES[kind], " ".join(words))
        ]
    return wrong


LAWS = [finished, kept, unrepeated, once, whole]


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_points_then_nothing_acknowledged_is_lost_or_done_again(tmp_path, seed):
    """Fifty executions end right, whatever is killed: the service, its sandboxes, their keeper."""
    with closing(Ordeal(tmp_path, seed, skip=bool(seed % 2))) as ordeal:
        try:
            ordeal.run()
        finally:
            sys.stdout.write(f"KILL_SEEDS={seed}: {ordeal.strikes}\n")  # shown if it fails
        assert {} == {law.__doc__: found for law in LAWS if (found := law(ordeal))}
    for pid in ordeal.sandboxes:
        eventually(lambda pid=pid: gone(pid))
