"""Synthetic datasets, drawn and encoded on first use."""
