"""What is measured: each side does the same works in a process of its own, see `benchmarks.lab`."""
