"""Loads the tensors of a PyTorch checkpoint into a Keras model."""

import keras
import numpy as np
from absl import logging

from keras_video.weights.dialects import dialect_of
from keras_video.weights.dialects.dialect import renamed
from keras_video.weights.name_mapping import NOT_LOADED, WeightsError, variable_keys
from keras_video.weights.pickle_vm import printable
from keras_video.weights.vision_transformer import OWN, divides_attention, with_divided_attention

LISTED = 20
# The classifier layer of every model family.
CLASSIFIER = "fc_cls/"


def load_state(model, state, *, head=True, dialect=None):
    """Loads a checkpoint into a model; every tensor and every variable must have a counterpart.

    Args:
        model: a model of `keras_video.applications`.
        state: `{name: array}` as returned by `read_checkpoint`, in the names and axis order of one
            of `keras_video.weights.dialects`.
        head: `False` keeps the model's classifier and ignores the checkpoint's.
        dialect: name of the dialect; recognized from the names if not given.

    Raises:
        WeightsError: with the names that are missing, unexpected or of another shape, or if the
            names belong to no dialect. The model is not changed in this case.
    """
    variables = variables_by_key(model)
    dialect = dialect_of(state, dialect)
    state = fit_tables(model, dialect.prepare(state), dialect)
    skipped = set() if head else head_keys(state, dialect)
    assigned, unexpected, misshaped = match(variables, state, dialect, head=head)
    missing = [key for key in variables if key not in {*assigned, *misshaped, *skipped}]
    if missing or unexpected or misshaped:
        message = mismatch(model, missing, unexpected, misshaped)
        if missing and dialect.incomplete:
            message += f"\n{dialect.incomplete}"
        raise WeightsError(message)
    for key, array in assigned.items():
        variables[key].assign(array)


def load_initial_weights(model, state, *, dialect=None):
    """Loads an image classifier's tensors into the body of a video model as initial weights.

    Kernels of 2-D convolutions are inflated over time (divided by the temporal kernel size), and a
    stem with another number of input channels gets the mean over the image's channels, as in the
    published models. The classifier of `state` is ignored.

    Returns:
        The keys of the model's variables that are not in `state` (new layers and the head).

    Raises:
        WeightsError: if the model lacks a layer of `state`, or a shape differs otherwise.
    """
    variables = variables_by_key(model)
    dialect = dialect_of(state, dialect)
    state = {
        name: array for name, array in dialect.prepare(state).items() if not dialect.is_head(name)
    }
    translated = renamed(state, dialect.rename)
    if divides_attention(translated, variables):
        state, dialect = with_divided_attention(translated), OWN
    state = fit_tables(model, state, dialect)
    assigned, unexpected, misshaped = match(variables, state, dialect, head=False, adapt=inflate)
    if unexpected or misshaped:
        raise WeightsError(mismatch(model, [], unexpected, misshaped))
    for key, array in assigned.items():
        variables[key].assign(array)
    fresh = [key for key in variables if key not in assigned]
    logging.info(
        "Initialized %d variables from the checkpoint; newly initialized: %s",
        len(assigned),
        ", ".join(fresh) or "none",
    )
    return fresh


def load_saved(model, saved):
    """Loads the variables of another model of the same architecture as initial weights.

    Variables with a value per class are left unchanged if `saved` has another number of classes.

    Returns:
        The keys of the unchanged variables.

    Raises:
        WeightsError: with the names that are missing, unexpected or of another shape. The model
            is not changed in this case.
    """
    variables, source = variables_by_key(model), variables_by_key(saved)
    # `saved` may be an encoder without a classifier.
    fresh = [] if any(key.startswith(CLASSIFIER) for key in source) else classifier_keys(variables)
    missing = [key for key in variables if key not in {*source, *fresh}]
    unexpected = [key for key in source if key not in variables]
    misshaped = {}
    for key in (key for key in variables if key in source):
        received, expected = tuple(source[key].shape), tuple(variables[key].shape)
        if received == expected:
            continue
        per_class = received[-1] in class_counts(saved) and expected[-1] in class_counts(model)
        if per_class and received[:-1] == expected[:-1]:
            fresh.append(key)
        else:
            misshaped[key] = f"{key}: {received}, the model's is {expected}"
    if missing or unexpected or misshaped:
        raise WeightsError(mismatch(model, missing, unexpected, misshaped))
    for key in variables.keys() - {*fresh}:
        variables[key].assign(source[key])
    return fresh


def load_built(model, saved, *, skipped=()):
    """Loads a model of the same network, interpolating position tables as for checkpoints.

    Args:
        saved: the model to load from.
        skipped: keys of variables that are not loaded, such as the classifier's.

    Raises:
        WeightsError: with the names that are missing, unexpected or of another shape. The model
            is not changed in this case.
    """
    variables = variables_by_key(model)
    source = {
        key: variable for key, variable in variables_by_key(saved).items() if key not in skipped
    }
    arrays = {key: keras.ops.convert_to_numpy(variable) for key, variable in source.items()}
    for key, array in arrays.items():
        owner, name = table_owner(model, key)
        arrays[key] = array if owner is None else owner.fit_tensor(name, array)
    missing = [key for key in variables if key not in arrays and key not in skipped]
    unexpected = [key for key in arrays if key not in variables]
    misshaped = {
        key: f"{key}: {array.shape}, the model's is {tuple(variables[key].shape)}"
        for key, array in arrays.items()
        if key in variables and array.shape != tuple(variables[key].shape)
    }
    if missing or unexpected or misshaped:
        raise WeightsError(mismatch(model, missing, unexpected, misshaped))
    for key, array in arrays.items():
        variables[key].assign(array)


def table_owner(model, key):
    """The layer and variable name of the position table that a key names, or `(None, None)`."""
    layer_name, _, name = key.partition("/")
    owners = {layer.name: layer for layer in model.layers if hasattr(layer, "fit_tensor")}
    return (owners[layer_name], name) if layer_name in owners else (None, None)


def classifier_keys(keys):
    """The keys of the classifier that every family ends in."""
    return [key for key in keys if key.startswith(CLASSIFIER)]


def load_encoder(model, arrays):
    """Loads a pretrained encoder's variables into a model that has additional ones.

    Args:
        model: a model of `keras_video.applications`.
        arrays: `{layer/variable: array}` as `variables_by_key` names them.

    Returns:
        The keys of the unchanged variables.

    Raises:
        WeightsError: if the model lacks a variable, or has it in another shape. The model is not
            changed in this case.
    """
    variables = variables_by_key(model)
    unexpected = [key for key in arrays if key not in variables]
    misshaped = {
        key: f"{key}: {array.shape}, the model's is {tuple(variables[key].shape)}"
        for key, array in arrays.items()
        if key in variables and tuple(variables[key].shape) != array.shape
    }
    if unexpected or misshaped:
        raise WeightsError(mismatch(model, [], unexpected, misshaped))
    for key, array in arrays.items():
        variables[key].assign(array)
    return [key for key in variables if key not in arrays]


def class_counts(model):
    """The numbers of classes of a model's outputs."""
    return {tensor.shape[-1] for tensor in model.outputs}


def variables_by_key(model):
    """`{layer/variable: variable}`; layers inside layers are joined with `_`."""
    keys = {}
    for variable in model.weights:
        layer, _, name = variable.path.rpartition("/")
        keys[f"{layer.replace('/', '_')}/{name}"] = variable
    return keys


def fit_tables(model, state, dialect):
    """A prepared `state` with position tables interpolated to the sizes of the model's tables.

    Layers that own such tables have `fit_tensor(variable name, array)`.
    """
    owners = {layer.name: layer for layer in model.layers if hasattr(layer, "fit_tensor")}
    fitted = dict(state)
    for name, array in state.items() if owners else ():
        for key in variable_keys(dialect.rename(name)):
            layer, _, variable = key.partition("/")
            if layer in owners:
                fitted[name] = owners[layer].fit_tensor(variable, array)
    return fitted


def head_keys(state, dialect):
    """All keys that the classifier's tensors of a prepared state may have."""
    heads = [dialect.rename(name) for name in state if dialect.is_head(name)]
    return {key for name in heads for key in variable_keys(name)}


def head_fits(model, state, *, dialect=None):
    """Whether a checkpoint has a classifier of the model's shape."""
    variables, has_head = variables_by_key(model), False
    dialect = dialect_of(state, dialect)
    for name, array in dialect.prepare(state).items():
        keys = variable_keys(dialect.rename(name))
        key = next((key for key in keys if key in variables), None)
        if dialect.is_head(name) and key is not None:
            shape = tuple(variables[key].shape)
            if squeeze_to(to_keras(array, key, dialect), shape).shape != shape:
                return False
            has_head = True
    return has_head


def match(variables, state, dialect, *, head, adapt=None):
    """Pairs tensors with variables.

    Args:
        variables: `{key: variable}` of the model.
        state: `{name: array}`, prepared by its dialect.
        head: whether the classifier is loaded.
        adapt: `adapt(array, shape)` adapts a tensor to the shape of its variable.

    Returns:
        `({key: array}, unexpected names, {key: line describing a shape mismatch})`.
    """
    assigned, unexpected, misshaped = {}, [], {}
    for name, array in state.items():
        if NOT_LOADED.search(name) or (not head and dialect.is_head(name)):
            continue
        keys = variable_keys(dialect.rename(name))
        key = next((key for key in keys if key in variables), None)
        if key is None:
            unexpected.append(name)
            continue
        shape = tuple(variables[key].shape)
        value = to_keras(array, key, dialect)
        value = adapt(value, shape) if adapt is not None else value
        value = squeeze_to(value, shape)
        if value.shape != shape:
            misshaped[key] = f"{name}: {array.shape} as {value.shape}, {key} is {shape}"
        else:
            assigned[key] = value
    return assigned, unexpected, misshaped


def to_keras(array, key, dialect):
    """A tensor in Keras' axis order: kernels end in input and output channels."""
    if dialect.channels_last or array.ndim < 2 or not key.endswith("/kernel"):
        return array
    return np.moveaxis(array, (1, 0), (-2, -1))  # (out, in, ...) -> (..., in, out)


def squeeze_to(kernel, shape):
    """A kernel of size 1 as a matrix or vice versa, a depthwise `(..., 1, c)` as `(..., c, 1)`."""
    if kernel.shape == shape:
        return kernel
    if kernel.ndim >= 2 and kernel.shape[-2] == 1 and kernel.ndim == len(shape):
        return kernel.swapaxes(-1, -2)
    if kernel.shape[-2:] == shape[-2:] and kernel.size == np.prod(shape):
        return kernel.reshape(shape)
    return kernel


def inflate(kernel, shape):
    """An image kernel adapted to video: the number of input channels, and inflated over time."""
    if kernel.ndim != 4 or len(shape) < 4:
        return kernel
    if kernel.shape[-2] != shape[-2] and kernel.shape[-1] == shape[-1]:
        kernel = np.repeat(kernel.mean(axis=-2, keepdims=True), shape[-2], axis=-2)
    if len(shape) == 5:
        size = shape[0]
        kernel = np.repeat(kernel[None] / size, size, axis=0)  # (h, w, i, o) -> (t, h, w, i, o)
    return kernel


def mismatch(model, missing, unexpected, misshaped):
    """The message of a `WeightsError`."""
    lines = [f"The checkpoint does not fit the model {model.name!r}."]
    for title, names in (
        ("missing in the checkpoint", missing),
        ("unexpected in the checkpoint", unexpected),
        ("of another shape", list(misshaped.values())),
    ):
        if names:
            rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            shown = ", ".join(map(printable, names[:LISTED]))
            lines.append(f"{len(names)} {title}: {shown}{rest}")
    return "\n".join(lines)
