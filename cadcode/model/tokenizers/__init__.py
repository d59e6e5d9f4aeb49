"""Token sequences as text, each with its grammar."""
