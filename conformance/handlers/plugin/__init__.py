"""Requirements 10-*: plugins."""
