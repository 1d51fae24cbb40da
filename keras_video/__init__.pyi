# Made by .ci/write_stubs.py.
# ruff: noqa: I001
from . import applications as applications
from . import data as data
from . import inference as inference
from . import layers as layers
from . import probes as probes
from . import sharded as sharded
from . import training as training
from . import weights as weights
from . import zoo as zoo
from .applications.loading import load as load
from .applications.model import VideoModel as VideoModel
from .applications.sharing import save_to_hub as save_to_hub
from .inference.classification import classify as classify
from .inference.video import predict_video as predict_video
from .weights.keras_files import load_model as load_model

__version__: str

__all__ = [
    "VideoModel",
    "applications",
    "classify",
    "data",
    "inference",
    "layers",
    "load",
    "load_model",
    "predict_video",
    "probes",
    "save_to_hub",
    "sharded",
    "training",
    "weights",
    "zoo",
]
