"""Commands that measure: `python -m benchmarks.replay`. Ratios side by side in one run, never a test."""
