"""Published weights: PyTorch checkpoints fetched, verified, read without PyTorch, converted."""

import keras  # noqa: F401  (first, since its import may import the modules below)

from keras_video.weights.checkpoint import CheckpointError, read_checkpoint
from keras_video.weights.fetch import FetchError
from keras_video.weights.hdf5 import UnsafeFileError
from keras_video.weights.keras_files import load_model, load_weights
from keras_video.weights.loading import WeightsError, load_initial_weights, load_state

__all__ = [
    "CheckpointError",
    "FetchError",
    "UnsafeFileError",
    "WeightsError",
    "load_model",
    "load_initial_weights",
    "load_state",
    "load_weights",
    "read_checkpoint",
]
