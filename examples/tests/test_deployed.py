"""How a deployed function is tested: the same run object, over a real `durable-gen serve`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.session import get_session

from durable_gen.testing import Answer, DurableCloud

EXAMPLES = Path(__file__).parent.parent
ORDER = json.loads((EXAMPLES / "order.json").read_text("utf-8"))
LOCAL = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


@pytest.fixture(name="deployed", scope="module")
def _deployed():
    """Serve the example; with AWS it is `durable_cloud` and --durable-function."""
    command = [sys.executable, "-u", "-m", "durable_gen.cli", "serve", "--in-process"]
    command += ["--port", "0", "--skip-time", "--code", str(EXAMPLES)]
    command += ["--function", "orders=order_fulfilment:handler"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    endpoint = re.search(r"http://\S+", process.stdout.readline())[0]
    client = get_session().create_client(
        "lambda", endpoint_url=endpoint, region_name="eu-west-1", **LOCAL
    )
    kit = DurableCloud(client, "orders:$LATEST")
    yield kit
    kit.close()
    process.terminate()
    process.wait(30)
    process.stdout.close()


def test_deployed_order_is_shipped(deployed):
    """An order is run where it is deployed; its callback is answered by the test."""
    run = deployed(ORDER, callbacks={"approval": Answer(value=True)})
    assert "shipped" == run.result["status"]
    assert 678.5 == run["payment"].result
