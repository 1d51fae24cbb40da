"""The step network of a stream: from the next frames and the state to scores and a new state."""

from dataclasses import dataclass

import keras
from keras import layers

from keras_video.layers.causal import StreamStep, TemporalDepthwiseConv, TemporalMean
from keras_video.layers.fold import FoldTime, UnfoldTime
from keras_video.layers.rebuilding import require_functional

FRAMES = "frames"
SCORES = "scores"

# Leading axes of a tensor: streams and frames, both folded into one, or streams only.
CLIP, FOLDED, VIDEO = "clip", "folded", "video"

# Layers that process every frame of a clip independently.
FRAME_BY_FRAME = (
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.Identity,
    layers.Multiply,
    layers.ReLU,
    layers.Rescaling,
    TemporalDepthwiseConv,  # unpadded: earlier frames are prepended to its input
)


@dataclass(frozen=True)
class Step:
    """The network of one step of a stream.

    Attributes:
        network: a `keras.Model` from a dictionary of the next frames, `frames` `(streams, frames,
            height, width, channels)`, and the state to a dictionary of `scores` and the state.
        state: `{name: (shape, dtype)}`; the first axis is the stream.
        count: the name of the state array that counts frames.
    """

    network: keras.Model
    state: dict
    count: str


def step_network(model, streams=1, *, frames=None, window=None):
    """Builds a network that applies a causal model to the next frames of a video.

    Its weights are copies.

    Args:
        model: a functional clip classifier with a layer that has a memory; see
            `keras_video.layers.causal`.
        streams: number of videos processed in parallel.
        frames: frames per step; `None` for any number.
        window: number of latest frames whose mean is classified; `None` for all.

    Returns:
        A `Step`.

    Raises:
        ValueError: if a layer of the model needs all frames at once, or the result is not a
            single one for the whole video.
    """
    require_functional(model, "Stream")
    builder = _Builder(model.name, streams, window)
    shape = (streams, frames, *model.input_shape[2:])
    builder.frames = keras.Input(batch_shape=shape, name=FRAMES)
    builder.mark([builder.frames], CLIP)
    (scores,) = keras.tree.flatten(
        model._run_through_graph([builder.frames], builder.operation)  # no public API
    )
    if builder.kind(scores) != VIDEO or not builder.causal:
        raise ValueError(f"{model.name!r} does not classify its frames one by one.")
    if builder.reused:
        raise ValueError(
            f"{', '.join(builder.reused)}: expected each layer with a memory to be used only once."
        )
    network = keras.Model(
        {FRAMES: builder.frames, **builder.inputs},
        {SCORES: scores, **builder.outputs},
        name=f"{model.name}_step",
    )
    for layer, copy in builder.copies:
        copy.set_weights(layer.get_weights())
    state = {name: (x.shape, x.dtype) for name, x in builder.inputs.items()}
    return Step(network, state, builder.count)


class _Builder:
    """Builds the layers of a step, tracking the leading axes of their tensors."""

    def __init__(self, model_name, streams, window):
        self.model_name, self.streams, self.window = model_name, streams, window
        self.inputs, self.outputs, self.copies = {}, {}, []
        self.causal, self.count, self.reused = False, None, []
        self.frames = None
        self._kinds, self._tensors = {}, []

    def mark(self, tensors, kind):
        self._tensors += tensors  # keeps them alive, so that ids are not reused
        self._kinds |= {id(tensor): kind for tensor in tensors}

    def kind(self, tensor):
        return self._kinds.get(id(tensor))

    def operation(self, layer):
        """The function that replaces a layer's call."""

        def call(*args, **kwargs):
            tensors = [x for x in keras.tree.flatten((args, kwargs)) if id(x) in self._kinds]
            kinds = {self.kind(tensor) for tensor in tensors}
            outputs, kind = self._call(layer, kinds, tensors[0], args, kwargs)
            self.mark(keras.tree.flatten(outputs), kind)
            return outputs

        return call

    def _call(self, layer, kinds, x, args, kwargs):
        """The output of a layer, and the kind of its leading axes."""
        if isinstance(layer, UnfoldTime):
            return UnfoldTime(dtype=layer.dtype_policy, name=layer.name)(x, self.frames), CLIP
        if isinstance(layer, FoldTime):
            return self._copy(layer)(x), FOLDED
        if kinds == {CLIP} and isinstance(layer, layers.GlobalAveragePooling1D):
            layer = TemporalMean(dtype=layer.dtype_policy, name=layer.name)
        if hasattr(layer, "memory"):
            return self._remember(layer, x), VIDEO if is_mean(layer) else self.kind(x)
        frame_by_frame = CLIP not in kinds or isinstance(layer, FRAME_BY_FRAME) or joins(layer)
        if not frame_by_frame or getattr(layer, "frames", None) is not None or len(kinds) > 1:
            raise ValueError(
                f"{self.model_name!r} does not classify its frames one by one: {layer.name} "
                f"({type(layer).__name__}) needs all frames at once."
            )
        return self._copy(layer)(*args, **kwargs), kinds.pop()

    def _remember(self, layer, x):
        """The output of a layer with a memory, which becomes inputs and outputs of the network."""
        if is_mean(layer):
            layer = TemporalMean(self.window, dtype=layer.dtype_policy, name=layer.name)
        else:
            self.causal = True
        memory = layer.memory(x.shape)
        names = [f"state_{layer.name}_{name}" for name in memory]
        self.reused += [name for name in names if name in self.inputs]
        if is_mean(layer):
            self.count = names[[*memory].index("frame_count")]
        before = [
            keras.Input(batch_shape=(self.streams, *shape), dtype=dtype, name=name)
            for name, (shape, dtype) in zip(names, memory.values(), strict=True)
        ]
        step = StreamStep(self._copy(layer))
        y, *after = step([x, *before])
        self.inputs |= dict(zip(names, before, strict=True))
        self.outputs |= dict(zip(names, after, strict=True))
        return y

    def _copy(self, layer):
        copy = type(layer).from_config(layer.get_config())
        self.copies.append((layer, copy))
        return copy


def is_mean(layer):
    """Whether a layer reduces the frame axis."""
    return isinstance(layer, TemporalMean)


def joins(layer):
    """Whether a layer concatenates channels."""
    return isinstance(layer, layers.Concatenate) and layer.axis == -1
