"""Benchmarks for asv: `cd benchmarks && asv run --python=same --quick`."""
