"""Measures the program; start with python -m benchmarks.extraction."""
