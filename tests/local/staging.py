"""A stage for tiny hand-written handlers: each invocation plays the next turn of a script."""

import json
from datetime import UTC, datetime

from durable_gen.local import Service, VirtualClock

PENDING = {"Status": "PENDING"}
DONE = {"Status": "SUCCEEDED", "Result": '"done"'}


class Turn:
    """One invocation as a script sees it."""

    def __init__(self, client, event, context):
        self.client, self.event, self.context = client, event, context
        self.arn, self.token = event["DurableExecutionArn"], event["CheckpointToken"]
        self.items = event["InitialExecutionState"]["Operations"]
        self.state = {item["Id"]: item for item in self.items}
        self.updated = event["UpdatedOperationIds"]
        self.answers = []

    def send(self, *updates, **more):
        answer = self.client.checkpoint_durable_execution(
            DurableExecutionArn=self.arn,
            CheckpointToken=self.token,
            Updates=list(updates),
            **more,
        )
        self.token = answer.get("CheckpointToken")
        self.answers.append(answer)
        return answer["NewExecutionState"]["Operations"]


class Stage:
    """A service in virtual time with one durable function `f`."""

    def __init__(self, **options):
        options.setdefault("clock", VirtualClock(datetime(2030, 1, 1, tzinfo=UTC)))
        self.clock = options["clock"]
        self.service = Service(**options)
        self.client = self.service.client
        self.turns = []

    def act(self, name, *script, **options):
        turns = iter(script)

        def handler(event, context):
            turn = Turn(self.client, event, context)
            self.turns.append(turn)
            return next(turns)(turn)

        self.service.register(name, handler, **options)

    def play(self, *script, payload="{}", run=True, **options):
        self.act("f", *script, **options)
        arn = self.service.start("f", payload)
        if run:
            self.service.run(arn)
        return arn

    def status(self, arn):
        return self.service.describe(arn)["Status"]

    def trace(self, arn):
        words = [event["EventType"] for event in self.service.history(arn)]
        assert words[0] == "ExecutionStarted"
        return " ".join("|" if word == "InvocationCompleted" else word for word in words[1:])

    def details(self, arn, kind):
        return [e[f"{kind}Details"] for e in self.service.history(arn) if e["EventType"] == kind]


def update(kind, action, id_="a", **more):
    """Write an update; `at` is its parent."""
    if "at" in more:
        more["ParentId"] = more.pop("at")
    return {"Id": id_, "Type": kind, "Action": action, **more}


def wait(id_, seconds, **more):
    return update("WAIT", "START", id_, WaitOptions={"WaitSeconds": seconds}, **more)


def callback(id_, timeout=0, heartbeat=0, **more):
    options = {"TimeoutSeconds": timeout, "HeartbeatTimeoutSeconds": heartbeat}
    return update("CALLBACK", "START", id_, CallbackOptions=options, **more)


def retry(id_, seconds, **more):
    return update("STEP", "RETRY", id_, StepOptions={"NextAttemptDelaySeconds": seconds}, **more)


def invoke(id_, function, **more):
    return update(
        "CHAINED_INVOKE", "START", id_, ChainedInvokeOptions={"FunctionName": function}, **more
    )


def suspend(*updates):
    """Make a turn that sends updates and suspends."""

    def turn(t):
        t.send(*updates)
        return PENDING

    return turn


def finish(*updates, result='"done"'):
    """Make a turn that sends updates and ends the execution."""

    def turn(t):
        if updates:
            t.send(*updates)
        return {"Status": "SUCCEEDED", "Result": result}

    return turn


def code(error):
    """Give the code, the HTTP status and the beginning of the text of a ClientError."""
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def dumps(value):
    return json.dumps(value, separators=(",", ":"))
