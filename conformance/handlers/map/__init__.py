"""Requirements 9-*: one flow for many items."""
