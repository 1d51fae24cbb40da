"""Scores of videos while they come: frames in, the scores of all frames so far out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from keras_video.inference.stream_step import FRAMES, SCORES, step_network


def is_causal(model):
    """Whether a layer of a model sees the frames before its own and none after."""
    return any(getattr(layer, "online", False) for layer in model.layers)


class BaseStream(ABC):
    """What streams of models and of exported files share: the state, and the shapes of frames."""

    def __init__(self, shape, state, count, frames=None):
        self._shape = tuple(shape)  # (streams, height, width, channels)
        self._specs = {name: (tuple(size), dtype) for name, (size, dtype) in state.items()}
        self._count = count
        self._chunk = frames
        self.reset()

    @abstractmethod
    def _run(self, inputs):
        """A dictionary of the scores and the state after a step."""

    def initial_state(self):
        """The state before the first frame: zeros."""
        return {name: np.zeros(size, dtype) for name, (size, dtype) in self._specs.items()}

    def reset(self):
        """Forgets all frames: the next one is the first of a video."""
        self._state = self.initial_state()

    @property
    def state(self):
        """What is kept of the frames so far, a dictionary of arrays whose first axis is the stream.

        It is a copy. Setting it continues where it was taken, in this stream or another one of the
        same model and sizes. `numpy.savez(path, **stream.state)` writes it to a file.
        """
        return {name: array.copy() for name, array in self._state.items()}

    @state.setter
    def state(self, state):
        self._state = {name: array.copy() for name, array in self._checked(state).items()}

    @property
    def frames(self):
        """How many frames were seen since the first stream's video began."""
        return int(self._state[self._count][0])

    def __call__(self, frames):
        """Takes the next frames of every stream.

        Args:
            frames: float, prepared as the model expects: a frame `(height, width, channels)`; a
                frame of each stream `(streams, height, width, channels)`; or several, `(streams,
                frames, height, width, channels)`.

        Returns:
            float32 scores after the last of the frames, `(classes,)` for a single frame without
            streams, else `(streams, classes)`.

        Raises:
            ValueError: for frames of another shape.
        """
        frames = np.asarray(frames)
        scores, self._state = self.step(frames if frames.ndim > 3 else frames[None], self._state)
        return scores[0] if frames.ndim == 3 else scores

    def step(self, frames, state):
        """Takes the next frames and a state, and leaves the stream's own state as it is.

        Args:
            frames: `(streams, height, width, channels)` or `(streams, frames, height, width,
                channels)`.
            state: as `state` or `initial_state()` give it.

        Returns:
            `(scores, state)`.

        Raises:
            ValueError: for frames or a state of other names, shapes or types.
        """
        frames = np.asarray(frames, "float32")
        chunk = frames[:, None] if frames.ndim == 4 else frames
        fits = chunk.ndim == 5 and (chunk.shape[0], *chunk.shape[2:]) == self._shape
        if not fits or chunk.shape[1] < 1 or self._chunk not in (None, chunk.shape[1]):
            raise ValueError(
                f"frames of shape {frames.shape}: expected {self._expected()}; without the first "
                "axis only a single frame of a single stream."
            )
        outputs = self._run({FRAMES: chunk, **self._checked(state)})
        return np.asarray(outputs.pop(SCORES)), {
            name: np.asarray(array) for name, array in outputs.items()
        }

    def _expected(self):
        streams, *image = self._shape
        sizes = f"(streams={streams}, frames, {', '.join(map(str, image))})"
        return sizes if self._chunk is None else sizes.replace("frames,", f"{self._chunk},")

    def _checked(self, state):
        """The state as arrays.

        Raises:
            ValueError: if it is not a state of this stream.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"state={state!r:.80}: expected a dictionary of arrays.")
        missing, unknown = self._specs.keys() - state.keys(), state.keys() - self._specs.keys()
        if missing or unknown:
            raise ValueError(
                f"a state with {sorted(unknown)} and without {sorted(missing)}: expected the state "
                "of a stream of the same model and window."
            )
        arrays = {name: np.asarray(state[name]) for name in self._specs}
        for name, (size, dtype) in self._specs.items():
            found = arrays[name]
            if found.shape != size or found.dtype != dtype:
                raise ValueError(
                    f"{name}: {found.dtype} of shape {found.shape}, expected {dtype} of {size}."
                )
        return arrays


class Stream(BaseStream):
    """Runs a causal model frame by frame, or on several frames at a time.

    After any number of frames the scores equal those of the model on a clip of these frames,
    however the frames are divided. Every frame goes through the network once; what later frames
    need of it is kept in `state`.

    Args:
        model: a model of `keras_video.applications.MoViNet` with `stream=True`, of
            `keras_video.applications.TSM` with `online=True`, or another one whose layers that see
            other frames have a memory; see `keras_video.layers.causal`. Its weights are copied:
            changes to the model later do not reach the stream.
        streams: how many videos are followed at once, frame by frame together.
        window: frames whose mean is classified, the latest; `None` for all since `reset`.

    Raises:
        ValueError: if a layer of the model needs all frames at once, the frames are not reduced to
            one result, or their size is open.
    """

    def __init__(self, model, *, streams=1, window=None):
        if window is not None and window < 1:
            raise ValueError(f"window={window}: expected at least 1 frame, or None.")
        if streams < 1:
            raise ValueError(f"streams={streams}: expected at least 1.")
        image = model.input_shape[2:]
        if None in image:
            raise ValueError(
                f"{model.name!r} takes frames of any size, {image}: build it for a known one, as "
                "with input_shape=(None, 172, 172, 3)."
            )
        step = step_network(model, streams, window=window)
        self._network = step.network
        super().__init__((streams, *image), step.state, step.count)

    def _run(self, inputs):
        return self._network.predict_on_batch(inputs)
