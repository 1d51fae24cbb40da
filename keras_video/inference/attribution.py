"""Where in a clip a score comes from: Grad-CAM and attention rollout."""

import math

import keras
import numpy as np
from keras import layers, ops

from keras_video.inference.views import logits_model
from keras_video.layers.attention import AttentivePooling
from keras_video.layers.space_time_attention import SelfAttention
from keras_video.layers.transformer_block import TransformerBlock

POOLINGS = (layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)


def gradcam(model, clip, *, class_index=None, layer=None):
    """Grad-CAM (arXiv:1610.02391) over space and time.

    The features of the last spatial layer are weighted by the mean gradient of the class's logit
    with respect to them, and negative values are dropped. With two pathways, both are summed.

    Args:
        model: a convolutional classifier of `keras_video.applications`.
        clip: normalized float frames `(frames, height, width, channels)`.
        class_index: the class to explain; `None` for the top-scoring one.
        layer: name of the layer whose features are weighted; `None` for the layers that the model
            pools before its classifier, or else its last convolution.

    Returns:
        float32 map `(frames, height, width)` of the clip's size in [0, 1]; all 0 if nothing
        supports the class.

    Raises:
        ValueError: for a clip of another rank, a class or layer that the model does not have, or
            a transformer (use `attention_rollout`).
    """
    clip = one_clip(clip)
    logits = logits_model(model)
    names = feature_layers(logits) if layer is None else [layer]
    check_layers(logits, names)
    zeros = dict.fromkeys(names, 0.0)
    scores, features = run_shifted(logits, clip, zeros)
    index = int(ops.argmax(scores[0])) if class_index is None else class_index
    if not 0 <= index < scores.shape[-1]:
        raise ValueError(f"class_index={index}: the model has {scores.shape[-1]} classes.")

    def score(shifts):
        return run_shifted(logits, clip, shifts)[0][0, index]

    gradients = gradient(score, {name: ops.zeros_like(features[name]) for name in names})
    total = 0.0
    for name in names:
        total = total + full_size(weighted(features[name], gradients[name]), clip.shape[1:4])
    return scaled(total)


def attention_rollout(model, clip):
    """Attention rollout (arXiv:2005.00928): the patches that the classifier attends to.

    The attention of a layer is averaged over its heads and with the identity, for the residual
    connection, and followed through all layers back to the patches: from the class token, from
    all tokens if they are averaged (VideoMAE), or from those that the query of an attentive probe
    attends to (V-JEPA 2).

    Args:
        model: a classifier of `keras_video.applications` whose tokens attend to each other:
            TimeSformer, VideoMAE, ViViT, VJEPA2, or the image transformer of UniFormerV2.
        clip: normalized float frames `(frames, height, width, channels)`.

    Returns:
        float32 map `(frames, height, width)` of the clip's size in [0, 1], independent of the
        class.

    Raises:
        ValueError: for a clip of another rank, or a model without attention over tokens.
    """
    clip = one_clip(clip)
    if not rolls_out(model):
        raise ValueError(f"{model.name!r} has no attention over all tokens; use gradcam.")
    blocks = [layer for layer in model.layers if isinstance(layer, TransformerBlock)]
    patches = through_blocks(model, clip, blocks) if blocks else through_layers(model, clip)
    return scaled(full_size(ops.convert_to_tensor(patches), clip.shape[1:4]))


def rolls_out(model):
    """Whether `attention_rollout` can follow the attention of a model."""
    kinds = {type(layer) for layer in model.layers}
    names = {layer.name for layer in model.layers}
    return TransformerBlock in kinds or (SelfAttention in kinds and "embedding" in names)


def through_blocks(model, clip, blocks):
    """Relevance of the tubelets of a plain transformer, `(times, rows, columns, 1)`."""
    grid = model.get_layer("patch_embed_projection").output.shape[1:4]
    poolers = [layer for layer in model.layers if isinstance(layer, AttentivePooling)]
    probe = keras.Model(model.inputs, [layer.input for layer in (*blocks, *poolers)])
    inputs = keras.tree.flatten(probe(clip))
    tokens = inputs[0].shape[1]
    if poolers:
        attended = ops.mean(poolers[0].weights_of(inputs.pop()), axis=1)
        relevance = ops.convert_to_numpy(attended)[:, 0]
    elif tokens > math.prod(grid):
        relevance = np.eye(1, tokens, dtype="float32")
    else:
        relevance = np.full((1, tokens), 1 / tokens, "float32")
    for block, x in zip(reversed(blocks), reversed(inputs), strict=True):
        weights = ops.convert_to_numpy(ops.mean(block.attn.weights_of(block.norm1(x)), axis=1))
        relevance = (relevance + among_tokens(relevance, weights)) / 2
    return relevance[0, tokens - math.prod(grid) :].reshape(*grid, 1)


def through_layers(model, clip):
    """Relevance of the patches of a transformer without blocks, `(frames, rows, columns, 1)`."""
    attentions = [layer for layer in model.layers if isinstance(layer, SelfAttention)]
    frames, rows, columns = model.get_layer("embedding").input.shape[1:4]
    probe = keras.Model(model.inputs, [layer.input for layer in attentions])
    inputs = keras.tree.flatten(probe(clip))
    relevance = class_token_alone(attentions[0].input.shape, frames, rows * columns)
    for attention, x in zip(reversed(attentions), reversed(inputs), strict=True):
        weights = ops.convert_to_numpy(ops.mean(attention.weights_of(x), axis=-3))
        relevance = (relevance + STEPS[len(x.shape), attention.axis](relevance, weights)) / 2
    return relevance[:, 1:].reshape(frames, rows, columns, 1)


def class_token_alone(input_shape, frames, patches):
    """All relevance on the class token, `(examples, tokens)`.

    Args:
        input_shape: shape of the first attention's input; rank 3 means single frames or whole
            clips.
    """
    tokens = 1 + frames * patches
    per_frame = len(input_shape) == 3 and input_shape[1] != tokens  # frames folded into the batch
    relevance = np.zeros((frames, 1 + patches) if per_frame else (1, tokens), "float32")
    relevance[:, 0] = 1
    return relevance


def among_tokens(relevance, weights):
    """Relevance `(b, n)` one layer earlier, for weights `(b, n, n)` over all tokens."""
    return np.einsum("bn,bnm->bm", relevance, weights)


def over_time(relevance, weights):
    """Relevance `(1, 1 + t * p)` one layer earlier, for weights `(1, 1 + p, t, t)` per position.

    The class token gets no relevance from temporal attention.
    """
    weights = weights[:, 1:]
    _, positions, frames, _ = weights.shape
    patches = relevance[:, 1:].reshape(1, frames, positions)
    patches = np.einsum("btp,bpts->bsp", patches, weights)
    return np.concatenate([relevance[:, :1], patches.reshape(1, -1)], axis=1)


def over_space(relevance, weights):
    """Relevance `(1, 1 + t * p)` one layer earlier, for weights `(1, t, 1 + p, 1 + p)` per frame.

    The class token's output is its mean over the frames.
    """
    frames = weights.shape[1]
    token = np.broadcast_to(relevance[:, :1, None] / frames, (1, frames, 1))
    patches = relevance[:, 1:].reshape(1, frames, -1)
    earlier = np.einsum("btn,btnm->btm", np.concatenate([token, patches], axis=2), weights)
    patches = earlier[:, :, 1:].reshape(1, -1)
    return np.concatenate([earlier[:, :, 0].sum(1, keepdims=True), patches], axis=1)


# By the rank of a layer's input and its attention axis.
STEPS = {(3, 1): among_tokens, (4, 1): over_time, (4, 2): over_space}


def one_clip(clip):
    """A clip as a batch of one.

    Raises:
        ValueError: if it is not a single clip.
    """
    clip = ops.convert_to_tensor(clip, dtype="float32")
    if len(clip.shape) != 4:
        raise ValueError(
            f"received a clip of shape {clip.shape}, expected (frames, height, width, channels)."
        )
    return clip[None]


def feature_layers(model):
    """Names of the layers whose features the model pools for its classifier.

    Raises:
        ValueError: if there is none.
    """
    if rolls_out(model):
        raise ValueError(f"{model.name!r} is a transformer; use attention_rollout.")
    pooled = [layer for layer in model.layers if isinstance(layer, POOLINGS) and not layer.keepdims]
    tensors = {id(layer.input) for layer in pooled}
    names = [layer.name for layer in model.layers if id(layer.output) in tensors]
    convolutions = [layer.name for layer in model.layers if isinstance(layer, layers.Conv3D)]
    if not names and not convolutions:
        raise ValueError(f"{model.name!r} has no spatial layer to use; pass `layer`.")
    return names or convolutions[-1:]


def check_layers(model, names):
    """Raises a ValueError for layers that the model does not have or that are not spatial."""
    known = {layer.name: layer for layer in model.layers}
    for name in names:
        if name not in known or len(getattr(known[name].output, "shape", ())) not in (4, 5):
            raise ValueError(f"layer={name!r}: expected a layer of {model.name!r} whose output has "
                             "height and width.")  # fmt: skip


def run_shifted(model, clip, shifts):
    """The outputs of the model and of the named layers, with `shifts` added to the latter."""
    features = {}

    def shifted(operation):
        if operation.name not in shifts:
            return operation

        def call(*args, **kwargs):
            features[operation.name] = operation(*args, **kwargs) + shifts[operation.name]
            return features[operation.name]

        return call

    outputs = model._run_through_graph([clip], operation_fn=shifted)  # public nowhere
    return keras.tree.flatten(outputs)[0], features


def gradient(function, values):
    """The gradient of a function with respect to `values`, a dictionary of tensors."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            result = function(values)
        return tape.gradient(result, values)
    if backend == "jax":
        import jax

        return jax.grad(function)(values)
    if backend == "torch":
        import torch

        values = {name: value.detach().requires_grad_() for name, value in values.items()}
        gradients = torch.autograd.grad(function(values), list(values.values()))
        return dict(zip(values, gradients, strict=True))
    raise ValueError(f"The backend is {backend!r}: gradients need tensorflow, jax or torch.")


def weighted(features, gradients):
    """Features weighted by their channels' mean gradients, `(t, h, w, 1)`.

    Folded features have their frames in the first axis. Maps are multiplied by the number of
    positions, so that maps of different sizes have the same scale.
    """
    positions = math.prod(features.shape[:-1])
    weights = ops.mean(ops.reshape(gradients, (positions, -1)), axis=0) * positions
    maps = ops.relu(ops.sum(features * weights, axis=-1, keepdims=True))
    return ops.reshape(maps, (-1, *maps.shape[-3:]))


def full_size(maps, shape):
    """Maps `(t, h, w, 1)` interpolated to a clip's frames, height and width, without channels."""
    frames, height, width = shape
    maps = ops.image.resize(maps, (height, width), "bilinear", data_format="channels_last")
    flat = ops.reshape(maps, (1, -1, height * width, 1))
    flat = ops.image.resize(flat, (frames, height * width), "bilinear", data_format="channels_last")
    return ops.reshape(flat, (frames, height, width))


def scaled(maps):
    """Maps as a float32 NumPy array, scaled to a maximum of 1 unless all are 0."""
    maps = ops.convert_to_numpy(maps).astype("float32")
    return maps / maps.max() if maps.max() > 0 else np.zeros_like(maps)


# RGB colors of a map, from the lowest value to the highest.
COLORS = ((0, 0, 96), (0, 96, 255), (0, 224, 192), (255, 208, 0), (255, 32, 0))


def overlay(frames, maps, strength=0.6):
    """Frames with a map laid over them, the more opaque the higher it is.

    Args:
        frames: uint8 `(frames, height, width, 3)`.
        maps: `(frames, height, width)` in [0, 1], as returned by `gradcam`.
        strength: how opaque the map is where it is 1.

    Returns:
        uint8 of the shape of `frames`.
    """
    levels = np.linspace(0, 1, len(COLORS))
    colors = [np.interp(maps, levels, channel) for channel in zip(*COLORS, strict=True)]
    opacity = strength * maps[..., None]
    mixed = frames * (1 - opacity) + np.stack(colors, axis=-1) * opacity
    return np.round(mixed).astype("uint8")
