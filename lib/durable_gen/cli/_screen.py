"""Shows an execution while it runs: a live tree in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from durable_gen.cli._story import Node, Story, elapsed

MARKS = {
    "running": ("●", "*", "cyan"),
    "waiting": ("◌", "o", "yellow"),
    "succeeded": ("✔", "+", "green"),
    "failed": ("✘", "x", "red"),
    "timed out": ("✘", "x", "red"),
    "left behind": ("·", ".", "dim"),
}
OTHER = ("•", "-", "white")
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FOLDS = 4  # all of it; finished contexts closed; what succeeded counted; everything counted
FEW = 3  # siblings in one state that are not worth folding
TALLEST = 100  # lines of a tree that stays on the screen


class Screen:
    """Shows what is heard of one execution.

    Args:
        console: where to; whether it is a terminal decides how.
        title: what is run.
        ticks: whether time passes between events.
    """

    def __init__(self, console: Console, title: str, *, ticks: bool) -> None:
        self.console = console
        self.story = Story()
        self.title = title
        self.ticks = ticks
        self.heard = time.monotonic()
        self.terminal = console.file.isatty() and not console.is_dumb_terminal
        self.live: Live | None = None
        self.held: str | None = None

    def __enter__(self) -> Self:
        if self.terminal:
            self.live = Live(
                console=self.console,
                refresh_per_second=8,
                get_renderable=self.tree,
                redirect_stdout=False,  # a Relay does it
                redirect_stderr=False,
                transient=True,
            )
            self.live.start()
            self.console.show_cursor(True)  # whoever is killed cannot bring it back
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.live is not None:
            live, self.live = self.live, None
            live.stop()
            self.console.print(self.tree(TALLEST))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question below the tree."""
        self.__exit__()
        try:
            yield
        except KeyboardInterrupt:
            self.say("")  # it is left in the middle of the question
            raise
        self.__enter__()

    def erase(self, rows: int) -> None:
        """Take the tree and some rows below it off the terminal, if they are still on it."""
        rows += len(self.console.render_lines(self.tree(TALLEST)))
        if rows < self.console.height:
            self.console.file.write(f"\x1b[{rows}F\x1b[J")

    def ask(self, question: str) -> None:
        """Print a question; the answer follows on the same line."""
        self.console.print(Text(question), end="", soft_wrap=True)

    def hear(self, event: Mapping[str, Any], *, quiet: bool = False) -> None:
        """Take in an event of the history.

        Args:
            event: the event.
            quiet: whether it is nothing new.
        """
        line = self.story.hear(event)
        self.heard = time.monotonic()
        if self.story.root.ended is not None:
            self.held = None  # the report says how it ended
        self.settle()
        if line is None or quiet:
            return
        if event["EventType"] == "InvocationCompleted":  # it is nowhere in the tree
            self.held = line
        elif not self.terminal:
            self.say(line)

    def settle(self) -> None:
        """Say what was held back, in case that the execution's end was to follow."""
        line, self.held = self.held, None
        if line is not None:
            self.say(line)

    def meet(self, operation: Mapping[str, Any]) -> None:
        """Take in that the code has come to an operation.

        Args:
            operation: what the library logs of it.
        """
        at = self.now()
        line = None if at is None else self.story.meet(operation, at)
        if line is not None and not self.terminal:
            self.say(line)

    def say(self, line: str, style: str = "") -> None:
        """Print a line as it is; the terminal wraps it."""
        self.console.print(Text(line, style=style), soft_wrap=True)

    def now(self) -> datetime | None:
        """Tell the service's time, as far as it is known without asking."""
        latest = self.story.latest
        if latest is None or not self.ticks:
            return latest
        return latest + timedelta(seconds=time.monotonic() - self.heard)

    def tree(self, most: int | None = None) -> Tree:
        """Draw the operations with their state, attempts and times.

        Args:
            most: lines; as many as the terminal has if left out. What does not fit is folded.
        """
        most = self.console.height - 1 if most is None else most
        fold = 0
        while fold < FOLDS - 1 and _lines(self.story.root, fold) > most:
            fold += 1
        root = Tree(Text(self.title, style="bold", overflow="ellipsis"), guide_style="dim")
        self._branches(root, self.story.root, fold)
        return root

    def _branches(self, tree: Tree, node: Node, fold: int) -> None:
        for folded, shown in _folded(node, fold):
            if folded:
                text = f"… {len(folded)} {folded[0].state}"
                tree.add(Text(text, style="dim", no_wrap=True))
            for child in shown:
                line = self._line(child)
                if child.children and _closed(child, fold):
                    line.append(f"  {len(child.children)} inside", style="dim")
                self._branches(tree.add(line), child, fold)

    def _line(self, node: Node) -> Text:
        now = self.now() or node.started
        state, until = node.state, node.until
        if node.kind == "Step" and until and now and until <= now:
            state, until = "running", None  # its next attempt
        mark, plain, colour = MARKS.get(state, OTHER)
        if self.console.options.ascii_only:
            mark = plain
        elif state == "running" and self.live is not None and node.kind == "Step":
            mark = SPINNER[int(time.monotonic() * 8) % len(SPINNER)]
        line = Text.assemble((f"{mark} ", colour), node.title)
        line.no_wrap, line.overflow = self.live is not None, "ellipsis"
        attempt = node.attempts + (node.ended is None)
        if attempt > 1:
            line.append(f"  attempt {attempt}", style="yellow")
        if until and now:
            line.append(f"  {elapsed(until - now)} left", style="yellow")
        elif node.started and now and state != "left behind":
            took = (node.ended or now) - node.started
            if took >= timedelta(seconds=0.1):
                line.append(f"  {elapsed(took)}", style="dim")
        if state in ("timed out", "stopped", "cancelled", "left behind"):
            line.append(f"  {state}", style=colour)
        if node.note:
            line.append(f"  {node.note}", style="red" if colour == "red" else "dim")
        return line


def _folded(node: Node, fold: int) -> Iterator[tuple[list[Node], list[Node]]]:
    """Divide a node's children into those that are only counted and those that are shown."""
    if _closed(node, fold):
        return
    for state, alike in groupby(list(node.children), lambda child: child.state):
        run = list(alike)
        folds = fold >= 3 or (fold == 2 and state == "succeeded")
        yield (run[:-1], run[-1:]) if folds and len(run) > FEW else ([], run)


def _closed(node: Node, fold: int) -> bool:
    """Tell whether what is inside an operation is left out: it ended well, and all of it did."""
    return fold >= 1 and node.parent is not None and _well(node)


def _well(node: Node) -> bool:
    return node.state == "succeeded" and all(_well(child) for child in list(node.children))


def _lines(node: Node, fold: int) -> int:
    below = (
        sum(_lines(child, fold) for child in shown) + bool(folded)
        for folded, shown in _folded(node, fold)
    )
    return 1 + sum(below)
