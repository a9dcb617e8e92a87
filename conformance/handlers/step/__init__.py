"""Requirements 1-*: steps."""
