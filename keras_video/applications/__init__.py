"""Video models, one constructor per family."""

import keras  # noqa: F401  (imported before the modules below, which its import may load)

from keras_video.applications import (
    actionformer,
    audio_resnet,
    av_slowfast,
    c2d,
    c3d,
    csn,
    i3d,
    movinet,
    mvit,
    r2plus1d,
    s3d,
    slowfast,
    slowonly,
    swin3d,
    tanet,
    timesformer,
    tin,
    tpn,
    trn,
    tsm,
    tsn,
    uniformer,
    uniformer_v2,
    video_resnet,
    videomae,
    vivit,
    vjepa2,
    x3d,
)
from keras_video.applications.actionformer import ActionFormer
from keras_video.applications.audio_resnet import AudioResNet
from keras_video.applications.av_slowfast import AVSlowFast
from keras_video.applications.c2d import C2D
from keras_video.applications.c3d import C3D
from keras_video.applications.csn import CSN
from keras_video.applications.i3d import I3D
from keras_video.applications.model import VideoModel
from keras_video.applications.movinet import MoViNet
from keras_video.applications.mvit import MViT
from keras_video.applications.r2plus1d import R2Plus1D
from keras_video.applications.s3d import S3D
from keras_video.applications.slowfast import SlowFast
from keras_video.applications.slowonly import SlowOnly
from keras_video.applications.swin3d import Swin3D
from keras_video.applications.tanet import TANet
from keras_video.applications.timesformer import TimeSformer
from keras_video.applications.tin import TIN
from keras_video.applications.tpn import TPN
from keras_video.applications.trn import TRN
from keras_video.applications.tsm import TSM
from keras_video.applications.tsn import TSN
from keras_video.applications.uniformer import UniFormer
from keras_video.applications.uniformer_v2 import UniFormerV2
from keras_video.applications.video_resnet import VideoResNet
from keras_video.applications.videomae import VideoMAE
from keras_video.applications.vivit import ViViT
from keras_video.applications.vjepa2 import VJEPA2
from keras_video.applications.x3d import X3D

__all__ = [
    "AVSlowFast",
    "ActionFormer",
    "AudioResNet",
    "C2D",
    "C3D",
    "CSN",
    "I3D",
    "MViT",
    "MoViNet",
    "R2Plus1D",
    "S3D",
    "SlowFast",
    "SlowOnly",
    "Swin3D",
    "TANet",
    "TIN",
    "TPN",
    "TRN",
    "TSM",
    "TSN",
    "TimeSformer",
    "VideoModel",
    "VideoResNet",
    "UniFormer",
    "UniFormerV2",
    "VJEPA2",
    "ViViT",
    "VideoMAE",
    "X3D",
    "actionformer",
    "audio_resnet",
    "av_slowfast",
    "c2d",
    "c3d",
    "csn",
    "i3d",
    "mvit",
    "movinet",
    "r2plus1d",
    "s3d",
    "slowfast",
    "slowonly",
    "swin3d",
    "tanet",
    "timesformer",
    "tin",
    "tpn",
    "trn",
    "tsm",
    "tsn",
    "video_resnet",
    "uniformer",
    "uniformer_v2",
    "videomae",
    "vivit",
    "vjepa2",
    "x3d",
]
