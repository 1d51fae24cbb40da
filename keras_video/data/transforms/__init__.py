"""Clip transforms: what happens to frames between decoding and the model."""
