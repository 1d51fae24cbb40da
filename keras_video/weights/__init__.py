"""Published weights: PyTorch checkpoints read without PyTorch, fetched, checked, converted."""

from keras_video.weights.checkpoint import CheckpointError, read_checkpoint
from keras_video.weights.fetch import FetchError
from keras_video.weights.loading import WeightsError, load_start, load_state

__all__ = [
    "CheckpointError",
    "FetchError",
    "WeightsError",
    "load_start",
    "load_state",
    "read_checkpoint",
]
