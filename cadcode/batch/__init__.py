"""Conversion of many parts: `plan` lists them, `pool` runs `work` on them, `results_log` keeps one row per part."""
