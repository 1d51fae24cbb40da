"""Published weights: PyTorch checkpoints read without PyTorch, fetched, checked, converted."""

from keras_video.weights.loading import WeightsError, load_start, load_state

__all__ = ["WeightsError", "load_start", "load_state"]
