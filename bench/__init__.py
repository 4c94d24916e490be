"""Benchmarks: one module each, with a ``run()`` that gives ``BenchResult``s."""
