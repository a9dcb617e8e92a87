"""Workflows with the classic bugs, one each: the test kit must find them, and name their lines."""

import os
import random
import time
import uuid
from datetime import datetime

from durable_gen import durable


def charge(amount=1):
    return amount


@durable
def random_outside(event, ctx):
    yield ctx.step("quote", charge)
    yield ctx.step("charge", charge, random.random())


@durable
def random_branch(event, ctx):
    yield ctx.step("quote", charge)
    if random.randrange(2**64) % 2:
        yield ctx.step("heads", charge)
    else:
        yield ctx.step("tails", charge)


@durable
def ids_outside(event, ctx):
    yield ctx.step("charge", charge, str(uuid.uuid4()))


CITIES = {"Rome", "Oslo", "Lima", "Cairo", "Quito"}


@durable
def order_of_a_set(event, ctx):
    yield ctx.wait("settle", 1)
    for city in CITIES:
        yield ctx.step(city, charge)


@durable
def order_of_a_dict(event, ctx):
    stock = dict.fromkeys({"Rome", "Oslo", "Lima", "Cairo", "Quito"}, 1)
    return (yield ctx.map("cities", stock, lambda child, city: child.step(city, charge)))


@durable
def wall_clock(event, ctx):
    yield ctx.step("quote", charge)
    if datetime.now().year > 2026:  # noqa: DTZ005 - a part of the bug
        yield ctx.step("new price", charge)
    else:
        yield ctx.step("old price", charge)


@durable
def wall_clock_in_a_payload(event, ctx):
    yield ctx.invoke("ship", "ship:live", {"at": time.time()})


@durable
def environment(event, ctx):
    yield ctx.step("quote", charge)
    return os.environ["KIT_MODE"]


@durable
def mutated_closure(event, ctx):
    total = 0

    def add(amount):
        nonlocal total
        total += amount

    yield ctx.step("tea", add, 1)
    yield ctx.step("cup", add, 2)
    return total


@durable
def mutated_argument(event, ctx):
    bought = []
    yield ctx.step("tea", bought.append, "tea")
    return len(bought)


LOG = []


@durable
def side_effect_in_finally(event, ctx):
    try:
        yield ctx.step("charge", charge)
    finally:
        LOG.append("released")


@durable
def side_effect_outside(event, ctx):
    yield ctx.step("charge", charge)
    LOG.append("mailed")
    yield ctx.step("ship", charge)


@durable
def forgotten_yield(event, ctx):
    ctx.step("charge", charge)
    yield ctx.step("ship", charge)


def notify(ctx):
    yield ctx.step("mail", charge)


def notify_flow(event, ctx):
    yield from notify(ctx)


@durable
def forgotten_yield_from(event, ctx):
    yield ctx.step("charge", charge)
    notify(ctx)


@durable
def forgotten_yield_from_in_a_variable(event, ctx):
    receipt = notify(ctx)  # noqa: F841 - the bug
    yield ctx.step("charge", charge)


@durable
def forgotten_yield_from_in_a_plain_flow(event, ctx):
    notify(ctx)


@durable
def generator_given_to_a_step(event, ctx):
    receipt = notify(ctx)
    yield ctx.step("ship", charge, receipt)


class Shop:
    def mail(self, ctx):
        yield ctx.step("mail", charge)

    def flow(self, ctx):
        yield ctx.step("charge", charge)
        self.mail(ctx)


@durable
def forgotten_yield_from_of_a_method(event, ctx):
    yield ctx.child("shop", Shop().flow)


@durable
def sound(event, ctx):
    """Everything that those do, done right."""
    yield ctx.step("charge", random.random)
    yield from notify(ctx)
    for city in sorted({"Rome", "Oslo", "Lima"}):
        yield ctx.step(city, charge, city)
    yield ctx.map("items", [1, 2], lambda child, item: child.step("pack", charge, item))
    yield ctx.wait("settle", 5)
    if ctx.now().year > 2000 and ctx.random() < 2:
        yield ctx.invoke("ship", "ship:live", {"id": str(ctx.uuid4())})
    try:
        return (yield ctx.wait_for_callback("approval", charge))
    finally:
        yield ctx.step("release", LOG.append, "released")
