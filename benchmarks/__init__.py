"""Benchmarks: scripts anyone can run; figures are reported, never a pass or a failure."""
