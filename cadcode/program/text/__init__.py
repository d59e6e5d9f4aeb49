"""Programs as CadQuery text, for models and for people."""
