"""Networks: decoders, the point encoder, vision."""
