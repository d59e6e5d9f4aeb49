"""Forward passes: by torch, by C on a processor, by CUDA graphs."""
