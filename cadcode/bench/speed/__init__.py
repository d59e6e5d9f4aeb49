"""Speed benchmarks, from start-up time to parts per minute, with reference implementations in the same run."""
