"""One constructor per family of video models."""

from keras_video.applications import i3d, slowonly, tsn
from keras_video.applications.i3d import I3D
from keras_video.applications.slowonly import SlowOnly
from keras_video.applications.tsn import TSN

__all__ = ["I3D", "TSN", "SlowOnly", "i3d", "slowonly", "tsn"]
