"""Files: whole or not there, never changed, checked when they are read; with a real kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import evolve

from durable_gen import Json, SerializationError, UsageError
from durable_gen.codecs import Encrypt, Files, ReadOnly
from serdes.values import ARN, ELSEWHERE, ID, INFO, KEY, OTHER, READ, misread, refusal

REPORT = {"text": "a report " * 40}
DATA = json.dumps(REPORT, separators=(",", ":")).encode()
FOLDER = f"order-7-{sha256(ARN.encode()).hexdigest()[:16]}"
NAME = f"{FOLDER}/{ID}-1-{sha256(DATA).hexdigest()[:32]}"


@pytest.fixture(name="serde")
def _serde(tmp_path):
    return Json() | Files(tmp_path, above=100)


def files(path):
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def test_value_over_the_threshold_then_it_lies_in_a_file_and_its_text_says_where(serde, tmp_path):
    """The text has the file's name below the path, its size and its digest; the file has the value."""
    at = {"at": NAME, "bytes": len(DATA), "sha256": sha256(DATA).hexdigest()}
    text = serde.dumps(REPORT, INFO)
    assert {"durable_gen.codecs": ["file"], "data": at} == json.loads(text)
    assert [NAME] == files(tmp_path)
    assert DATA == (tmp_path / NAME).read_bytes()
    assert REPORT == serde.loads(text, READ)


@pytest.mark.parametrize(("size", "offloaded"), [(97, False), (98, False), (99, True)])
def test_value_at_the_threshold_then_it_stays(serde, tmp_path, size, offloaded):
    """Only what is over the threshold is offloaded: one byte more, and not before."""
    serde.dumps("x" * size, INFO)
    assert offloaded == bool(files(tmp_path))


def test_attempts_then_each_has_a_file_of_its_own(serde, tmp_path):
    """A retry never overwrites what an earlier attempt wrote, whatever it writes."""
    texts = {}
    for attempt, run in [(1, "a"), (1, "b"), (2, "a")]:
        value = run * 200
        texts[serde.dumps(value, evolve(INFO, attempt=attempt))] = value
    assert 3 == len(files(tmp_path))
    assert list(texts.values()) == [serde.loads(text, READ) for text in texts]


def test_same_attempt_writes_the_same_again_then_it_is_the_same_file(serde, tmp_path):
    """Names are stable: what is written again is where it was."""
    assert serde.dumps(REPORT, INFO) == serde.dumps(REPORT, INFO)
    assert [NAME] == files(tmp_path)


def test_value_that_is_not_kept_then_no_file_is_left(serde, tmp_path):
    """What each replay finds anew must not leave a file each time."""
    text = serde.dumps(REPORT, evolve(INFO, kept=False))
    assert REPORT == serde.loads(text, READ)
    assert [] == files(tmp_path)


@pytest.mark.parametrize("info", [OTHER, ELSEWHERE])
def test_value_of_another_operation_or_execution_then_it_is_refused(serde, info):
    """A reference stands where it was put."""
    text = serde.dumps(REPORT, INFO)
    assert (
        f"step 'charge': its stored value lies at '{NAME}', and that is the place of another "
        "operation or execution"
    ) == misread(serde, text, info)


@pytest.mark.parametrize(
    "at",
    [
        "../secret",
        "/etc/passwd",
        NAME.replace("/", "/../"),
        f"../{NAME}",
        f"{FOLDER}/{ID}-/../x",
        f"{FOLDER}/.temporary",
        "",
    ],
)
def test_reference_that_leads_elsewhere_then_no_file_is_read(serde, at):
    """Only files that an operation may have written are read for it."""
    stored = json.loads(serde.dumps(REPORT, INFO))
    stored["data"]["at"] = at
    assert f"step 'charge': its stored value lies at {at!r}, and " in misread(
        serde, json.dumps(stored)
    )


@pytest.mark.parametrize(
    "data",
    [
        1,
        "x",
        {},
        {"at": NAME},
        {"at": 1, "bytes": 1, "sha256": "x"},
        {"at": NAME, "bytes": True, "sha256": "x"},
        {"at": NAME, "bytes": 1, "sha256": "x", "more": 1},
    ],
)
def test_reference_that_is_damaged_then_it_is_refused(serde, data):
    """What does not say where a value lies is no reference."""
    assert (
        "step 'charge': its stored value is damaged: it does not say where the value lies"
    ) == misread(serde, json.dumps({"durable_gen.codecs": ["file"], "data": data}))


# --- what may happen to a file -----------------------------------------------------------------------


def test_file_with_any_byte_changed_then_it_is_refused(serde, tmp_path):
    """The digest is checked on every reading."""
    text = serde.dumps(REPORT, INFO)
    for place in range(len(DATA)):
        changed = bytearray(DATA)
        changed[place] ^= 1
        (tmp_path / NAME).write_bytes(changed)
        assert (
            f"step 'charge': its stored value at {tmp_path / NAME} is damaged: its SHA-256 is not "
            "that of what was written there: it was changed"
        ) == misread(serde, text)


@pytest.mark.parametrize(
    ("data", "has"), [(DATA[:-1], str(len(DATA) - 1)), (b"", "0"), (DATA + b"x", "more")]
)
def test_file_of_another_size_then_it_is_refused(serde, tmp_path, data, has):
    """A file that was cut, or replaced, is named with both sizes."""
    text = serde.dumps(REPORT, INFO)
    (tmp_path / NAME).write_bytes(data)
    assert (
        f"step 'charge': its stored value at {tmp_path / NAME} is damaged: {len(DATA)} bytes were "
        f"written there, and it has {has}: it was cut or replaced"
    ) == misread(serde, text)


def test_file_is_gone_then_the_text_says_where_it_looked(serde, tmp_path):
    """A file that is missing is named, with what may have become of it."""
    text = serde.dumps(REPORT, INFO)
    (tmp_path / NAME).unlink()
    assert (
        f"step 'charge': its stored value is not at {tmp_path / NAME}: was it deleted before the "
        "execution was over?"
    ) == misread(serde, text)


def test_nothing_is_mounted_then_the_text_says_so(serde, tmp_path):
    """A path that is not there is never made: what is written to it would be lost."""
    path = tmp_path / "mnt"
    away = Json() | Files(path, above=100)
    assert (
        f"step 'charge': its stored value is not at {path / NAME}: there is no directory {path}: is "
        "it mounted?"
    ) == misread(away, serde.dumps(REPORT, INFO))
    assert (
        f"step 'charge': its value cannot be written to {path / NAME}: No such file or directory; "
        f"there is no directory {path}: is it mounted?"
    ) == refusal(away, REPORT)


def test_path_that_is_mounted_elsewhere_then_its_files_are_found(serde, tmp_path):
    """What is stored does not say where the path was mounted."""
    text = serde.dumps(REPORT, INFO)
    (tmp_path / "new").mkdir()
    (tmp_path / FOLDER).rename(tmp_path / "new" / FOLDER)
    assert REPORT == (Json() | Files(tmp_path / "new")).loads(text, READ)


def test_second_path_then_values_on_the_first_are_still_read(serde, tmp_path):
    """A move needs a name for each place."""
    text = serde.dumps(REPORT, INFO)
    (tmp_path / "new").mkdir()
    new = Files(tmp_path / "new", above=100, name="file-2")
    both = Json() | ReadOnly(Files(tmp_path)) | new
    assert REPORT == both.loads(text, READ)
    assert ["file-2"] == json.loads(both.dumps(REPORT, INFO))["durable_gen.codecs"]


def test_file_that_was_encrypted_then_it_has_nothing_in_the_clear(tmp_path):
    """What lies elsewhere is what the codecs before have made."""
    chain = Json() | Encrypt(KEY) | Files(tmp_path, above=100)
    text = chain.dumps(REPORT, INFO)
    assert b"report" not in (tmp_path / files(tmp_path)[0]).read_bytes()
    assert REPORT == chain.loads(text, READ)


WRITER = """
import sys
from serdes.values import INFO
from attrs import evolve
from durable_gen.codecs import Files
codec, data = Files(sys.argv[1], above=0), bytes(20_000_000)
for attempt in range(1, 1000):
    codec.encode(data + b"%d" % attempt, evolve(INFO, attempt=attempt))
"""


def test_writer_is_killed_in_the_middle_then_every_file_under_a_name_is_whole(tmp_path):
    """kill -9 in the middle of a write leaves no half of a file where a value is looked for."""
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    for _ in range(20):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}) as writer:
            end = time.monotonic() + 30
            while not list(tmp_path.glob("*/.*")):  # it is being written
                assert time.monotonic() < end
                assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
        halves = [one for one in tmp_path.glob("*/.*") if one.stat().st_size < 20_000_000]
        if halves:
            break
    assert halves
    whole = list(tmp_path.glob("*/[!.]*"))
    for path in whole:
        assert path.name.endswith(sha256(path.read_bytes()).hexdigest()[:32])


def test_disk_refuses_then_nothing_is_left(tmp_path):
    """A value that cannot be written is an error, and no part of it stays."""
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    with pytest.raises(SerializationError) as caught:
        (Json() | Files(tmp_path, above=100)).dumps(REPORT, INFO)
    assert (
        f"step 'charge': its value cannot be written to {tmp_path / NAME}: Not a directory"
    ) == str(caught.value)
    assert [FOLDER] == files(tmp_path)


@pytest.mark.parametrize(
    "options", [{"path": ""}, {"path": 3}, {"above": -1}, {"above": "1 MB"}, {"name": ""}]
)
def test_option_out_of_range_then_it_is_refused(options):
    """Bad options are refused when the codec is made."""
    with pytest.raises(UsageError):
        Files(**{"path": "/mnt/values", **options})


def test_execution_with_any_name_then_its_folder_is_safe(tmp_path):
    """Names of executions are shortened and cleaned; a digest of the ARN tells them apart."""
    for arn in ("../../etc", f"{ARN[: ARN.index('order-7')]}..%2F é/{'x' * 300}", "", "a/b\0c"):
        codec = Files(tmp_path, above=0)
        info = evolve(INFO, execution_arn=arn, operation_id="../" + "x" * 100)
        data = codec.encode(b"value", info)
        assert b"value" == codec.decode(data, info)
    assert [2] * 4 == [len(Path(name).parts) for name in files(tmp_path)]
