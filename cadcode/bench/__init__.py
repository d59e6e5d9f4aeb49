"""Measurements: of programs, of models, of speed."""
