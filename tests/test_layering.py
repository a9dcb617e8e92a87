"""The layers: who may import whom, what is pure, and what is public."""

# ruff: noqa: SIM905 - the expected value comes first; a list of words reads best as words

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import durable_gen
from durable_gen import codecs

ROOT = Path(durable_gen.__file__).parent
PACKAGE = "durable_gen"

# Each may import only what stands above it, or left of it in its row.
ROWS = (
    # facts: what can go wrong; how something ended; the wire's shapes
    ("errors", "_outcome", "_version", "_model"),
    # laws: id of a position; retry delays; when a fan-out is over; wire words
    ("_ids", "_check", "_schedule", "_policy", "_dialect"),
    # laws: errors and their records; places in the user's code
    ("_failure", "_places"),
    # facts: what operations give; what may be yielded; what is asked of the driver, and sent
    ("_results", "_ops", "_effects", "_decisions", "_outbox"),
    # laws: id -> record
    ("_log", "_budget"),
    # laws: one file per wire kind
    (
        "_kinds._unknown",
        "_kinds.step",
        "_kinds.condition",
        "_kinds.wait",
        "_kinds.callback",
        "_kinds.invoke",
        "_kinds.context",
        "_kinds",
    ),
    # laws: built from ops
    ("recipes",),
    # laws: fan-outs, id spaces, fibers, a log that does not fit, the kernel
    (
        "_fanout",
        "_scope",
        "_fibers",
        "_values",
        "_misfits",
        "_waiting",
        "_sleepers",
        "_tasks",
        "_kernel",
    ),
    # what a workflow receives
    ("_messages", "_branches", "context"),
    # edges: values <-> text; wire <-> model; hooks; botocore
    ("_step", "_serde", "_faults", "_codec", "codecs", "logging", "plugins", "_hooks", "backends"),
    # edge: performs what the kernel asks for
    ("_workers", "_park", "_channel", "_stage", "_driver"),
    # edge: @durable
    ("handler",),
    # edge: plugins for OpenTelemetry
    ("otel",),
    # the embedded service; the test kit; the command line; what is exported
    ("local", "testing", "", "cli"),
)
ORDER = {module: place for place, module in enumerate(name for row in ROWS for name in row)}
PURE = [name for name in ORDER if ORDER[name] <= ORDER["context"]]
IMPURE = frozenset(
    "asyncio boto3 botocore concurrent http io logging multiprocessing os queue random secrets "
    "select shutil signal socket subprocess tempfile threading time urllib".split()
)


def module_name(path):
    """Name a file by its module below the package; `local`, `testing` and `cli` by their package."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    if parts and parts[0] in ("local", "testing", "cli", "backends", "codecs", "otel"):
        parts = parts[:1]
    return ".".join(parts)


FILES = sorted(ROOT.rglob("*.py"))
NAMES = {module_name(path) for path in FILES}
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
ALL_FILES = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
PURE_FILES = pytest.mark.parametrize(
    "path",
    [path for path in FILES if module_name(path) in PURE],
    ids=lambda path: str(path.relative_to(ROOT)),
)


def is_for_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes(tree):
    """Walk a tree, but for what only type checkers read."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if not is_for_checkers(node):
            pending += ast.iter_child_nodes(node)


def imported(tree):
    """List what a module imports, dotted: `durable_gen._model`, `os`."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            base = node.module
            below = [f"{base}.{alias.name}" for alias in node.names]
            own = base == PACKAGE or base.startswith(f"{PACKAGE}.")
            yield from (
                one if own and one.removeprefix(f"{PACKAGE}.") in NAMES else base for one in below
            )


def own_imports(path):
    """List the modules of this package that a file imports, as the table has them."""
    for name in imported(TREES[path]):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            below = name.removeprefix(PACKAGE).removeprefix(".")
            while below not in ORDER and "." in below:
                below = below.rpartition(".")[0]
            yield below


@ALL_FILES
def test_module_then_it_stands_in_a_row(path):
    """A new module is given its place among the layers."""
    assert module_name(path) in ORDER


@ALL_FILES
def test_module_then_it_imports_only_what_stands_above_it(path):
    """Each module may import only what stands above it (or left of it in its row)."""
    me = module_name(path)
    below = [one for one in own_imports(path) if one != me and ORDER[one] > ORDER[me]]
    assert below == []


@PURE_FILES
def test_pure_module_then_it_imports_nothing_of_the_outside_world(path):
    """Down to the kernel there is no clock, thread, random number, botocore, logging, environment."""
    found = {name.partition(".")[0] for name in imported(TREES[path])}
    assert frozenset() == found & IMPURE


@PURE_FILES
def test_pure_module_then_it_imports_no_edge(path):
    """What is pure does not reach the outside world by way of one of our edges either."""
    assert [] == [one for one in own_imports(path) if one not in PURE]


@PURE_FILES
def test_pure_module_then_it_reads_no_clock_and_writes_nothing(path):
    """Time comes in as data; nothing is printed, opened or read from the environment."""
    forbidden = {
        "print",
        "open",
        "input",
        "sys.stdout",
        "sys.stderr",
        "sys.stdin",
        "sys.argv",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "uuid.uuid1",
        "uuid.uuid4",
    }
    used = {
        ast.unparse(node)
        for node in nodes(TREES[path])
        if isinstance(node, (ast.Attribute, ast.Name))
    }
    assert set() == used & forbidden


@PURE_FILES
def test_pure_module_then_of_sys_it_uses_frames_and_counts_only(path):
    """The user's line and whether an operation is held are facts of the code, not of the world."""
    used = {
        node.attr
        for node in nodes(TREES[path])
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "sys"
    }
    assert used <= {"_getframe", "getrefcount"}


@ALL_FILES
def test_module_then_it_starts_with_a_sentence(path):
    """If one cannot say in one sentence what a module is for, it is two modules."""
    assert ast.get_docstring(TREES[path])


# --- what is public ----------------------------------------------------------------------------------

LISTED = frozenset(  # architecture, section 5
    """
    durable Context Flow Retry Poll Completion Semantics Batch BatchItem Callback current_step
    Serde Plugin Backend Budget durable_error
    DurableError OperationFailed StepFailed StepTimedOut StepInterrupted ChildContextFailed
    CallbackFailed CallbackTimedOut CallbackSubmitFailed InvokeFailed InvokeTimedOut InvokeStopped
    ConditionFailed BatchFailed CompensationFailed NonDeterminismError CheckpointFailed
    SerializationError DeserializationError PayloadTooLarge UsageError
    """.split()
)
ALSO = frozenset(  # what signatures and results of those above name, and the serdes at hand
    """
    CompensationItem CompensationResult Handler ItemStatus Json Op Progress Reason SerdeInfo
    StepInfo Text VERSION WaitFailed
    AttemptInfo FunctionInfo InvocationEnd InvocationStart OperationChange OperationInfo
    BudgetWarning Usage
    """.split()
)
EXPORTED = frozenset(durable_gen.__all__)


def test_public_names_then_all_of_the_architectures_are_there():
    """The public surface is what the architecture lists."""
    assert frozenset() == LISTED - EXPORTED


def test_public_names_then_none_is_there_by_chance():
    """A name becomes public by being written down here."""
    assert frozenset() == EXPORTED - LISTED - ALSO


def test_public_names_then_they_are_sorted_and_exist():
    """`__all__` is in the order in which ruff keeps it, and every name can be imported."""
    assert len(EXPORTED) == len(durable_gen.__all__)
    assert [] == [name for name in durable_gen.__all__ if not hasattr(durable_gen, name)]


def test_errors_then_every_one_is_public():
    """What a user may have to catch can be imported from the package."""
    from durable_gen import errors

    ours = {name for name, found in vars(errors).items() if inspect.isclass(found)}
    ours = {name for name in ours if issubclass(getattr(errors, name), errors.DurableError)}
    assert set() == ours - EXPORTED


def test_public_names_of_codecs_then_all_are_listed_in_the_architecture():
    """What stands beside the package itself is public by being listed too."""
    text = (ROOT.parent.parent / "docs" / "architecture.md").read_text("utf-8")
    listed = text.partition("from durable_gen.codecs import (")[2].partition("\n)")[0]
    words = {word for line in listed.splitlines() for word in line.partition("#")[0].split()}
    assert set(codecs.__all__) == {word.strip(",") for word in words}


def test_import_then_nothing_is_imported_that_a_value_may_never_need():
    """A cold start pays for no client, no compression and no cipher before a value needs them."""
    program = (
        "import sys; from durable_gen import Json; first = 'durable_gen.codecs' in sys.modules; "
        "from durable_gen.codecs import *; "
        "Json() | Zstd() | Encrypt(bytes(32), Kms('alias/x')) | S3('values'); Files('/mnt/values'); "
        "print(first, sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'botocore', 'cryptography', 'cattrs', 'compression'}), 'backports.zstd' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "False [] False\n" == ran.stdout


def members(place, name):
    """List a public class's own public members, and the thing itself."""
    thing = getattr(place, name)
    yield name, thing
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            if not member.startswith("_") and (
                inspect.isroutine(value) or isinstance(value, property)
            ):
                yield f"{name}.{member}", value


DOCUMENTED = [
    pytest.param(value, id=label)
    for place, names in ((durable_gen, EXPORTED - {"Flow", "VERSION"}), (codecs, codecs.__all__))
    for name in sorted(names)
    for label, value in members(place, name)
]


@pytest.mark.parametrize("thing", DOCUMENTED)
def test_public_thing_then_it_has_a_docstring(thing):
    """Every public thing says what it does."""
    assert thing.__doc__
    assert thing.__doc__.strip()
