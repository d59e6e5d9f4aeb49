"""Published models as transformers classes."""
