"""Online scores of videos: frames in, the scores of all frames so far out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from keras_video.inference.stream_step import FRAMES, SCORES, step_network


def is_causal(model):
    """Whether a model has an online layer, which uses past frames but no future ones."""
    return any(getattr(layer, "online", False) for layer in model.layers)


class BaseStream(ABC):
    """Base of streams of models and of exported files: holds the state, checks frame shapes."""

    def __init__(self, shape, state, count, frames=None):
        self._shape = tuple(shape)  # (streams, height, width, channels)
        self._specs = {name: (tuple(size), dtype) for name, (size, dtype) in state.items()}
        self._count = count
        self._chunk = frames
        self.reset()

    @abstractmethod
    def _run(self, inputs):
        """Runs a step; returns a dictionary of the scores and the new state."""

    def initial_state(self):
        """The state before the first frame: zeros."""
        return {name: np.zeros(size, dtype) for name, (size, dtype) in self._specs.items()}

    def reset(self):
        """Forgets all frames: the next one is the first of a video."""
        self._state = self.initial_state()

    @property
    def state(self):
        """The memory of the frames so far: a dictionary of arrays whose first axis is the stream.

        It is a copy. Setting it resumes from that point, in this stream or another one of the same
        model and sizes. `numpy.savez(path, **stream.state)` writes it to a file.
        """
        return {name: array.copy() for name, array in self._state.items()}

    @state.setter
    def state(self, state):
        self._state = {name: array.copy() for name, array in self._validated(state).items()}

    @property
    def frames(self):
        """The number of frames processed since the start of the first stream's video."""
        return int(self._state[self._count][0])

    def __call__(self, frames):
        """Processes the next frames of every stream.

        Args:
            frames: float, preprocessed as the model expects: a frame `(height, width, channels)`; a
                frame of each stream `(streams, height, width, channels)`; or several frames
                `(streams, frames, height, width, channels)`.

        Returns:
            float32 scores after the last frame, `(classes,)` for a single frame without a stream
            axis, otherwise `(streams, classes)`.

        Raises:
            ValueError: if the frames have the wrong shape.
        """
        frames = np.asarray(frames)
        scores, self._state = self.step(frames if frames.ndim > 3 else frames[None], self._state)
        return scores[0] if frames.ndim == 3 else scores

    def step(self, frames, state):
        """Processes the next frames from a given state, leaving the stream's own state unchanged.

        Args:
            frames: `(streams, height, width, channels)` or `(streams, frames, height, width,
                channels)`.
            state: a state such as `state` or `initial_state()`.

        Returns:
            `(scores, state)`.

        Raises:
            ValueError: if the frames or the state have the wrong names, shapes or types.
        """
        frames = np.asarray(frames, "float32")
        chunk = frames[:, None] if frames.ndim == 4 else frames
        fits = chunk.ndim == 5 and (chunk.shape[0], *chunk.shape[2:]) == self._shape
        if not fits or chunk.shape[1] < 1 or self._chunk not in (None, chunk.shape[1]):
            raise ValueError(
                f"frames of shape {frames.shape}: expected {self._expected()}; the first axis "
                "may be omitted only for a single frame of a single stream."
            )
        outputs = self._run({FRAMES: chunk, **self._validated(state)})
        return np.asarray(outputs.pop(SCORES)), {
            name: np.asarray(array) for name, array in outputs.items()
        }

    def _expected(self):
        streams, *image = self._shape
        sizes = f"(streams={streams}, frames, {', '.join(map(str, image))})"
        return sizes if self._chunk is None else sizes.replace("frames,", f"{self._chunk},")

    def _validated(self, state):
        """The state as validated arrays.

        Raises:
            ValueError: if it is not a state of this stream.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"state={state!r:.80}: expected a dictionary of arrays.")
        missing, unknown = self._specs.keys() - state.keys(), state.keys() - self._specs.keys()
        if missing or unknown:
            raise ValueError(
                f"received a state with {sorted(unknown)} and without {sorted(missing)}: expected "
                "the state of a stream of the same model and window."
            )
        arrays = {name: np.asarray(state[name]) for name in self._specs}
        for name, (size, dtype) in self._specs.items():
            array = arrays[name]
            if array.shape != size or array.dtype != dtype:
                raise ValueError(
                    f"{name}: {array.dtype} of shape {array.shape}, expected {dtype} of {size}."
                )
        return arrays


class Stream(BaseStream):
    """Runs a causal model frame by frame, or on several frames at a time.

    After any number of frames the scores equal those of the model on a clip of these frames,
    regardless of how the frames are chunked. Every frame goes through the network once; what
    later frames need from it is stored in `state`.

    Args:
        model: a model of `keras_video.applications.MoViNet` with `stream=True`, of
            `keras_video.applications.TSM` with `online=True`, or another one whose temporal layers
            have a memory; see `keras_video.layers.causal`. Its weights are copied: later changes
            to the model do not affect the stream.
        streams: number of videos processed in parallel, in lockstep.
        window: number of latest frames whose mean is classified; `None` for all since `reset`.

    Raises:
        ValueError: if a layer of the model needs all frames at once, the frames are not reduced to
            one result, or their size is unknown.
    """

    def __init__(self, model, *, streams=1, window=None):
        if window is not None and window < 1:
            raise ValueError(f"window={window}: expected at least 1 frame, or None.")
        if streams < 1:
            raise ValueError(f"streams={streams}: expected at least 1.")
        image = model.input_shape[2:]
        if None in image:
            raise ValueError(
                f"{model.name!r} takes frames of any size, {image}: build it for a fixed size, for "
                "instance with input_shape=(None, 172, 172, 3)."
            )
        step = step_network(model, streams, window=window)
        self._network = step.network
        super().__init__((streams, *image), step.state, step.count)

    def _run(self, inputs):
        return self._network.predict_on_batch(inputs)
