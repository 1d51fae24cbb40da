"""Dialects: the naming schemes of projects' checkpoints, one module each.

`recognize` identifies a checkpoint's `Dialect` by its names; a new one needs a module and a line
below.
"""

from collections.abc import Mapping

import numpy as np

from keras_video.weights.dialects import recognition
from keras_video.weights.dialects.dialect import Dialect
from keras_video.weights.dialects.mmaction2 import MMACTION2
from keras_video.weights.dialects.mmaction2_videomae import MMACTION2_VIDEOMAE
from keras_video.weights.dialects.mmcls import MMCLS
from keras_video.weights.dialects.movinet import MOVINET
from keras_video.weights.dialects.mvit import PYTORCHVIDEO_MVIT, SLOWFAST_MVIT, TORCHVISION_MVIT
from keras_video.weights.dialects.pytorchvideo import PYTORCHVIDEO
from keras_video.weights.dialects.pytorchvideo_mobile_x3d import PYTORCHVIDEO_MOBILE_X3D
from keras_video.weights.dialects.pytorchvideo_x3d import PYTORCHVIDEO_X3D
from keras_video.weights.dialects.segments import TAM, TSM, TSN
from keras_video.weights.dialects.slowfast import SLOWFAST
from keras_video.weights.dialects.slowfast_caffe2 import SLOWFAST_CAFFE2
from keras_video.weights.dialects.slowfast_x3d import SLOWFAST_X3D
from keras_video.weights.dialects.timesformer import TIMESFORMER
from keras_video.weights.dialects.timm_swin import TIMM_SWIN
from keras_video.weights.dialects.timm_vit import TIMM_VIT
from keras_video.weights.dialects.torchvision_densenet import TORCHVISION_DENSENET
from keras_video.weights.dialects.torchvision_resnet import TORCHVISION_RESNET
from keras_video.weights.dialects.torchvision_s3d import TORCHVISION_S3D
from keras_video.weights.dialects.torchvision_swin3d import TORCHVISION_SWIN3D
from keras_video.weights.dialects.torchvision_video_resnet import TORCHVISION_VIDEO_RESNET
from keras_video.weights.dialects.transformers_timesformer import TRANSFORMERS_TIMESFORMER
from keras_video.weights.dialects.transformers_videomae import TRANSFORMERS_VIDEOMAE
from keras_video.weights.dialects.transformers_videomae_pretraining import (
    TRANSFORMERS_VIDEOMAE_PRETRAINING,
)
from keras_video.weights.dialects.transformers_vivit import TRANSFORMERS_VIVIT
from keras_video.weights.dialects.transformers_vjepa2 import TRANSFORMERS_VJEPA2
from keras_video.weights.dialects.videomae import VIDEOMAE
from keras_video.weights.dialects.videomae_pretraining import VIDEOMAE_PRETRAINING
from keras_video.weights.dialects.vjepa2 import VJEPA2

__all__ = ["DIALECTS", "Dialect", "dialect_of", "recognize"]

DIALECTS = (
    MMACTION2,
    MMACTION2_VIDEOMAE,
    MMCLS,
    MOVINET,
    PYTORCHVIDEO,
    PYTORCHVIDEO_MOBILE_X3D,
    PYTORCHVIDEO_MVIT,
    PYTORCHVIDEO_X3D,
    SLOWFAST,
    SLOWFAST_CAFFE2,
    SLOWFAST_MVIT,
    SLOWFAST_X3D,
    TAM,
    TIMESFORMER,
    TIMM_SWIN,
    TIMM_VIT,
    TORCHVISION_DENSENET,
    TORCHVISION_MVIT,
    TORCHVISION_RESNET,
    TORCHVISION_S3D,
    TORCHVISION_VIDEO_RESNET,
    TORCHVISION_SWIN3D,
    TRANSFORMERS_TIMESFORMER,
    TRANSFORMERS_VIDEOMAE,
    TRANSFORMERS_VIDEOMAE_PRETRAINING,
    TRANSFORMERS_VIVIT,
    TRANSFORMERS_VJEPA2,
    TSN,
    TSM,
    VIDEOMAE,
    VIDEOMAE_PRETRAINING,
    VJEPA2,
)


def recognize(state: Mapping[str, np.ndarray]) -> Dialect:
    """The dialect that matches most of the names of a checkpoint, `{name: array}`.

    Raises:
        WeightsError: if none matches half of them, or several that translate them differently match
            equally many.
    """
    return recognition.recognize(state, DIALECTS)


def dialect_of(state: Mapping[str, np.ndarray], dialect: str | Dialect | None = None) -> Dialect:
    """The dialect of a checkpoint: as given, as a name or a `Dialect`, otherwise recognized.

    Raises:
        ValueError: if there is no dialect of that name.
        WeightsError: as `recognize`.
    """
    if isinstance(dialect, Dialect):
        return dialect
    return recognize(state) if dialect is None else recognition.named(dialect, DIALECTS)
