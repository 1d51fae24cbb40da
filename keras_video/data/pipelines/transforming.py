"""Reading and transforming single examples in a `tf.data` graph, with errors that name them.

The transforms are one TensorFlow function that Python calls for every example: in the graph of a
dataset an error of theirs would neither name the example nor leave a choice.
"""

import numpy as np
import tensorflow as tf

from ..arrays import as_array, as_tensor
from ..decoding.videos import DecodeError
from .python_calls import numpy_function

# Errors that say nothing of the example.
_OTHER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
)


class TransformError(DecodeError):
    """The transforms do not take the frames of a video. Attributes as of `DecodeError`."""

    verb = "transform"


def example_specs(reader, features):
    """`tf.TensorSpec`s of frames, label, seed and, where the reader has a `crop`, its plan."""
    label_type = tf.int32 if reader.classes is None else tf.float32
    label_shape = [] if reader.classes is None else [reader.classes]
    specs = (features, tf.TensorSpec(label_shape, label_type), tf.TensorSpec([2], tf.int32))
    return specs if reader.crop is None else (*specs, tf.TensorSpec([6], tf.int32))


def reading(reader, features):
    """The function from (pass, epoch, index) to an example.

    It gives `((pass, epoch, index), (attempt, decoded), read)`: `read` as `example_specs` says.
    """
    specs = example_specs(reader, features)
    flat_specs = [tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool), *tf.nest.flatten(specs)]

    def read_flat(number, epoch, index):
        with reader.report.during(int(number)):
            example = reader.read(epoch, index)
        return [example.attempt, example.decoded, *_flat(example, specs)]

    def read(number, epoch, index):
        # Stateless: a function of its arguments, so that it stays parallel where TensorFlow is
        # told to be deterministic.
        attempt, decoded, *values = _call(read_flat, [number, epoch, index], flat_specs)
        values = tf.nest.pack_sequence_as(specs, values)
        return (number, epoch, index), (attempt, decoded), values

    return read


def transforming(reader, features, transform):
    """The function from what `reading` gives to `((pass, epoch, index), result, transformed)`.

    Errors are treated as those of reading, see the reader's `on_error`: with "skip", `transformed`
    is False where there is no result.

    Args:
        reader, features: as for `reading`.
        transform: function from frames, label, seed and the plan to the result, `(features,
            label)`.
    """
    specs = example_specs(reader, features)
    with tf.device("CPU:0"):
        function = tf.function(lambda *read: transform(*read)).get_concrete_function(*specs)
    results = function.structured_outputs
    flat_results = [tf.TensorSpec(one.shape, one.dtype) for one in tf.nest.flatten(results)]
    nothing = [
        np.zeros([size or 0 for size in spec.shape], spec.dtype.as_numpy_dtype)
        for spec in flat_results
    ]

    def transform_flat(number, epoch, index, attempt, decoded, *flat):
        while decoded:
            try:
                with tf.device("CPU:0"):
                    tensors = [as_tensor(value) for value in flat]
                    values = function(*tf.nest.pack_sequence_as(specs, tensors))
                return [*map(as_array, tf.nest.flatten(values)), np.True_]
            except _OTHER_ERRORS:
                raise
            except tf.errors.OpError as error:
                record = reader.drawn(epoch, index, int(attempt))[0]
                problem = TransformError(record.path, _first_lines(error))
            with reader.report.during(int(number)):
                reader.failed(problem, record, int(attempt))
                if reader.on_error == "skip":
                    break
                example = reader.read(epoch, index, int(attempt) + 1)
            flat, attempt = _flat(example, specs), example.attempt
        return [*nothing, np.False_]

    def transform(example, state, read):
        arguments = [*example, *state, *tf.nest.flatten(read)]
        *values, transformed = _call(
            transform_flat, arguments, [*flat_results, tf.TensorSpec([], tf.bool)]
        )
        return example, tf.nest.pack_sequence_as(results, values), transformed

    return transform


def _flat(example, specs):
    """What `example_specs` speaks of, in one list."""
    parts = (example.frames, example.label, example.seed, example.plan)
    return tf.nest.flatten(parts[: len(specs)])


def _call(function, arguments, specs):
    """What a Python function makes of tensors, as tensors of these specs."""
    types = [spec.dtype for spec in specs]
    values = numpy_function(function, arguments, types, stateful=False)
    for value, spec in zip(values, specs, strict=True):
        value.set_shape(spec.shape)
    return values


def _first_lines(error):
    """What an error of TensorFlow says, without its places in graph and code."""
    text = error.message
    for rest in ("\n\t [[", "\n\nStack trace", "\nTraceback (most recent", " [Op:"):
        text = text.split(rest, 1)[0]
    text = text.removeprefix("{{function_node").split("}} ", 1)[-1]
    return " ".join(text.split())
