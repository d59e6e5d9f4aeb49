"""From a shape to a program: candidates, search, execution, choice."""
