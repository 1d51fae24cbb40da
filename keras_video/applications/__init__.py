"""One constructor per family of video models."""

from keras_video.applications import i3d, slowonly, tsm, tsn
from keras_video.applications.i3d import I3D
from keras_video.applications.slowonly import SlowOnly
from keras_video.applications.tsm import TSM
from keras_video.applications.tsn import TSN

__all__ = ["I3D", "SlowOnly", "TSM", "TSN", "i3d", "slowonly", "tsm", "tsn"]
