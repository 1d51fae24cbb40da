"""One constructor per family of video models."""

from keras_video.applications import (
    audio_resnet,
    av_slowfast,
    c3d,
    csn,
    i3d,
    movinet,
    r2plus1d,
    slowfast,
    slowonly,
    tanet,
    timesformer,
    tin,
    tpn,
    trn,
    tsm,
    tsn,
    x3d,
)
from keras_video.applications.audio_resnet import AudioResNet
from keras_video.applications.av_slowfast import AVSlowFast
from keras_video.applications.c3d import C3D
from keras_video.applications.csn import CSN
from keras_video.applications.i3d import I3D
from keras_video.applications.movinet import MoViNet
from keras_video.applications.r2plus1d import R2Plus1D
from keras_video.applications.slowfast import SlowFast
from keras_video.applications.slowonly import SlowOnly
from keras_video.applications.tanet import TANet
from keras_video.applications.timesformer import TimeSformer
from keras_video.applications.tin import TIN
from keras_video.applications.tpn import TPN
from keras_video.applications.trn import TRN
from keras_video.applications.tsm import TSM
from keras_video.applications.tsn import TSN
from keras_video.applications.x3d import X3D

__all__ = [
    "AVSlowFast",
    "AudioResNet",
    "C3D",
    "CSN",
    "I3D",
    "MoViNet",
    "R2Plus1D",
    "SlowFast",
    "SlowOnly",
    "TANet",
    "TIN",
    "TPN",
    "TRN",
    "TSM",
    "TSN",
    "TimeSformer",
    "X3D",
    "audio_resnet",
    "av_slowfast",
    "c3d",
    "csn",
    "i3d",
    "movinet",
    "r2plus1d",
    "slowfast",
    "slowonly",
    "tanet",
    "timesformer",
    "tin",
    "tpn",
    "trn",
    "tsm",
    "tsn",
    "x3d",
]
