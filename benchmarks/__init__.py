"""What the figures in docs/performance.md come from: `python -m benchmarks`, or `make bench`."""
