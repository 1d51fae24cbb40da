"""Scores of a video while it comes: one frame in, the scores of all frames so far out."""

from collections import deque

import keras
import numpy as np


class Stream:
    """Runs an online model frame by frame.

    After any number of frames the scores equal those of the model on a clip of these frames. Every
    frame goes through the network once; what later frames need of it is kept.

    Args:
        model: a model of `keras_video.applications.TSM` with `online=True` and its classifier.
            Its weights are copied: changes to the model later do not reach the stream.
        streams: how many videos are followed at once.
        window: frames whose logits are averaged, the latest; `None` for all since `reset`.

    Raises:
        ValueError: if a layer of the model sees more than one frame at a time, or frames are not
            classified one by one.
    """

    def __init__(self, model, *, streams=1, window=None):
        if window is not None and window < 1:
            raise ValueError(f"window={window}: expected at least 1 frame, or None.")
        self._network = frame_network(model, streams)
        self._shape = (streams, *model.input_shape[2:])
        self._activation = model.get_layer("predictions").activation
        self._latest = deque(maxlen=window)
        self._window = window
        self.reset()

    def reset(self):
        """Forgets all frames: the next one is the first of a video."""
        for layer in self._network.layers:
            if hasattr(layer, "reset"):
                layer.reset()
        self._latest.clear()
        self._total = 0.0
        self.frames = 0

    def __call__(self, frame):
        """Takes the next frame.

        Args:
            frame: normalised float `(height, width, channels)`, or `(streams, height, width,
                channels)`.

        Returns:
            float32 scores `(classes,)`, or `(streams, classes)`.

        Raises:
            ValueError: for a frame of another shape.
        """
        frame = np.asarray(frame, "float32")
        frames = frame[None] if frame.ndim == 3 else frame
        if frames.shape != self._shape:
            raise ValueError(
                f"a frame of shape {frame.shape}: expected {self._shape}, the first "
                "axis only with several streams."
            )
        logits = self._network.predict_on_batch([frames])
        scores = keras.ops.convert_to_numpy(self._activation(self._mean(logits)))
        return scores[0] if frame.ndim == 3 else scores

    def _mean(self, logits):
        """The mean of the logits of the frames that count, this one included."""
        self.frames += 1
        if self._window is not None:
            self._latest.append(logits)
            return np.mean(self._latest, axis=0)
        self._total = self._total + logits.astype("float64")
        return (self._total / self.frames).astype("float32")


def frame_network(model, streams):
    """The network from one frame of each stream to its logits, with a copy of the weights.

    Raises:
        ValueError: if the model cannot work frame by frame.
    """
    names = {layer.name: layer for layer in model.layers}
    consensus = names.get("consensus")
    if not isinstance(consensus, keras.layers.GlobalAveragePooling1D):
        raise ValueError(f"{model.name!r} does not classify its frames one by one.")
    network = keras.Model(model.inputs, names["unfold_time"].input)  # logits (frames, classes)
    frame = keras.Input(batch_shape=(streams, *model.input_shape[2:]), name="frame")
    network = keras.models.clone_model(network, input_tensors=[frame], clone_function=per_frame)
    for layer in network.layers:
        if layer.name in names and not hasattr(layer, "reset"):
            layer.set_weights(names[layer.name].get_weights())
    return network


def per_frame(layer):
    """The layer for one frame of each stream instead of the frames of clips.

    Raises:
        ValueError: if the layer needs several frames.
    """
    if layer.name == "fold_time":
        return keras.layers.Identity(name=layer.name)
    if hasattr(layer, "streaming"):
        return layer.streaming()
    if getattr(layer, "frames", None) is not None:
        raise ValueError(f"{layer.name} ({type(layer).__name__}) needs all frames at once.")
    return layer.__class__.from_config(layer.get_config())
