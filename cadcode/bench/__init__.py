"""Benchmarks of programs, models and speed."""
