"""Scores of a video from several views of it."""

import contextlib
import weakref

import keras
import numpy as np
from keras import tree

from keras_video.inference.automatic import outputs_of

_LOGITS_MODELS = weakref.WeakKeyDictionary()
_RESHAPED_MODELS = weakref.WeakKeyDictionary()
# Each compiles functions of its own; videos of all sizes would fill the memory.
_MOST_SHAPES = 8


def logits_model(model):
    """The same model without the final activation.

    Args:
        model: functional model whose last layer is an ``Activation`` named "predictions", as
            the classifiers of ``keras_video.applications`` have.

    Returns:
        Model that shares every layer and weight with ``model`` and gives (batch, classes)
        logits.

    Raises:
        ValueError: if the last layer is another one.
    """
    # What was traced before `enable_lora` does without what it adds.
    rank, shortened = _LOGITS_MODELS.get(model, (None, None))
    if shortened is None or rank != getattr(model, "lora_rank", None):
        last = _final_activation(model)
        strategy = getattr(model, "distribute_strategy", None)
        if strategy is None:
            shortened = keras.Model(model.input, last.input)
        else:
            with strategy.scope():
                shortened = keras.Model(model.input, last.input)
        _LOGITS_MODELS[model] = getattr(model, "lora_rank", None), shortened
    return shortened


def predict_views(model, clips, *, score_average="prob", max_views=None, optimize="off", to_come=0):
    """Probabilities of videos, averaged over their views.

    A model that ends in a sigmoid, or has one output, is averaged with sigmoids, every other one
    with softmaxes. Views
    may be larger or longer than the clips that the model was built for, as test protocols have
    them, where its layers allow it.

    Args:
        model: classifier that ends in an ``Activation`` named "predictions".
        clips: float array or tensor (batch, views, frames, height, width, channels), prepared
            as the model expects (or any shape whose first two axes are batch and views); a
            dictionary of them for a model of several inputs. Of the rank that the model takes,
            without views: one view of each.
        score_average: "prob" turns each view into probabilities and averages these; "score"
            averages logits and turns the mean into probabilities.
        max_views: at most so many views go through the network at once; None: all of them.
        optimize: "auto" replaces the network by its fastest equal form (`optimize`) once the clips
            to come, or those before, are more work than finding it; "off" never does.
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
        raise ValueError(_misfit(model, tree.flatten(single)[0].shape[1:]))
    logits = logits.reshape(batch, views, -1)
    if score_average == "score":
        return probabilities(logits.mean(1))
    return probabilities(logits).mean(1)


def model_for(model, clips):
    """The model, or one of the same layers that takes clips of another shape.

    Those of the shapes used last are kept.

    Args:
        model: functional model.
        clips: array `(count, ...)`; a dictionary is for a model of several inputs, which is
            returned as it is.

    Raises:
        ValueError: if a layer of the model works with its own shape only.
    """
    if not isinstance(clips, np.ndarray) or not isinstance(model.input_shape, tuple):
        return model
    wanted = model.input_shape[1:]
    fits = [one in (None, other) for one, other in zip(wanted, clips.shape[1:], strict=False)]
    if all(fits) or len(wanted) != clips.ndim - 1:
        return model
    reshaped = _RESHAPED_MODELS.setdefault(model, {})
    shape = clips.shape[1:]
    # The one used last comes last.
    found = reshaped.pop(shape, None)
    reshaped[shape] = _reshaped(model, shape) if found is None else found
    while len(reshaped) > _MOST_SHAPES:
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
        raise ValueError(_misfit(model, shape)) from error


def _detach(model):
    """Lets the layers that a model shares with another forget their calls in it."""
    nodes = {id(node) for level in model._nodes_by_depth.values() for node in level}
    for layer in model.layers:
        for calls in (layer._inbound_nodes, layer._outbound_nodes):
            calls[:] = [node for node in calls if id(node) not in nodes]


def _misfit(model, shape):
    return (
        f"{model.name!r} takes clips of shape {tree.flatten(model.input)[0].shape[1:]}, received "
        f"{shape}: give its constructor this `input_shape`."
    )


def _with_views(model, clips):
    """The clips, with an axis of one view where they are as the model takes them."""
    ranks = [len(one.shape) for one in model.inputs]
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
    # Of several outputs the first counts: the others serve a training loss.
    outputs = getattr(model, "outputs", None)
    last = outputs[0]._keras_history.operation if outputs else None
    if not isinstance(last, keras.layers.Activation) or last.name != "predictions":
        raise ValueError(
            "Expected a model that ends in an Activation named 'predictions'; the last layer of "
            f"{model.name!r} is {last!r}"
        )
    return last


def _probabilities(model):
    """The function from a model's logits to probabilities."""
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
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _sigmoid(logits):
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def _predict(model, clips):
    """Outputs of the compiled predict function, each replica taking an equal share."""
    strategy = getattr(model, "distribute_strategy", None)
    replicas = getattr(strategy, "num_replicas_in_sync", 1)
    if replicas == 1:
        return np.asarray(model.predict_on_batch(clips))
    count = len(tree.flatten(clips)[0])
    share = -(-count // replicas)

    def shared(x):
        padding = np.repeat(x[-1:], share * replicas - count, axis=0)
        shares = np.concatenate([x, padding]).reshape(replicas, share, *x.shape[1:])
        return strategy.experimental_distribute_values_from_function(
            lambda context: keras.ops.convert_to_tensor(shares[context.replica_id_in_sync_group])
        )

    # predict_on_batch would give every replica the whole batch and join the copies.
    model.make_predict_function()
    values = tree.map_structure(shared, clips)
    return np.asarray(model.predict_function([(values,)]))[:count]
