"""A stage whose service is used over HTTP, by a real botocore client, while it drives itself."""

import http.client
import json
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import get_session

from durable_gen.local._clock import RealClock, SkippingClock
from durable_gen.local._host import InProcess
from durable_gen.local._serving import Serving
from local.staging import Stage

PATIENCE = 30  # seconds after which something that should happen is said not to


def botocore_client(endpoint, connections=20):
    config = Config(
        retries={"max_attempts": 0}, read_timeout=PATIENCE, max_pool_connections=connections
    )
    return get_session().create_client(
        "lambda",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=config,
    )


def until(predicate):
    """Give the first true value of a predicate."""
    end = time.monotonic() + PATIENCE
    while not (value := predicate()):
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.005)
    return value


class Site(Stage):
    """A service that serves, with a durable function `f`."""

    def __init__(self, *, skip=True, **options):
        options.setdefault("clock", SkippingClock() if skip else RealClock())
        super().__init__(retention=not skip, **options)
        self.serving = Serving(self.service, lambda _: InProcess(self.clock), skip=skip)
        self.endpoint = self.serving.endpoint
        self.client = botocore_client(self.endpoint)

    def play(self, *script, payload=b"{}", until_closed=True, **request):
        self.act("f", *script, execution_timeout=600)
        answer = self.client.invoke(
            FunctionName="f",
            Qualifier="$LATEST",
            InvocationType="Event",
            Payload=payload,
            **request,
        )
        arn = answer["DurableExecutionArn"]
        if until_closed:
            until(lambda: self.status(arn) not in {"RUNNING", "PAUSING", "PAUSED"})
        return arn

    def await_trace(self, arn, words):
        until(lambda: self.trace(arn) == words)

    def raw(self, method, path, body=None, headers=()):
        """Send a request as it is; answer status, headers, body."""
        where = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)
        try:
            chunked = hasattr(body, "__next__")
            connection.request(method, path, body, dict(headers), encode_chunked=chunked)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        return response.status, response.headers, json.loads(data) if data else None


@contextmanager
def site(**options):
    stage = Site(**options)
    with stage.serving:
        yield stage
    stage.client.close()
    stage.service.close()
