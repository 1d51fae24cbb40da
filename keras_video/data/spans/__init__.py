"""Annotations of when something happens: spans of time in long videos, one module per format."""
