"""S3 and KMS as far as codecs use them, over HTTP on loopback, for real botocore clients."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import deque
from contextlib import contextmanager, suppress
from hashlib import sha256

from botocore.config import Config
from botocore.session import get_session
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

XML = "<?xml version='1.0'?><Error><Code>{}</Code><Message>it is {}</Message></Error>"


class Refusal(Exception):  # noqa: N818
    """An answer that is an error."""

    def __init__(self, status, code):
        super().__init__(code)
        self.status = status
        self.code = code


class Aws:
    """A bucket named `values`, which has no other owner than 111122223333, and keys in KMS.

    Attributes:
        objects: what the bucket holds, by key.
        calls: what was called, in order: `PutObject`, `GetObject`, `GenerateDataKey`, `Decrypt`.
        faults: (status, code) of what the next calls are answered with; None lets one through,
            and "lost" does it and loses the answer.
        keys: the keys in KMS, by id.
    """

    def __init__(self):
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.faults: deque = deque()
        self.keys = {name: os.urandom(32) for name in ("alias/one", "alias/two")}
        self.endpoint = ""
        self.session = get_session()

    def client(self, service, attempts=1):
        config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        return self.session.create_client(
            service,
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=config,
        )

    @Request.application
    def app(self, request):
        target = request.headers.get("X-Amz-Target", "")
        name = target.rpartition(".")[2] or f"{request.method.title()}Object"
        self.calls.append(name)
        self.headers.append(dict(request.headers))
        fault = self.faults.popleft() if self.faults else None
        try:
            if isinstance(fault, tuple):
                raise Refusal(*fault)
            answer = self.kms(name, request.get_json(True)) if target else self.s3(request)
            if fault == "lost":
                raise Refusal(503, "ServiceUnavailable")
        except Refusal as error:
            if target:
                return Response(json.dumps({"__type": error.code, "message": "no"}), error.status)
            return Response(XML.format(error.code, error.code), error.status)
        return answer

    def s3(self, request):
        bucket, _, key = request.path.strip("/").partition("/")
        if bucket != "values":
            raise Refusal(404, "NoSuchBucket")
        if request.headers.get("x-amz-expected-bucket-owner", "111122223333") != "111122223333":
            raise Refusal(403, "AccessDenied")
        if request.method == "PUT":
            data = request.get_data()
            digest = base64.b64encode(sha256(data).digest()).decode()
            if request.headers["x-amz-checksum-sha256"] != digest:
                raise Refusal(400, "BadDigest")
            if request.headers.get("If-None-Match") == "*" and key in self.objects:
                raise Refusal(412, "PreconditionFailed")
            self.objects[key] = data
            return Response(headers={"ETag": '"x"'})
        if key not in self.objects:
            raise Refusal(404, "NoSuchKey")
        return Response(self.objects[key])

    def kms(self, name, request):
        if request.get("KeyId") not in self.keys:
            raise Refusal(400, "NotFoundException")
        context = json.dumps(request["EncryptionContext"], sort_keys=True).encode()
        if name == "GenerateDataKey":
            nonce, key = os.urandom(12), os.urandom(32)
            blob = nonce + AESGCM(self.keys[request["KeyId"]]).encrypt(nonce, key, context)
        else:
            blob = base64.b64decode(request["CiphertextBlob"])
            key = self.decrypted(request["KeyId"], blob, context)
        answer = {"KeyId": request["KeyId"], "Plaintext": base64.b64encode(key).decode()}
        return Response(
            json.dumps({**answer, "CiphertextBlob": base64.b64encode(blob).decode()}),
            content_type="application/x-amz-json-1.1",
        )

    def decrypted(self, key_id, blob, context):
        found = []
        for id_, key in self.keys.items():
            with suppress(InvalidTag, ValueError):
                found.append((id_, AESGCM(key).decrypt(blob[:12], blob[12:], context)))
        if not found:
            raise Refusal(400, "InvalidCiphertextException")
        if found[0][0] != key_id:
            raise Refusal(400, "IncorrectKeyException")
        return found[0][1]


@contextmanager
def aws():
    """Serve, for as long as it takes."""
    stand_in = Aws()
    server = make_server("127.0.0.1", 0, stand_in.app, threaded=True)
    stand_in.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
