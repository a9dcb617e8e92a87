"""What tests of traces share: workflows run on the embedded service, and their spans drawn as a tree."""

from __future__ import annotations

import json
import logging

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from durable_gen import durable
from durable_gen.local import MemoryStore, Service, VirtualClock


class Traced:
    """Runs workflows with plugins, and keeps the spans that are exported."""

    def __init__(self, **options):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("the user's own")

    @property
    def spans(self):
        return list(self.exporter.get_finished_spans())

    def run(self, plugins, **flows):
        """Run the first of some workflows to its end; the others are there to be invoked."""
        logging.getLogger("durable_gen").setLevel(logging.CRITICAL)

        def answer(idle):
            for one in idle.callbacks:
                service.client.send_durable_execution_callback_success(
                    CallbackId=one.callback_id, Result=json.dumps("yes")
                )
            return bool(idle.callbacks)

        try:
            with Service(MemoryStore(), VirtualClock()) as service:
                for name, flow in flows.items():
                    service.register(name, durable(plugins=plugins)(flow))
                arn = service.start(next(iter(flows)), "null", "order-7")
                service.run(arn, answer)
                return service.describe(arn)
        finally:
            logging.getLogger("durable_gen").setLevel(logging.NOTSET)

    def named(self, name):
        """Give the one span of a name."""
        (span,) = self.all(name)
        return span

    def all(self, name):
        return [span for span in self.spans if span.name == name]

    def below(self, span):
        """List the spans whose parent is this one; whether it was remote does not matter."""
        own = (span.context.trace_id, span.context.span_id)
        return [
            one
            for one in self.spans
            if one.parent is not None and (one.parent.trace_id, one.parent.span_id) == own
        ]

    def linked(self, span):
        """List the names of the spans that one links to, with the words that say why."""
        names = {one.context.span_id: one.name for one in self.spans}
        return [
            (names.get(link.context.span_id), *link.attributes["durable.link"])
            for link in span.links
        ]

    def tree(self, root, indent=""):
        """Draw a span and those below it, by their names in order."""
        (span,) = [root] if not isinstance(root, str) else self.all(root)
        failed = f" ! {span.attributes['error.type']}" if not span.status.is_unset else ""
        lines = [f"{indent}{span.name}{failed}"]
        for one in sorted(self.below(span), key=lambda one: (one.name, number(one))):
            lines += self.tree(one, indent + "  ")
        return lines


def number(span):
    return span.attributes.get("durable.attempt.number", 0)
