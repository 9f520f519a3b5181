"""Benchmarks: `python -m benchmarks [NAME...]`. Ratios against peers of the same run."""
