"""Preparation of datasets: lists, frames, flow, audio. Parallel, resumable, with progress.

The commands `keras-video prepare ...` are thin wrappers around these functions.
"""
