"""Temporal annotations: spans of time in long videos, one module per format."""
