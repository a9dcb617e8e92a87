"""Requirements 8-*: branches at once."""
