"""Benchmarks for asv: `cd benchmarks/speed && asv run --python=same --quick`."""
