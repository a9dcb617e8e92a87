"""`python -m durable_gen.cli` is `durable-gen`."""

from durable_gen.cli import main

main()
