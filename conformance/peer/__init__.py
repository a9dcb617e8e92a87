"""AWS's Python SDK, for comparison."""
