"""Tests, drills and benchmarks."""
