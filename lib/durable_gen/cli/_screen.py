"""Shows an execution while it runs: a live tree in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from durable_gen.cli._story import Node, Story, elapsed

MARKS = {
    "running": ("●", "cyan"),
    "waiting": ("◌", "yellow"),
    "succeeded": ("✔", "green"),
    "failed": ("✘", "red"),
    "timed out": ("✘", "red"),
}


class Screen:
    """Shows what is heard of one execution.

    Args:
        console: where to; its `is_terminal` decides how.
        title: what is run.
    """

    def __init__(self, console: Console, title: str) -> None:
        self.console = console
        self.story = Story()
        self.title = title
        self.live: Live | None = None

    def __enter__(self) -> Screen:
        if self.console.is_terminal:
            self.live = Live(console=self.console, refresh_per_second=8, get_renderable=self.tree)
            self.live.start()
        else:
            self.say(self.title)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else for a while."""
        live, self.live = self.live, None
        if live is not None:
            live.stop()
        try:
            yield
        finally:
            if live is not None:
                self.__enter__()

    def ask(self, question: str) -> None:
        """Print a question; the answer follows on the same line."""
        self.console.print(question, end="", markup=False, highlight=False, soft_wrap=True)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in an event of the history."""
        line = self.story.hear(event)
        if line is not None and self.live is None:
            self.say(line)

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tree(self) -> Tree:
        """Draw the operations with their state, attempts and times."""
        root = Tree(Text(self.title, style="bold"), guide_style="dim")
        for node in self.story.roots:
            self._branch(root, node)
        return root

    def _branch(self, tree: Tree, node: Node) -> None:
        mark, colour = MARKS.get(node.state.split(" at ")[0], ("•", "white"))
        line = Text.assemble((f"{mark} ", colour), node.title)
        if node.attempts > 1:
            line.append(f"  attempt {node.attempts}", style="yellow")
        if node.started and node.ended and node.ended - node.started >= timedelta(seconds=0.1):
            line.append(f"  {elapsed(node.ended - node.started)}", style="dim")
        if node.note:
            line.append(f"  {node.note}", style="red" if colour == "red" else "dim")
        branch = tree.add(line)
        for child in node.children:
            self._branch(branch, child)
