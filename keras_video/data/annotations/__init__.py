"""Annotation files: their formats and the records read from them."""
