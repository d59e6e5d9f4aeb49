"""Training of the embedded model, on programs made on the fly."""
