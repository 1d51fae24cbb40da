"""Datasets that are drawn and encoded on the spot."""
