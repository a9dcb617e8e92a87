"""Requirements 5-*: invoking other functions."""
