"""Frames from video files, images and cameras, and video files from frames."""
