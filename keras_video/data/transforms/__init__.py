"""Clip transforms, applied to frames between decoding and the model."""
