"""Preparation of datasets: lists, frames, flow, sound. Parallel, resumable, with progress.

The commands `keras-video prepare ...` are thin covers of these functions.
"""
