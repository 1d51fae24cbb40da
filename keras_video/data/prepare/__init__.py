"""Preparation of datasets: lists, frames, flow, sound. Parallel, resumable, with progress.

The scripts `recipes/prepare_*.py` are thin covers of these functions.
"""
