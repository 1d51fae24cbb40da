"""Scores of a video, averaged over several views."""

import contextlib
import weakref

import keras
import numpy as np
from keras import tree

from keras_video.inference.automatic import outputs_of

_LOGITS_MODELS = weakref.WeakKeyDictionary()
_RESHAPED_MODELS = weakref.WeakKeyDictionary()
# Each model compiles its own functions; unlimited video sizes would exhaust memory.
_MAX_SHAPES = 8


def logits_model(model):
    """The same model without the final activation.

    Args:
        model: functional model whose last layer is an ``Activation`` named "predictions", as
            the classifiers of ``keras_video.applications`` have.

    Returns:
        Model that shares every layer and weight with ``model`` and returns (batch, classes)
        logits.

    Raises:
        ValueError: if the model does not end in such a layer.
    """
    # A model traced before `enable_lora` lacks the LoRA weights.
    rank, truncated = _LOGITS_MODELS.get(model, (None, None))
    if truncated is None or rank != getattr(model, "lora_rank", None):
        last = _final_activation(model)
        strategy = getattr(model, "distribute_strategy", None)
        if strategy is None:
            truncated = keras.Model(model.input, last.input)
        else:
            with strategy.scope():
                truncated = keras.Model(model.input, last.input)
        _LOGITS_MODELS[model] = getattr(model, "lora_rank", None), truncated
    return truncated


def predict_views(model, clips, *, score_average="prob", max_views=None, optimize="off", to_come=0):
    """Probabilities of videos, averaged over their views.

    Logits become probabilities by a sigmoid if the model ends in one or has a single output,
    otherwise by a softmax. Views may be larger or longer than the clips that the model was built
    for, as in test protocols, if its layers allow it.

    Args:
        model: classifier that ends in an ``Activation`` named "predictions".
        clips: float array or tensor (batch, views, frames, height, width, channels),
            preprocessed as the model expects (or any shape whose first two axes are batch and
            views); a dictionary of them for a model with several inputs. Without the axis of
            views: a single view of each video.
        score_average: "prob" turns each view into probabilities and averages these; "score"
            averages logits and turns the mean into probabilities.
        max_views: maximum number of views per forward pass; None for all of them.
        optimize: "auto" replaces the network by its fastest equivalent form (`optimize`) once the
            past or coming clips are more work than the search for it; "off" never does.
        to_come: views that will follow these, for "auto".

    Returns:
        float32 array (batch, classes).
    """
    if score_average not in ("prob", "score"):
        raise ValueError(
            f"predict_views: score_average must be 'prob' or 'score', received {score_average!r}"
        )
    if max_views is not None and max_views < 1:
        raise ValueError(f"predict_views: max_views must be at least 1, received {max_views}")
    clips = _with_views(model, tree.map_structure(keras.ops.convert_to_numpy, clips))
    batch, views = _batch_and_views(clips)
    probabilities = _probabilities(model)
    single = tree.map_structure(lambda x: x.reshape(-1, *x.shape[2:]), clips)
    network = model_for(logits_model(model), single)
    logits = outputs_of(
        network, single, max_views, predict=_predict, optimize=optimize, to_come=to_come
    )
    if len(logits) != batch * views:
        raise ValueError(_shape_message(model, tree.flatten(single)[0].shape[1:]))
    logits = logits.reshape(batch, views, -1)
    if score_average == "score":
        return probabilities(logits.mean(1))
    return probabilities(logits).mean(1)


def model_for(model, clips):
    """The model, or one that shares its layers and takes clips of another shape.

    Models of the most recently used shapes are cached.

    Args:
        model: functional model.
        clips: array `(count, ...)`; a dictionary is for a model with several inputs, which is
            returned unchanged.

    Raises:
        ValueError: if a layer of the model works only with its original shape.
    """
    if not isinstance(clips, np.ndarray) or not isinstance(model.input_shape, tuple):
        return model
    expected = model.input_shape[1:]
    fits = [size in (None, given) for size, given in zip(expected, clips.shape[1:], strict=False)]
    if all(fits) or len(expected) != clips.ndim - 1:
        return model
    reshaped = _RESHAPED_MODELS.setdefault(model, {})
    shape = clips.shape[1:]
    # Most recently used last.
    cached = reshaped.pop(shape, None)
    reshaped[shape] = _reshaped(model, shape) if cached is None else cached
    while len(reshaped) > _MAX_SHAPES:
        _detach(reshaped.pop(next(iter(reshaped))))
    return reshaped[shape]


def _reshaped(model, shape):
    strategy = getattr(model, "distribute_strategy", None)
    try:
        with strategy.scope() if strategy is not None else contextlib.nullcontext():
            return keras.models.clone_model(
                model, input_tensors=keras.Input(shape), clone_function=lambda layer: layer
            )
    except ValueError as error:
        raise ValueError(_shape_message(model, shape)) from error


def _detach(model):
    """Removes a model's nodes from the layers that it shares with another model."""
    nodes = {id(node) for level in model._nodes_by_depth.values() for node in level}
    for layer in model.layers:
        for calls in (layer._inbound_nodes, layer._outbound_nodes):
            calls[:] = [node for node in calls if id(node) not in nodes]


def _shape_message(model, shape):
    return (
        f"{model.name!r} takes clips of shape {tree.flatten(model.input)[0].shape[1:]}, received "
        f"{shape}: build the model with this `input_shape`."
    )


def _with_views(model, clips):
    """The clips, with a views axis of size 1 added if they have none."""
    ranks = [len(tensor.shape) for tensor in model.inputs]
    if [x.ndim for x in tree.flatten(clips)] != ranks:
        return clips
    return tree.map_structure(lambda x: x[:, None], clips)


def _batch_and_views(clips):
    shapes = [x.shape for x in tree.flatten(clips)]
    if any(len(shape) < 3 or 0 in shape[:2] for shape in shapes):
        raise ValueError(
            "predict_views: clips must be (batch, views, frames, height, width, channels), "
            f"received shape {', '.join(map(str, shapes))}"
        )
    if len({shape[:2] for shape in shapes}) > 1:
        raise ValueError(
            "predict_views: all inputs must have the same batch and views, received shapes "
            f"{', '.join(map(str, shapes))}"
        )
    return shapes[0][:2]


def _final_activation(model):
    # With several outputs only the first counts: the others are for training losses.
    outputs = getattr(model, "outputs", None)
    last = outputs[0]._keras_history.operation if outputs else None
    if not isinstance(last, keras.layers.Activation) or last.name != "predictions":
        raise ValueError(
            "Expected a model that ends in an Activation named 'predictions'; the last layer of "
            f"{model.name!r} is {last!r}"
        )
    return last


def _probabilities(model):
    """The function that turns a model's logits into probabilities."""
    activation = _final_activation(model).activation
    if activation is keras.activations.sigmoid:
        return _sigmoid
    if model.outputs[0].shape[-1] == 1:
        if activation is keras.activations.softmax:
            raise ValueError(
                f"predict_views: {model.name!r} has one output that ends in a softmax, which is "
                "always 1, expected a sigmoid, or an output for each class"
            )
        return _sigmoid
    return _softmax


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def _sigmoid(logits):
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def _predict(model, clips):
    """Outputs of the compiled predict function, with the batch split evenly over replicas."""
    strategy = getattr(model, "distribute_strategy", None)
    replicas = getattr(strategy, "num_replicas_in_sync", 1)
    if replicas == 1:
        return np.asarray(model.predict_on_batch(clips))
    count = len(tree.flatten(clips)[0])
    per_replica = -(-count // replicas)

    def distributed(x):
        padding = np.repeat(x[-1:], per_replica * replicas - count, axis=0)
        batches = np.concatenate([x, padding]).reshape(replicas, per_replica, *x.shape[1:])
        return strategy.experimental_distribute_values_from_function(
            lambda context: keras.ops.convert_to_tensor(batches[context.replica_id_in_sync_group])
        )

    # predict_on_batch would pass the whole batch to every replica and concatenate the copies.
    model.make_predict_function()
    values = tree.map_structure(distributed, clips)
    return np.asarray(model.predict_function([(values,)]))[:count]
