"""Checkpoints: known ones, loading, saving, exporting."""
