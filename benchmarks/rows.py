"""What a benchmark tells: rows of figures, a side each, with the bounds that ours is to keep, and the tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen
from rich.table import Table

OURS, FLOOR, PYTHON, JS = "durable_gen", "floor", "AWS Python", "AWS JS"
SIDES = (OURS, FLOOR, PYTHON, JS)


@frozen
class Bound:
    """What a figure of ours is to keep.

    Attributes:
        text: what is asked.
        got: what there is; None where the peer is missing.
        limit: what it may be.
        least: whether it is to be that at least, not at most.
    """

    text: str
    got: float | None
    limit: float
    least: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether it is kept; None if that cannot be told, as of a slope that is all noise."""
        if self.got is None or self.got < 0:
            return None
        return self.got >= self.limit if self.least else self.got <= self.limit

    def __str__(self) -> str:
        word = {True: "yes", False: "NO", None: "?"}[self.holds]
        got = "" if self.got is None else f" {shown(self.got)}"
        return f"{word}{got} ({self.text})"


@frozen
class Row:
    """A line of the table.

    Attributes:
        what: what was measured.
        unit: of the figures.
        figures: one of each side that does it.
        bounds: what ours is to keep.
    """

    what: str
    unit: str
    figures: Mapping[str, float]
    bounds: tuple[Bound, ...]


def at_most(limit: float, unit: str, got: float) -> Bound:
    """Ask for a figure itself."""
    return Bound(f"at most {limit:g} {unit}".rstrip(), got, limit)


def of(figures: Mapping[str, float], side: str, limit: float) -> Bound:
    """Ask for so many times a side's figure at most."""
    return Bound(f"at most {limit:g} × {side}", _ratio(figures, OURS, side), limit)


def less_than(figures: Mapping[str, float], side: str, times: float = 1) -> Bound:
    """Ask for so many times less than a side's figure."""
    text = f"{times:g} × less than {side}" if times != 1 else f"less than {side}"
    return Bound(text, _ratio(figures, side, OURS), times, least=True)


def _ratio(figures: Mapping[str, float], one: str, other: str) -> float | None:
    return figures[one] / figures[other] if one in figures and other in figures else None


def shown(number: float) -> str:
    """Write a number with three digits that mean something."""
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.3g}"


def table(rows: Sequence[Row]) -> Table:
    """Make the table; a side that has no figure in it has no column."""
    sides = [name for name in SIDES if any(name in row.figures for row in rows)]
    made = Table("what", "unit", *sides, "asked", show_lines=True)
    for row in rows:
        figures = [shown(row.figures[name]) if name in row.figures else "" for name in sides]
        colours = {True: "green", False: "red", None: "yellow"}
        bounds = [f"[{colours[one.holds]}]{one}[/]" for one in row.bounds]
        made.add_row(row.what, row.unit, *figures, "\n".join(bounds))
    return made


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """Write the table for a page."""
    yield f"| what | unit | {' | '.join(SIDES)} | asked, and got |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        figures = [shown(row.figures[name]) if name in row.figures else "" for name in SIDES]
        asked = "; ".join(f"{one.text}: {_got(one)}" for one in row.bounds)
        yield f"| {row.what} | {row.unit} | {' | '.join(figures)} | {asked} |"


def told(row: Row) -> dict[str, Any]:
    """Write a row for a machine."""
    bounds = [{**asdict(one), "holds": one.holds} for one in row.bounds]
    return {"what": row.what, "unit": row.unit, "figures": dict(row.figures), "bounds": bounds}


def _got(bound: Bound) -> str:
    if bound.holds is None:
        return "not measured"
    return shown(bound.got) if bound.holds else f"**{shown(bound.got)}**"
