"""Bundles for Lambda: what is in them, for which platform, and that the same input gives the same bytes.

pip runs for real; its wheels are made here, so that no index is asked.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from durable_gen.cli import _bundle, _pack
from durable_gen.cli._pack import Target, Unfit

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
RUNTIMES = ["3.12", "3.13", "3.14"]
RUNTIME = HERE if HERE in RUNTIMES else "3.13"
OTHER = next(one for one in RUNTIMES if one != HERE)
CP = f"cp{RUNTIME.replace('.', '')}"
MANY = "manylinux_2_28"


def elf(machine):
    """Write the head of a shared library."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(44)


X86, ARM = elf(62), elf(183)


def wheel(folder, name, tag="py3-none-any", files=()):
    """Make a wheel."""
    info = f"{name}-1.0.dist-info"
    content = {
        f"{name}/__init__.py": "ONE = 1\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        **dict(files),
    }
    path = folder / f"{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in content.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in content))
    return path


@pytest.fixture(name="shop")
def _shop(tmp_path):
    """A function's folder, and an index of wheels of its own. The library is one of them."""
    code, wheels = tmp_path / "code", tmp_path / "wheels"
    code.mkdir()
    wheels.mkdir()
    (code / "orders.py").write_text("import durable_gen\n")
    (code / "requirements.txt").write_text(f"--no-index\n--find-links {wheels}\ndurable_gen\n")
    wheel(wheels, "durable_gen")
    return tmp_path


def need(shop, *names):
    with (shop / "code" / "requirements.txt").open("a") as file:
        file.write("".join(f"{name}\n" for name in names))


def bundle(shop, *options, output="out.zip", status=0):
    """Bundle; give what is printed."""
    command = [sys.executable, "-m", "durable_gen.cli", "bundle", *map(str, options)]
    if output:
        command += ["--output", output]
    if "--python" not in options:
        command += ["--python", RUNTIME]
    ran = subprocess.run(
        command,
        cwd=shop,
        env={**os.environ, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert status == ran.returncode, ran.stdout + ran.stderr
    return ran.stderr if status else ran.stdout


def names(shop, output="out.zip"):
    with zipfile.ZipFile(shop / output) as archive:
        return archive.namelist()


# --- what is in it -------------------------------------------------------------------------------


def test_bundle_then_it_has_what_runs_and_nothing_else(shop):
    """Code, packages and their licences are in; tests, scripts, stubs and byte-code of others not."""
    wheel(
        shop / "wheels",
        "tools",
        files={
            "tools/__init__.pyi": "",
            "tools/tests/test_one.py": "",
            "tools/data/model.json": "{}",
            "tools-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tools:main\n",
            "tools-1.0.dist-info/licenses/LICENSE": "as you like",
        },
    )
    need(shop, "tools")
    code = shop / "code"
    for left_out in ("tests/test_orders.py", ".env", "__pycache__/orders.cpython-39.pyc"):
        (code / left_out).parent.mkdir(exist_ok=True)
        (code / left_out).write_text("")
    (code / "venv" / "lib").mkdir(parents=True)
    (code / "venv" / "pyvenv.cfg").write_text("")
    (code / "venv" / "lib" / "large.py").write_text("")
    bundle(shop, "code", "--no-byte-code")
    assert [
        "durable_gen-1.0.dist-info/METADATA",
        "durable_gen/__init__.py",
        "orders.py",
        "requirements.txt",
        "tools-1.0.dist-info/METADATA",
        "tools-1.0.dist-info/entry_points.txt",
        "tools-1.0.dist-info/licenses/LICENSE",
        "tools/__init__.py",
        "tools/data/model.json",
    ] == names(shop)


def test_layer_then_everything_is_below_python(shop):
    """A layer's packages are where Lambda's Python looks for them, /opt/python."""
    bundle(shop, "--layer", "-r", "code/requirements.txt", "--no-byte-code")
    assert ["python/durable_gen-1.0.dist-info/METADATA", "python/durable_gen/__init__.py"] == names(
        shop
    )


def test_one_file_then_it_is_the_function(shop):
    """PATH may be a single module."""
    options = ["-r", "code/requirements.txt", "--no-byte-code"]
    bundle(shop, "code/orders.py", *options)
    assert "orders.py" in names(shop)
    assert "requirements.txt" not in names(shop)


def test_bundled_again_elsewhere_then_the_same_bytes(shop):
    """The same input gives the same bytes, whatever the folder, the time and the files' order."""
    bundle(shop, "code", output="one.zip")
    again = shop / "again"
    again.mkdir()
    for path in sorted((shop / "code").iterdir(), reverse=True):
        (again / path.name).write_bytes(path.read_bytes())
        os.utime(again / path.name, (1, 1_000_000_000))
    bundle(shop, again, output="two.zip")
    assert (shop / "one.zip").read_bytes() == (shop / "two.zip").read_bytes()


def test_compiled_then_byte_code_is_valid_whatever_the_sources_date(tmp_path):
    """Byte-code is not checked against its source, whose date a zip does not keep, and knows no folder."""
    (tmp_path / "orders.py").write_text("ONE = 1\n")
    (tmp_path / "template.py").write_text("{{ no python }}")
    _bundle._compile(tmp_path, "/var/task")
    (path,) = tmp_path.rglob("*.pyc")
    code = path.read_bytes()
    assert 1 == int.from_bytes(code[4:8], "little")
    assert b"/var/task/orders.py" in code
    assert str(tmp_path).encode() not in code


def test_another_python_than_this_one_then_no_byte_code_and_it_says_so(shop):
    """Byte-code is of one version; what pip read conditions as is said too."""
    said = bundle(shop, "code", "--python", OTHER)
    assert not [name for name in names(shop) if name.endswith(".pyc")]
    assert "without byte-code" in said
    assert f"pip read the requirements' conditions as on Python {HERE}" in said


def test_services_are_named_then_only_their_models_are_kept(tmp_path):
    """Most of botocore is models of services that a function never calls."""
    data = tmp_path / "botocore" / "data"
    for service in ("lambda", "s3", "ec2"):
        (data / service / "2015").mkdir(parents=True)
        (data / service / "2015" / "service-2.json.gz").write_text("")
    (data / "endpoints.json").write_text("")
    kept = {path.as_posix() for path in _pack.needed(tmp_path, ["lambda", "s3"])}
    assert {
        "botocore/data/endpoints.json",
        "botocore/data/lambda/2015/service-2.json.gz",
        "botocore/data/s3/2015/service-2.json.gz",
    } == kept
    assert 4 == len(list(_pack.needed(tmp_path)))


# --- the platform --------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_native_wheels_of_several_platforms_then_the_functions_is_taken(shop, arch):
    """pip takes the wheel for Lambda's machine, whatever this one is."""
    for system, content in (
        (f"{MANY}_x86_64", X86),
        (f"{MANY}_aarch64", ARM),
        ("win_amd64", b"MZ"),
    ):
        wheel(shop / "wheels", "fast", f"{CP}-{CP}-{system}", {"fast/_fast.so": content})
    need(shop, "fast")
    bundle(shop, "code", "--arch", arch)
    with zipfile.ZipFile(shop / "out.zip") as archive:
        assert {"x86_64": X86, "arm64": ARM}[arch] == archive.read("fast/_fast.so")


def test_no_wheel_for_the_platform_then_said_and_nothing_is_written(shop):
    """A package without a wheel is refused by name, with what helps."""
    wheel(shop / "wheels", "fast", f"{CP}-{CP}-macosx_11_0_arm64", {"fast/_fast.so": b""})
    need(shop, "fast")
    assert (
        f"Error: fast has no wheel for CPython {RUNTIME} on Linux for x86_64: take a version that "
        "has one, or build one on such a machine (pip wheel) and name the file in the "
        "requirements\n"
    ) == bundle(shop, "code", status=1)
    assert not (shop / "out.zip").exists()


def test_wheel_of_another_platform_is_named_then_refused(shop):
    """A file that is named is taken, or refused by name."""
    path = wheel(shop, "fast", f"{CP}-{CP}-macosx_11_0_arm64")
    need(shop, path)
    assert (
        f"Error: {path.name} is not for CPython {RUNTIME} on Linux for x86_64: name one that is\n"
    ) == bundle(shop, "code", status=1)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("fast.so", ARM, "arm64"),
        ("fast.cpython-39-x86_64-linux-gnu.so", X86, "CPython 3.9"),
        ("fast.so", b"\xcf\xfa\xed\xfe", "macOS"),
        ("fast.cp313-win_amd64.pyd", b"MZ\x90\x00", "Windows"),
        ("libfast.so.1.2", elf(243), "machine 243"),
    ],
)
def test_native_code_of_another_platform_then_refused(tmp_path, name, content, found):
    """What Lambda could not load is found before it is deployed."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / name).write_bytes(content)
    with pytest.raises(Unfit) as refused:
        _pack.check(tmp_path, Target("3.13", "x86_64"))
    assert (
        f"lib/{name} is for {found}, and the function runs CPython 3.13 on Linux for x86_64: "
        "leave it out of the code, and name its package in the requirements"
    ) == str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fast.so", X86),
        ("fast.abi3.so", X86),
        ("fast.cpython-313-x86_64-linux-gnu.so", X86),
        ("notes.so", b"GROUP ( libc.so.6 )"),
    ],
)
def test_native_code_of_the_platform_then_taken(tmp_path, name, content):
    """What Lambda can load, or what is no native code, is no problem."""
    (tmp_path / name).write_bytes(content)
    _pack.check(tmp_path, Target("3.13", "x86_64"))


# --- what it says --------------------------------------------------------------------------------


def test_bundle_then_its_sizes_and_lambdas_limits_are_reported(shop):
    """The report names the bundle, its largest parts, and what Lambda takes."""
    wheel(shop / "wheels", "heavy", files={"heavy/data.bin": os.urandom(300_000)})
    need(shop, "heavy")
    said = bundle(shop, "code", "--no-byte-code").splitlines()
    assert f"out.zip: a function for python{RUNTIME} on x86_64, without byte-code" == said[0]
    rows = [re.split(r"  +", line.strip()) for line in said[1:]]
    assert ["package", "unzipped", "zipped"] == rows[0]
    assert ["your code", "heavy", "metadata and licences", "durable_gen", "all"] == [
        row[0] for row in rows[1:6]
    ]
    assert ["heavy", "0.3 MB", "0.3 MB"] == rows[2]
    assert ["Lambda takes", "250.0 MB", "50.0 MB"] == rows[6]


def test_json_then_the_report_is_one_object(shop):
    """--json is for programs: bytes, and nothing else on the standard output."""
    told = json.loads(bundle(shop, "code", "--json", "--arch", "arm64", "--no-byte-code"))
    with zipfile.ZipFile(shop / "out.zip") as archive:
        sizes = [entry.file_size for entry in archive.infolist()]
    assert sum(sizes) == told["unzipped"] == sum(p["unzipped"] for p in told["packages"].values())
    assert (shop / "out.zip").stat().st_size == told["zipped"]
    assert {"unzipped": 262_144_000, "zipped": 52_428_800} == told["limits"]
    assert ["your code", "metadata and licences", "durable_gen"] == list(told["packages"])
    assert (f"python{RUNTIME}", "arm64", False) == (
        told["runtime"],
        told["architecture"],
        told["layer"],
    )


def test_more_than_lambda_takes_then_it_fails(shop):
    """A bundle that Lambda would refuse is no success."""
    with (shop / "code" / "large.bin").open("wb") as file:
        file.truncate((250 << 20) + 1)
    assert (
        "Error: out.zip takes 250.0 MB unzipped, and Lambda takes 250.0 MB at most, all layers "
        "included: leave something out (--services, --runtime-botocore), or deploy a container\n"
    ) == bundle(shop, "code", status=1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "name the folder of the function's code, or give --layer"),
        (
            ["code", "--python", OTHER, "--byte-code"],
            f"--byte-code for {OTHER} needs Python {OTHER}, and this is {HERE}",
        ),
        (["absent"], "Invalid value for '[PATH]': Path 'absent' does not exist."),
    ],
)
def test_wrong_command_line_then_it_says_what_to_write(shop, options, text):
    """A wrong command line ends with 2, and nothing is written."""
    assert f"Error: {text}\n" in bundle(shop, *options, status=2)
    assert not (shop / "out.zip").exists()


def test_output_in_no_folder_then_said(shop):
    """The folder of the output must be there before pip is asked for anything."""
    where = Path("absent") / "out.zip"
    said = bundle(shop, "code", output=str(where), status=2)
    assert f"Error: --output {where}: there is no directory {shop / 'absent'}\n" in said
