"""Requirement 1-4."""

from typing import TypedDict

from durable_gen import Context, Flow, durable


class User(TypedDict):
    """A user and what they are."""

    name: str
    tags: list[str]


class Response(TypedDict):
    """A user, and how many tags they have."""

    user: User
    count: int


def respond(user: User) -> Response:
    """Build a value with objects and lists in it."""
    return Response(user=user, count=len(user["tags"]))


@durable
def handler(user: User, ctx: Context) -> Flow[Response]:
    """Keep a nested value."""
    return (yield from ctx.step(respond, user))
