"""Requirements 4-*: callbacks."""
