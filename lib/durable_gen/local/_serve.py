"""`durable-gen serve`: the service as a process that any Lambda client can use."""

from __future__ import annotations

import importlib
import os
import signal
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from durable_gen.local._clock import RealClock, SkippingClock
from durable_gen.local._functions import REGION, Function
from durable_gen.local._host import Host, InProcess
from durable_gen.local._service import Service
from durable_gen.local._serving import Serving
from durable_gen.local._sqlite import SqliteStore

LOCAL = "127.0.0.1"


class Unservable(ValueError):  # noqa: N818  # it says what to give instead
    """What was asked for cannot be served."""


@frozen
class Options:
    """What `serve` is told.

    Attributes:
        code: the folder that functions are loaded from.
        template: a SAM template.
        functions: name -> `module:attribute` of further durable functions.
        port: 0 for any.
        address: what it listens at.
        log: the file that what functions print is appended to.
        store: the SQLite file that executions live in; one that goes with the process if None.
        skip_time: jump to the next timer instead of waiting for it.
        endpoint: another host that runs the functions.
        in_process: run them in this process.
        sandboxes: processes that may run at once.
    """

    code: Path
    template: Path | None = None
    functions: Mapping[str, str] = field(factory=dict)
    port: int = 0
    address: str = LOCAL
    log: Path | None = None
    store: Path | None = None
    skip_time: bool = False
    endpoint: str | None = None
    in_process: bool = False
    sandboxes: int = 16


def serve(
    options: Options,
    say: Callable[[str], object] = print,
    stopped: threading.Event | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, or until the event is set.

    Args:
        options: what to serve.
        say: told where it listens, line by line.
        stopped: ends it; signals are only heeded in the main thread.

    Raises:
        Unservable: a function cannot be found, or there is none; the text says what to give.
        OSError: the port is taken.
        StoreInUse: the store is open elsewhere.
    """
    over = threading.Event() if stopped is None else stopped
    functions = described(options)
    with ExitStack() as stack:
        stack.enter_context(_heeding(over))
        where = options.store
        if where is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-gen-"))
            where = Path(folder) / "executions.db"
        clock = SkippingClock() if options.skip_time else RealClock()
        service = Service(_opened(where), clock, retention=not options.skip_time)
        stack.callback(service.close)
        serving = Serving(
            service,
            lambda endpoint: _host(options, service, endpoint),
            address=options.address,
            port=options.port,
            skip=options.skip_time,
        )
        stack.callback(serving.stop)
        if options.in_process:
            _environment(functions, serving.endpoint)
            functions = [_imported(service, options.code, function) for function in functions]
        for function in functions:
            try:
                service.deploy(function)
            except ValueError as error:
                msg = f"{function.name}: {error}"
                raise Unservable(msg) from error
        for line in _greeting(options, functions, serving.endpoint):
            say(line)
        if options.in_process and options.log is not None:
            log = stack.enter_context(options.log.open("a", encoding="utf-8", buffering=1))
            stack.enter_context(redirect_stdout(log))
            stack.enter_context(redirect_stderr(log))
        serving.start()
        over.wait()


def _opened(path: Path) -> SqliteStore:
    try:
        return SqliteStore(path)
    except (sqlite3.Error, ValueError) as error:
        msg = f"the store {path} cannot be opened: {error}"
        raise Unservable(msg) from error


def described(options: Options) -> list[Function]:
    """Describe the functions that are to be served.

    Raises:
        Unservable: there is none, or the template is unfit.
    """
    found: list[Function] = []
    if options.template is not None:
        found += _template(options.template)
    for name, target in options.functions.items():
        module, _, attribute = target.partition(":")
        if not module or not attribute:
            msg = f"write NAME=module:attribute, such as {name}=orders:handler, not {name}={target}"
            raise Unservable(msg)
        handler = f"{module}.{attribute}"
        found.append(
            Function(name, "$LATEST", None, durable=True, timeout=900, handler=handler, memory=512)
        )
    if not found:
        msg = "there is nothing to serve: give a --template, or a --function NAME=module:attribute"
        raise Unservable(msg)
    return found


def _template(path: Path) -> list[Function]:
    try:
        from durable_gen.local import _template as template
    except ImportError as error:
        msg = f"a --template needs {error.name}: pip install 'durable_gen[local]'"
        raise Unservable(msg) from error
    try:
        return template.read(path)
    except (template.Unfit, OSError) as error:
        raise Unservable(str(error)) from error


def _host(options: Options, service: Service, endpoint: str) -> Host:
    if options.in_process:
        return InProcess(service.clock)
    from durable_gen.local._hosts import Sandboxed
    from durable_gen.local._remote import Remote
    from durable_gen.local._sandboxes import Sandboxes

    if options.endpoint is not None:
        return Remote(options.endpoint)
    try:
        sandboxes = Sandboxes(
            code=options.code, log=options.log, endpoint=endpoint, most=options.sandboxes
        )
    except ModuleNotFoundError as error:
        raise Unservable(str(error)) from error
    return Sandboxed(sandboxes)


def _environment(functions: list[Function], endpoint: str) -> None:
    """Give this process what a function finds on Lambda, as far as one process can for all."""
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        os.environ[name] = value
    for function in functions:
        os.environ.update(function.environment)


def _imported(service: Service, code: Path, function: Function) -> Function:
    folder = str(code.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name, _, attribute = function.handler.replace("/", ".").rpartition(".")
    try:
        handler: Any = getattr(importlib.import_module(name), attribute)
    except (ImportError, AttributeError) as error:
        msg = f"{function.name}: {function.handler} cannot be imported from {code}: {error}"
        raise Unservable(msg) from error
    using = getattr(handler, "using", None)
    return evolve(function, call=handler if using is None else using(service.client))


def _greeting(options: Options, functions: list[Function], endpoint: str) -> Iterator[str]:
    many = "1 function" if len(functions) == 1 else f"{len(functions)} functions"
    yield f"durable-gen serves {many} at {endpoint}"
    for function in functions:
        yield f"  {function.name}  {'durable' if function.durable else 'plain'}  {function.handler}"
    if options.address not in {LOCAL, "localhost", "::1"}:
        yield (
            f"It listens at {options.address}: whoever can reach this machine can run these "
            "functions and read what they did."
        )
    yield "Point a client at it:"
    yield f"  export AWS_ENDPOINT_URL_LAMBDA={endpoint}"
    yield f"  export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}"  # SDKs differ in which they read
    yield "  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
    first = functions[0].name
    yield f"  aws lambda invoke --function-name '{first}:$LATEST' --invocation-type Event out.json"
    if options.store is not None:
        yield f"Executions live in {options.store}: started again with it, they go on."
    else:
        yield "Executions end with it: give a --store to keep them."


@contextmanager
def _heeding(over: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM end what is inside."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: over.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
