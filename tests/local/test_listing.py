import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_gen.local import MemoryStore, Service, SqliteStore
from durable_gen.local._reads import CHUNK
from local.staging import DONE, PENDING, Stage, update

LARGE = 200_000  # bytes of an input


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "store.db")


class Counted:
    """A store that counts the rows that it lists."""

    def __init__(self, store):
        self._store = store
        self.read = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def executions(self):
        self.read += len(rows := list(self._store.executions()))
        return rows

    def listed(self, *arguments, **options):
        self.read += len(rows := self._store.listed(*arguments, **options))
        return rows


@pytest.fixture(name="store", params=["memory", "sqlite"])
def _store(request, path):
    store = MemoryStore() if request.param == "memory" else SqliteStore(path)
    yield Counted(store)
    store.close()


def shop(store):
    service = Service(store)
    for name in "fgh":
        service.register(name, lambda event, context: DONE)
    return service


def pages(service, function, **request):
    found = []
    while True:
        answer = service.client.list_durable_executions_by_function(
            FunctionName=function, **request
        )
        found.append([item["DurableExecutionName"] for item in answer["DurableExecutions"]])
        if "NextMarker" not in answer:
            return found
        request["Marker"] = answer["NextMarker"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("fg"), st.booleans()), max_size=12),
    st.integers(1, 5),
    st.booleans(),
)
def test_any_executions_then_pages_hold_each_of_the_function_once_in_order(started, most, oldest):
    """Pages put together are the function's executions, none twice, in the order that was asked for."""
    with shop(MemoryStore()) as service:
        kept = []
        for n, (function, deleted) in enumerate(started):
            arn = service.start(function, "{}", f"n{n}")
            if deleted:
                service.client.stop_durable_execution(DurableExecutionArn=arn)
                service.client.delete_durable_execution(DurableExecutionArn=arn)
            elif function == "f":
                kept.append(f"n{n}")
        found = pages(service, "f", MaxItems=most, ReverseOrder=oldest)
    assert (kept if oldest else kept[::-1]) == [name for page in found for name in page]
    assert all(len(page) == most for page in found[:-1])


def test_both_stores_then_the_same_pages(path):
    """What is listed does not depend on where it is kept."""
    found = []
    for store in (MemoryStore(), SqliteStore(path)):
        with shop(store) as service:
            arns = [service.start("fg"[n % 2], "{}", f"n{n}") for n in range(2 * CHUNK + 7)]
            for arn in arns[::5]:
                service.client.stop_durable_execution(DurableExecutionArn=arn)
            for arn in arns[::10]:
                service.client.delete_durable_execution(DurableExecutionArn=arn)
            found.append(
                [
                    pages(service, "f", MaxItems=30, **more)
                    for oldest in (False, True)
                    for more in (
                        {"ReverseOrder": oldest},
                        {"ReverseOrder": oldest, "Statuses": ["STOPPED"]},
                    )
                ]
            )
    memory, sqlite = found
    assert memory == sqlite
    assert CHUNK + 4 - 21 == sum(map(len, memory[0]))


def test_many_executions_then_a_page_reads_no_more_than_a_chunk(store):
    """A page costs what it holds, however many executions there are, of this function or of others."""
    service = shop(store)
    for n in range(3 * CHUNK):
        service.start("fgh"[n % 3] if n > CHUNK else "f", "{}")
    store.read = 0
    request = {"FunctionName": "f", "MaxItems": 10}
    answer = service.client.list_durable_executions_by_function(**request)
    service.client.list_durable_executions_by_function(**request, Marker=answer["NextMarker"])
    assert 2 * CHUNK == store.read


@pytest.mark.parametrize("oldest", [False, True])
def test_executions_come_and_go_between_pages_then_the_marker_stands(store, oldest):
    """The next page goes on where the last one ended, whatever started and went meanwhile."""
    service = shop(store)
    arns = [service.start("f", "{}", f"n{n}") for n in range(6)]
    request = {"FunctionName": "f", "MaxItems": 3, "ReverseOrder": oldest}
    first = service.client.list_durable_executions_by_function(**request)
    gone = arns[2] if oldest else arns[3]
    service.client.stop_durable_execution(DurableExecutionArn=gone)
    service.client.delete_durable_execution(DurableExecutionArn=gone)
    service.start("f", "{}", "new")
    second = service.client.list_durable_executions_by_function(
        **request, Marker=first["NextMarker"]
    )
    names = [item["DurableExecutionName"] for item in second["DurableExecutions"]]
    assert (["n3", "n4", "n5"] if oldest else ["n2", "n1", "n0"]) == names
    assert oldest == ("NextMarker" in second)


def test_no_such_function_then_not_found_unless_it_left_executions(store):
    """A function that is gone is still listed by; one that never was is not there."""
    service = shop(store)
    service.start("f", "{}", "left")
    service.unregister("f")
    service.unregister("g")
    assert [["left"]] == pages(service, "f")
    with pytest.raises(ClientError, match="Function not found: g"):
        pages(service, "g")


def test_large_input_then_it_is_written_once(path, tmp_path):
    """A checkpoint writes what it changed, not the execution's input again."""
    stage = Stage(store=SqliteStore(path))
    log = tmp_path / "store.db-wal"
    sizes = []

    def turn(t):
        for n in range(5):
            sizes.append(log.stat().st_size)
            t.send(update("STEP", "SUCCEED", f"s{n}"))
        return PENDING

    payload = f'"{"x" * LARGE}"'
    arn = stage.play(turn, lambda t: DONE, lambda t: DONE, payload=payload, run=False)
    stage.service.step()
    assert sizes[-1] - sizes[0] < LARGE
    stage.service.close()
    again = Stage(store=SqliteStore(path))
    assert payload == again.service.describe(arn)["InputPayload"]
    again.service.close()
