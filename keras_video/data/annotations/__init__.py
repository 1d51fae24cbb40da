"""Annotation files: their forms, and the records they are read into."""
