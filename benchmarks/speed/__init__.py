"""The stage and the rows of `python -m benchmarks.delivery`."""
