"""AWS's own SDK and clients against `durable-gen serve`, in an environment that has them all."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from local.serving import PATIENCE, until

CODE = Path(__file__).parent / "code"
BIN = Path(sys.executable).parent


class Shop:
    """`durable-gen serve` in a process of its own, and what is asked of it."""

    def __init__(self, log):
        self.log = log
        command = [BIN / "durable-gen", "serve", "--template", CODE / "template.yaml", "--log", log]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        said = ""
        for line in self.process.stdout:
            said += line
            if line.startswith("Executions"):
                break
        exports = dict(re.findall(r"(AWS_\w+)=(\S+)", said))  # as it tells people to set them
        self.environment = {**os.environ, **exports, "AWS_PAGER": ""}
        self.client = boto3.client(
            "lambda",
            endpoint_url=exports["AWS_ENDPOINT_URL_LAMBDA"],
            region_name=exports["AWS_REGION"],
            aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        )

    def start(self, name, event=None, **more):
        """Start an execution, and give its ARN."""
        return self.client.invoke(
            FunctionName=f"{name}:$LATEST",
            InvocationType="Event",
            Payload=json.dumps(event),
            **more,
        )["DurableExecutionArn"]

    def describe(self, arn):
        return self.client.get_durable_execution(DurableExecutionArn=arn)

    def closed(self, arn):
        """Wait for an execution's end, and describe it."""
        return until(lambda: (found := self.describe(arn))["Status"] != "RUNNING" and found)

    def history(self, arn, **more):
        pages = self.client.get_paginator("get_durable_execution_history").paginate(
            DurableExecutionArn=arn, **more
        )
        return [event for page in pages for event in page["Events"]]

    def trace(self, arn):
        """Give the types of an execution's events after its start, as text."""
        words = [event["EventType"] for event in self.history(arn)]
        return " ".join("|" if word == "InvocationCompleted" else word for word in words[1:])

    def callback(self, arn):
        """Wait until an execution waits for an answer, and give the CallbackId."""
        until(lambda: self.trace(arn).endswith("|"))
        (started,) = (e for e in self.history(arn) if e["EventType"] == "CallbackStarted")
        return started["CallbackStartedDetails"]["CallbackId"]

    def aws(self, *words, status=0):
        """Run the AWS command line; give what it wrote, read as JSON, or the error's text."""
        done = subprocess.run(
            [BIN / "aws", "lambda", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert status == done.returncode, done.stderr
        if status:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def close(self):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.stdout.close()


@pytest.fixture(name="shop", scope="session")
def _shop(tmp_path_factory):
    """One service for all tests of a run: a sandbox with AWS's SDK takes a second to start."""
    shop = Shop(tmp_path_factory.mktemp("serve") / "log")
    try:
        yield shop
    finally:
        status = shop.close()
    assert status == 0
