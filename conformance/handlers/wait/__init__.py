"""Requirements 2-*: waits."""
