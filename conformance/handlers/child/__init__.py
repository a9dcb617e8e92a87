"""Requirements 3-*: child contexts."""
