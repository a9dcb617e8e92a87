"""The documentation holds: its code runs, its results are what it says, and it leaves nothing out.

The Python blocks of a page are run in order, in one namespace, as one module would be. A block that
defines `handler` may be followed by a comment in JSON, which is not shown on the page:

    <!-- run: {"event": ..., "result": ...} -->

Then the handler is run on the embedded service, with a clock that jumps, and compared. The members:

- event: what the execution is started with,
- answers: by the names of callbacks, what they are answered with,
- functions: by their names, what the functions that it invokes answer,
- over: the name of a handler that runs first, until it waits; then `handler` goes on in its place,
- result, or error ("Class: a part of the text"): how it ends,
- shown: whether the next block of text on the page is the whole text of the error,
- log: the messages of `ctx.log`.

A block after which `<!-- prints -->` stands prints the block of text that follows.

The blocks of a page that shows tests are one test module, which pytest runs. The last test of a block
prints what `<!-- prints -->` shows, or fails with what `<!-- fails -->` shows.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import frozen

import durable_gen
from durable_gen import codecs, errors, testing
from durable_gen.local import Idle, Service, VirtualClock
from durable_gen.testing import plan

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "docs/workflows.md",
    "docs/observing.md",
    "docs/deploying.md",
    "docs/serdes.md",
)
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:<!-- (?:run: (?P<run>.*?)|(?P<prints>prints)|(?P<fails>fails)) -->\n(?:\n```text\n(?P<shown>.*?)\n```)?)?",
    re.MULTILINE | re.DOTALL,
)
TESTED = ("README.md", "docs/testing.md", "docs/testing-break.md")  # pages that show tests
PLACE = re.compile(r"\b[\w-]+\.(?:py|md):\d+")


@frozen
class Block:
    """A block of Python on a page.

    Attributes:
        line: the line of its first line of code.
        code: its code.
        run: how its handler is run; None when it is not.
        shown: the text that is shown after it.
        prints: whether it prints that.
        fails: whether it fails with that.
    """

    line: int
    code: str
    run: dict[str, Any] | None
    shown: str | None
    prints: bool
    fails: bool


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    text = read(page)
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        run = found["run"]
        how = run and json.loads(run), found["shown"], bool(found["prints"]), bool(found["fails"])
        yield Block(line, found["code"], *how)


@pytest.fixture(name="module")
def _module():
    """A module to run a page in, importable for as long as the test takes; handlers lose its filters."""
    filters = [(handler, list(handler.filters)) for handler in logging.getLogger().handlers]
    module = ModuleType("page")
    sys.modules["page"] = module
    yield module
    del sys.modules["page"]
    for handler, found in filters:
        handler.filters[:] = found


def execute(page: str, block: Block, module: ModuleType) -> None:
    """Run a block, so that its lines are those of the page, and compare what it prints."""
    source = "\n" * (block.line - 1) + block.code
    with redirect_stdout(StringIO()) as printed:
        exec(compile(source, str(ROOT / page), "exec", dont_inherit=True), vars(module))
    if block.prints:
        assert f"{block.shown}\n" == printed.getvalue()


def ended(handler: Any, run: dict[str, Any], old: Any = None) -> dict[str, Any]:
    """Run a handler on the embedded service, and describe the execution."""
    answers = dict(run.get("answers", {}))

    with Service(clock=VirtualClock()) as service:

        def answer(_: Idle) -> bool:
            pending = service.pending_callbacks(arn)
            for callback in pending:
                name = callback.name
                if name in answers:
                    service.client.send_durable_execution_callback_success(
                        CallbackId=callback.callback_id,
                        Result=json.dumps(answers.pop(name)).encode(),
                    )
                    return True
            return False

        for name, value in run.get("functions", {}).items():
            function = name.partition(":")[0]
            service.register(function, lambda *_, value=value: value, durable=False)
        service.register("page", old or handler)
        arn = service.start("page", json.dumps(run["event"]) if "event" in run else None)
        if old is not None:
            while not isinstance(service.step(), Idle):
                pass
            assert "RUNNING" == service.status(arn)
            service.register("page", handler)
        service.run(arn, answer)
        return service.describe(arn)


def compare(run: dict[str, Any], shown: str | None, description: dict[str, Any]) -> None:
    """Compare how an execution ended with what the page says."""
    if "error" in run:
        kind, _, part = run["error"].partition(": ")
        assert "FAILED" == description["Status"], description
        error = description["Error"]
        assert kind == error["ErrorType"], error
        assert part in error["ErrorMessage"]
        if run.get("shown"):
            assert shown is not None
            assert PLACE.sub("FILE", shown) == PLACE.sub("FILE", error["ErrorMessage"])
    else:
        assert "SUCCEEDED" == description["Status"], description
        assert run["result"] == json.loads(description["Result"])


@pytest.mark.parametrize("page", PAGES)
def test_page_runs_and_gives_what_it_says(page, module, caplog, monkeypatch, tmp_path):
    """Every Python block of a page runs, and each handler ends as the comment after it says."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.INFO, "durable_gen.workflow")
    for block in blocks(page):
        execute(page, block, module)
        if block.run is None:
            continue
        caplog.clear()
        old = vars(module)[block.run["over"]] if "over" in block.run else None
        try:
            compare(block.run, block.shown, ended(module.handler, block.run, old))
            if "log" in block.run:
                told = [one.message for one in caplog.records if one.name == "durable_gen.workflow"]
                assert block.run["log"] == told
        except AssertionError as error:
            error.add_note(f"{page}:{block.line}")
            raise


def test_handler_of_the_readme_gives_what_it_returns(module):
    """The first example, run on the embedded service, charges, waits, is approved and ships."""
    for block in blocks("README.md"):
        execute("README.md", block, module)
    run = {
        "event": {"id": 7, "amount": 20, "items": ["tea", "cup"]},
        "answers": {"approval": True},
        "result": {
            "receipt": {"receipt": "r-7", "amount": 20},
            "approved": True,
            "parcels": ["parcel-tea", "parcel-cup"],
        },
    }
    compare(run, None, ended(module.handler, run))


@pytest.mark.parametrize("page", TESTED)
def test_tests_of_a_page_do_what_it_says(page, pytester):
    """Every test that a page shows passes, but for those that it shows to fail, and prints what it shows."""
    lines: list[str] = []
    for block in blocks(page):
        lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
    pytester.makepyfile(test_page="\n".join(lines))
    plugins = ("-p", "no:xdist", "-p", "no:syrupy", "-p", "no:inline_snapshot")
    result = pytester.runpytest_inprocess("-W", "error", "-rfP", *plugins, "--durable-update")
    output = PLACE.sub("FILE", re.sub(r"(?m)^E {7}(AssertionError: )?", "", result.stdout.str()))
    every = [re.findall(r"^def (test_\w+)", block.code, re.MULTILINE) for block in blocks(page)]
    failing = [names[-1] for names, block in zip(every, blocks(page), strict=True) if block.fails]
    assert failing == re.findall(r"^FAILED test_page.py::(\w+)", output, re.MULTILINE)
    ran = result.parseoutcomes()
    assert sum(map(len, every)) == sum(ran.values()), ran
    for block in blocks(page):
        if block.shown is not None and (block.prints or block.fails):
            assert PLACE.sub("FILE", block.shown) in output


@pytest.mark.parametrize("page", ["docs/workflows.md", "docs/serdes.md"])
def test_every_handler_of_the_guide_is_run(page):
    """No block of a guide defines `handler` without saying, or asserting, what comes of it."""
    silent = [
        block.line
        for block in blocks(page)
        if "def handler(" in block.code and block.run is None and "assert " not in block.code
    ]
    assert [] == silent


def classes() -> list[type[errors.DurableError]]:
    return [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.DurableError)
    ]


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_error_has_a_row_with_its_code(cls):
    """Every error has one row in the table, with its code, when it comes and what to do."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in read("docs/errors.md").splitlines()
        if line.startswith(f"| `{cls.__name__}` |")
    ]
    assert 1 == len(rows)
    assert [f"`{cls.__name__}`", f"`{cls.code}`"] == rows[0][:2]
    assert 4 == len(rows[0])
    assert all(rows[0])


def tree(cls: type, indent: str = "") -> Iterator[str]:
    below = [one for one in classes() if one.__base__ is cls]
    for one in below:
        last = one is below[-1]
        yield f"{indent}{'└── ' if last else '├── '}{one.__name__}"
        yield from tree(one, indent + ("    " if last else "│   "))


def test_tree_of_errors_is_drawn_as_it_is():
    """The tree on the page is the classes' own."""
    drawn = re.search(r"```text\n(DurableError\n.*?)\n```", read("docs/errors.md"), re.DOTALL)
    assert drawn is not None
    assert {"DurableError", *tree(errors.DurableError)} == set(drawn[1].splitlines())


@pytest.mark.parametrize(
    "name", [*durable_gen.__all__, *codecs.__all__, *testing.__all__, *plan.__all__]
)
def test_public_name_is_mentioned(name):
    """Every public name is in the README or in the docs, in code."""
    pages = ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
    code = "\n".join(
        part for page in pages for part in re.findall(r"```.*?```|`[^`\n]+`", read(page), re.DOTALL)
    )
    assert re.search(rf"\b{name}\b", code)


@pytest.mark.parametrize("page", [*PAGES, *TESTED[1:], "docs/errors.md", "examples/README.md"])
def test_links_lead_somewhere(page):
    """Every relative link of a page leads to a file, and every anchor to a heading."""
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", read(page)):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [slug(heading) for heading in headings]


def slug(heading: str) -> str:
    """Name a heading as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
