"""Fifty executions at once on a service that is killed, again and again, and so are its sandboxes."""

import json
import random
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local.processes import Process, send, spawn
from local.serving import botocore_client

CODE = Path(__file__).parent / "killed"
PATIENCE = 150  # seconds after which what has not ended will not end any more
SPAN = (30, 2_000)  # lines of the trail within which the strikes fall; it has about 2,500


class Trail:
    """What the functions have written down so far."""

    def __init__(self, path):
        self.path, self.lines, self._read, self._rest = path, [], 0, b""

    def fresh(self):
        """Read what is new; a line that its writer's death cut off tells nothing."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        found = [json.loads(line) for line in whole if line.endswith(b"}")]
        self.lines += found
        return found

    def of(self, kind):
        return [line for line in self.lines if line["kind"] == kind]


class Ordeal:
    """One run: everything is begun at once, struck at random points, and heard to its end.

    Attributes:
        trail: what the functions wrote down.
        outcomes: number -> ARN, FunctionError, answer of an execution, as its client had them.
        answered: CallbackId -> what was acknowledged as its answer.
        histories: ARN -> events of every execution there is.
        statuses: ARN -> status likewise.
        strikes: what was struck, after how many lines.
        sandboxes: process ids of all sandboxes that were seen.
    """

    def __init__(self, folder, seed, *, executions=50, strikes=5, sandboxes=3, skip=True):
        self.draw = random.Random(seed)
        self.count = executions
        self.trail = Trail(folder / "trail")
        self.trail.path.touch()
        template = folder / "template.yaml"
        text = (CODE / "template.yaml").read_text("utf-8")
        template.write_text(text.replace("$TRAIL", str(self.trail.path)))
        self._options = ["--code", CODE, "--template", template, "--store", folder / "store.db"]
        self._options += ["--port", _free(), "--sandboxes", sandboxes, *["--skip-time"] * skip]
        kinds = [
            self.kill_sandbox,
            self.kill_service,
            self.kill_twice,
            self.orphan,
            self.awake_late,
        ]
        weights = [4, 3, 1, 1, 1]
        chosen = kinds[:2] + self.draw.choices(kinds, weights, k=strikes - 2)
        at = sorted(self.draw.sample(range(*SPAN), strikes))
        self.draw.shuffle(chosen)
        self._plan = list(zip(at, chosen, strict=True))
        self.strikes, self.sandboxes = [], set()
        self.outcomes, self.answered = {}, {}
        self._over = False
        self.served = Process(*self._options)
        self.client = botocore_client(self.served.endpoint, executions + 8)

    def run(self):
        """Run to the end."""
        with ThreadPoolExecutor(self.count + 8) as threads:
            try:
                self._drive(threads)
            finally:
                self._over = True
        self.trail.fresh()
        self._look_back()

    def _drive(self, threads):
        end = time.monotonic() + PATIENCE
        asked = [threads.submit(self._order, number) for number in range(self.count)]
        told = {}
        ended = 0
        while ended < len(asked) + len(told):
            for line in self.trail.fresh():
                if line["kind"] == "asks" and line["callback"] not in told:
                    told[line["callback"]] = threads.submit(self._answer, line["callback"])
            results = [one.result() for one in (*asked, *told.values()) if one.done()]
            ended = len(results)
            if self._plan and len(self.trail.lines) >= self._plan[0][0]:
                self._strike(*self._plan.pop(0))
            assert time.monotonic() < end, f"not all have ended: {sorted(self.outcomes)}"
            time.sleep(0.005)

    def _strike(self, at, strike):
        time.sleep(self.draw.random() * 0.05)
        boxes, _ = self.served.children()
        self.sandboxes.update(boxes)
        self.strikes.append((at, strike.__name__))
        strike()

    # What is struck

    def kill_sandbox(self):
        if boxes := self.served.children()[0]:
            send(self.draw.choice(boxes))

    def kill_service(self):
        self.served.end(signal.SIGKILL)
        self.served = Process(*self._options)

    def kill_twice(self):
        """Kill it, and the next one while it starts."""
        self.served.end(signal.SIGKILL)
        with spawn(*self._options) as started:
            time.sleep(self.draw.random() * 1.5)
            started.kill()
        self.served = Process(*self._options)

    def orphan(self):
        """Kill the service and the keeper of its sandboxes: they go on, with what they were told."""
        for keeper in self.served.children()[1]:
            send(keeper)
        self.kill_service()

    def awake_late(self):
        """Stop a sandbox, let the service die without it, and wake it when another goes on."""
        boxes, keepers = self.served.children()
        held = self.draw.choice(boxes) if boxes else None
        if held:
            send(held, signal.SIGSTOP)
        for keeper in keepers:
            send(keeper)
        self.kill_service()
        time.sleep(self.draw.random())
        if held:
            send(held, signal.SIGCONT)

    # What clients do

    def _order(self, number):
        request = {
            "FunctionName": "order:$LATEST",
            "DurableExecutionName": f"order-{number}",
            "Payload": str(number),
        }
        if number % 2:
            arn, _, _ = self._persist(self._invoke, InvocationType="Event", **request)
            while not self._over:
                found = self._persist(self.client.get_durable_execution, DurableExecutionArn=arn)
                if found["Status"] != "RUNNING":
                    self.outcomes[number] = arn, found.get("Error"), found.get("Result", "null")
                    return
                time.sleep(0.5)
        self.outcomes[number] = self._persist(self._invoke, **request)

    def _invoke(self, **request):
        answer = self.client.invoke(**request)
        with closing(answer["Payload"]) as body:
            return answer["DurableExecutionArn"], answer.get("FunctionError"), body.read()

    def _answer(self, callback):
        result = json.dumps(f"yes to {callback}")
        answer = self.client.send_durable_execution_callback_success
        try:
            self._persist(answer, CallbackId=callback, Result=result)
        except self.client.exceptions.CallbackTimeoutException as error:
            # It was taken, and the service died before it said so.
            if not str(error).endswith(" is SUCCEEDED"):
                raise
        else:
            self.answered[callback] = result

    def _persist(self, call, **request):
        """Ask until there is an answer: a service that is killed gives none."""
        while True:
            try:
                return call(**request)
            except BotoCoreError:
                if self._over:
                    raise
                time.sleep(0.2)

    def _look_back(self):
        client = self.client
        self.histories, self.statuses = {}, {}
        for name in ("order", "part"):
            pages = client.get_paginator("list_durable_executions_by_function")
            for page in pages.paginate(FunctionName=name):
                for found in page["DurableExecutions"]:
                    self.statuses[found["DurableExecutionArn"]] = found["Status"]
        for arn in self.statuses:
            pages = client.get_paginator("get_durable_execution_history")
            self.histories[arn] = [
                event
                for page in pages.paginate(
                    DurableExecutionArn=arn, IncludeExecutionData=True, MaxItems=1000
                )
                for event in page["Events"]
            ]

    def close(self):
        """End what is left."""
        self.client.close()
        if self.served.process.poll() is None:
            self.served.end(signal.SIGKILL)


def _free():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
