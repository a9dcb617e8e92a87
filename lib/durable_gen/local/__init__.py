"""The embedded service: durable executions without AWS, in memory or in a file, in real or virtual time."""

from durable_gen.local._client import Client
from durable_gen.local._clock import Clock, RealClock, VirtualClock
from durable_gen.local._reports import (
    Called,
    EventAppended,
    Fired,
    Idle,
    InvocationStarted,
    Invoked,
    Notice,
    PendingCallback,
    Step,
)
from durable_gen.local._service import Service
from durable_gen.local._sqlite import SqliteStore, StoreInUse
from durable_gen.local._store import MemoryStore, Store

__all__ = [
    "Called",
    "Client",
    "Clock",
    "EventAppended",
    "Fired",
    "Idle",
    "InvocationStarted",
    "Invoked",
    "MemoryStore",
    "Notice",
    "PendingCallback",
    "RealClock",
    "Service",
    "SqliteStore",
    "Step",
    "Store",
    "StoreInUse",
    "VirtualClock",
]
