"""One constructor per family of video models."""

from keras_video.applications import tsn
from keras_video.applications.tsn import TSN

__all__ = ["TSN", "tsn"]
