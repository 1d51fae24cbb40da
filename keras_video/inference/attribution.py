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

    The features of the last layer with places are weighted by the mean gradient of the class's
    logit with respect to them; what is positive is kept. Of two pathways both count.

    Args:
        model: a convolutional classifier of `keras_video.applications`.
        clip: normalized float frames `(frames, height, width, channels)`.
        class_index: the class asked about; `None` for the one of the highest score.
        layer: name of the layer whose features are weighted; `None` for those that the model pools
            before its classifier, or else its last convolution.

    Returns:
        float32 map `(frames, height, width)` of the clip's size in [0, 1]; all 0 where nothing
        speaks for the class.

    Raises:
        ValueError: for a clip of another rank, a class or layer that the model does not have, or
            a transformer: for these see `attention_rollout`.
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
    """Attention rollout (arXiv:2005.00928): the patches that the classifier's input looks at.

    The attention of a layer is averaged over its heads and with the identity, for the residual
    connection, and followed through all layers back to the patches: from the class token, from
    all tokens where these are averaged (VideoMAE), or from those that the query of a probe finds
    (V-JEPA 2).

    Args:
        model: a classifier of `keras_video.applications` whose tokens attend to each other:
            TimeSformer, VideoMAE, ViViT, VJEPA2, or the image transformer of UniFormerV2.
        clip: normalized float frames `(frames, height, width, channels)`.

    Returns:
        float32 map `(frames, height, width)` of the clip's size in [0, 1]. It does not depend on a
        class.

    Raises:
        ValueError: for a clip of another rank, or a model without attention over tokens.
    """
    clip = one_clip(clip)
    if not rolls_out(model):
        raise ValueError(
            f"{model.name!r} has no attention among all tokens to follow; see gradcam."
        )
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
    seen = keras.tree.flatten(probe(clip))
    tokens = seen[0].shape[1]
    if poolers:
        found = ops.mean(poolers[0].weights_of(seen.pop()), axis=1)
        relevance = ops.convert_to_numpy(found)[:, 0]
    elif tokens > math.prod(grid):
        relevance = np.eye(1, tokens, dtype="float32")
    else:
        relevance = np.full((1, tokens), 1 / tokens, "float32")
    for block, x in zip(reversed(blocks), reversed(seen), strict=True):
        weights = ops.convert_to_numpy(ops.mean(block.attn.weights_of(block.norm1(x)), axis=1))
        relevance = (relevance + among_tokens(relevance, weights)) / 2
    return relevance[0, tokens - math.prod(grid) :].reshape(*grid, 1)


def through_layers(model, clip):
    """Relevance of the patches of a transformer of single layers, `(frames, rows, columns, 1)`."""
    attentions = [one for one in model.layers if isinstance(one, SelfAttention)]
    frames, rows, columns = model.get_layer("embedding").input.shape[1:4]
    probe = keras.Model(model.inputs, [one.input for one in attentions])
    seen = keras.tree.flatten(probe(clip))
    relevance = class_token_alone(attentions[0].input.shape, frames, rows * columns)
    for attention, x in zip(reversed(attentions), reversed(seen), strict=True):
        weights = ops.convert_to_numpy(ops.mean(attention.weights_of(x), axis=-3))
        relevance = (relevance + STEPS[len(x.shape), attention.axis](relevance, weights)) / 2
    return relevance[:, 1:].reshape(frames, rows, columns, 1)


def class_token_alone(seen, frames, patches):
    """All relevance on the class token, `(examples, tokens)`.

    Args:
        seen: shape of what the first attention sees: of rank 3, single frames or whole clips.
    """
    tokens = 1 + frames * patches
    alone = len(seen) == 3 and seen[1] != tokens  # every frame is an example of its own
    relevance = np.zeros((frames, 1 + patches) if alone else (1, tokens), "float32")
    relevance[:, 0] = 1
    return relevance


def among_tokens(relevance, weights):
    """Relevance `(b, n)` a layer earlier, for weights `(b, n, n)` of all tokens."""
    return np.einsum("bn,bnm->bm", relevance, weights)


def over_time(relevance, weights):
    """Relevance `(1, 1 + t * p)` a layer earlier, for weights `(1, 1 + p, t, t)` of every place.

    The class token takes nothing from what it attends to over time.
    """
    weights = weights[:, 1:]
    _, places, frames, _ = weights.shape
    patches = relevance[:, 1:].reshape(1, frames, places)
    patches = np.einsum("btp,bpts->bsp", patches, weights)
    return np.concatenate([relevance[:, :1], patches.reshape(1, -1)], axis=1)


def over_space(relevance, weights):
    """Relevance `(1, 1 + t * p)` a layer earlier, for weights `(1, t, 1 + p, 1 + p)` per frame.

    The class token's output is the mean of what it finds in the frames.
    """
    frames = weights.shape[1]
    token = np.broadcast_to(relevance[:, :1, None] / frames, (1, frames, 1))
    patches = relevance[:, 1:].reshape(1, frames, -1)
    earlier = np.einsum("btn,btnm->btm", np.concatenate([token, patches], axis=2), weights)
    patches = earlier[:, :, 1:].reshape(1, -1)
    return np.concatenate([earlier[:, :, 0].sum(1, keepdims=True), patches], axis=1)


# By the rank of what a layer sees, and the axis that attends.
STEPS = {(3, 1): among_tokens, (4, 1): over_time, (4, 2): over_space}


def one_clip(clip):
    """A clip as a batch of one.

    Raises:
        ValueError: if it is no single clip.
    """
    clip = ops.convert_to_tensor(clip, dtype="float32")
    if len(clip.shape) != 4:
        raise ValueError(
            f"a clip of shape {clip.shape}: expected (frames, height, width, channels)."
        )
    return clip[None]


def feature_layers(model):
    """Names of the layers whose features the model pools for its classifier.

    Raises:
        ValueError: if there is none.
    """
    if rolls_out(model):
        raise ValueError(f"{model.name!r} is a transformer; see attention_rollout.")
    pooled = [layer for layer in model.layers if isinstance(layer, POOLINGS) and not layer.keepdims]
    tensors = {id(layer.input) for layer in pooled}
    names = [layer.name for layer in model.layers if id(layer.output) in tensors]
    convolutions = [layer.name for layer in model.layers if isinstance(layer, layers.Conv3D)]
    if not names and not convolutions:
        raise ValueError(f"{model.name!r} has no layer with places; name one with `layer`.")
    return names or convolutions[-1:]


def check_layers(model, names):
    """Refuses layers that the model does not have, or that have no places."""
    known = {layer.name: layer for layer in model.layers}
    for name in names:
        if name not in known or len(getattr(known[name].output, "shape", ())) not in (4, 5):
            raise ValueError(f"layer={name!r}: expected a layer of {model.name!r} whose output has "
                             "height and width.")  # fmt: skip


def run_shifted(model, clip, shifts):
    """The model's output and the named layers' outputs, to which something is added before."""
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
        found = torch.autograd.grad(function(values), list(values.values()))
        return dict(zip(values, found, strict=True))
    raise ValueError(f"The backend is {backend!r}: gradients need tensorflow, jax or torch.")


def weighted(features, gradients):
    """Features weighted by their channels' mean gradients, `(t, h, w, 1)`.

    Frames of folded features stand in their first axis. Multiplied by the number of places, so
    that maps of different sizes have one scale.
    """
    places = math.prod(features.shape[:-1])
    weights = ops.mean(ops.reshape(gradients, (places, -1)), axis=0) * places
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
    """As float32 of numpy, its largest value 1 unless all are 0."""
    maps = ops.convert_to_numpy(maps).astype("float32")
    return maps / maps.max() if maps.max() > 0 else np.zeros_like(maps)


# From nothing to the most: the colors of a map, red, green and blue.
COLORS = ((0, 0, 96), (0, 96, 255), (0, 224, 192), (255, 208, 0), (255, 32, 0))


def overlay(frames, maps, strength=0.6):
    """Frames with a map laid over them, the more opaque the higher it is.

    Args:
        frames: uint8 `(frames, height, width, 3)`.
        maps: `(frames, height, width)` in [0, 1], as `gradcam` gives them.
        strength: how opaque the map is where it is 1.

    Returns:
        uint8 of the shape of `frames`.
    """
    levels = np.linspace(0, 1, len(COLORS))
    colors = [np.interp(maps, levels, channel) for channel in zip(*COLORS, strict=True)]
    opacity = strength * maps[..., None]
    mixed = frames * (1 - opacity) + np.stack(colors, axis=-1) * opacity
    return np.round(mixed).astype("uint8")
