import json

import pytest
from attrs import evolve, fields

from durable_gen.local._facts import Execution, Operation, changed
from durable_gen.local._json import ascii_text, read, written

VALUES = [None, True, 1, 1.5, "ä", "\ud800", {"ä": ["\ud800", {}]}, [2**70, -1], '\u0000"\\']


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_written_then_read_as_it_was(value):
    """Whatever JSON can say comes back, lone surrogates and long numbers too."""
    assert value == read(ascii_text(value)) == json.loads(written(value))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_ascii_text_then_a_byte_for_each_character(value):
    """Pages are cut by the length of texts: it is that of their bytes."""
    assert ascii_text(value).isascii()


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "'a'", "{a:1}", b"\xff"])
def test_no_json_then_refused(text):
    """What orjson refuses is still no JSON when the standard library is lenient."""
    with pytest.raises(ValueError, match=r"Expecting|is no JSON|decode"):
        read(text)


@pytest.mark.parametrize(
    ("fact", "members"),
    [
        (Operation("i", "STEP", "STARTED", 1, 2), {"status": "SUCCEEDED", "ended": 3}),
        (
            Execution("a", "f", "1", "n", "i", "RUNNING", 1, 2, 3),
            {"fresh": ("a", "b"), "running": True},
        ),
    ],
    ids=["operation", "execution"],
)
def test_changed_then_as_attrs_evolves_it(fact, members):
    """The next value differs in what is said, and the old one stays as it was."""
    before = {a.name: getattr(fact, a.name) for a in fields(type(fact))}
    assert evolve(fact, **members) == changed(fact, **members)
    assert before == {a.name: getattr(fact, a.name) for a in fields(type(fact))}
