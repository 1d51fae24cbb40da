"""One constructor per family of video models."""

from keras_video.applications import i3d, slowonly, tanet, tin, trn, tsm, tsn
from keras_video.applications.i3d import I3D
from keras_video.applications.slowonly import SlowOnly
from keras_video.applications.tanet import TANet
from keras_video.applications.tin import TIN
from keras_video.applications.trn import TRN
from keras_video.applications.tsm import TSM
from keras_video.applications.tsn import TSN

__all__ = [
    "I3D",
    "SlowOnly",
    "TANet",
    "TIN",
    "TRN",
    "TSM",
    "TSN",
    "i3d",
    "slowonly",
    "tanet",
    "tin",
    "trn",
    "tsm",
    "tsn",
]
