"""How fast: from a cold start to parts a minute, beside what a user would otherwise run, in one go."""
