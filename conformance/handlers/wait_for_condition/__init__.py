"""Requirements 6-*: polling."""
