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


class ExampleTransform:
    """The transforms of examples: one TensorFlow function, which is called for each of them.

    Args:
        reader: a `ClipReader`, or what has its `drawn`, `read`, `failed`, `shape`, `source`,
            `classes`, `crop` and `on_error`.
        transform: function from frames, label, seed and, where the reader has a `crop`, its plan to
            the result, `(features, label)`.

    Attributes:
        read: `tf.TensorSpec`s of what the reader gives, in the structure that `transform` takes.
        results: `tf.TensorSpec`s of the result, in its structure.
    """

    def __init__(self, reader, transform):
        self.reader = reader
        self.read = _example_specs(reader)
        with tf.device("CPU:0"):
            self._function = tf.function(lambda *read: transform(*read)).get_concrete_function(
                *self.read
            )
        self.results = tf.nest.map_structure(
            lambda one: tf.TensorSpec(one.shape, one.dtype), self._function.structured_outputs
        )

    def load(self, epoch, index):
        """As `__call__`, of an example that is read first."""
        example = self.reader.read(epoch, index)
        if not example.decoded:
            return None
        return self(epoch, index, example.attempt, self.flat(example))

    def __call__(self, epoch, index, attempt, flat):
        """The arrays of the result in a list, or None where the example is skipped.

        Errors are treated as those of reading, see the reader's `on_error`.

        Args:
            epoch, index, attempt: of the example, see the reader's `read`.
            flat: what was read of it, as `flat` gives it.

        Raises:
            DecodeError: naming file and line.
        """
        while True:
            try:
                with tf.device("CPU:0"):
                    tensors = [as_tensor(value) for value in flat]
                    values = self._function(*tf.nest.pack_sequence_as(self.read, tensors))
                return [as_array(value) for value in tf.nest.flatten(values)]
            except _OTHER_ERRORS:
                raise
            except tf.errors.OpError as error:
                record = self.reader.drawn(epoch, index, int(attempt))[0]
                problem = TransformError(record.path, _first_lines(error))
            self.reader.failed(problem, record, int(attempt))
            if self.reader.on_error == "skip":
                return None
            example = self.reader.read(epoch, index, int(attempt) + 1)
            flat, attempt = self.flat(example), example.attempt

    def flat(self, example):
        """What `read` speaks of, in one list."""
        parts = (example.frames, example.label, example.seed, example.plan)
        return tf.nest.flatten(parts[: len(self.read)])


def reading(transform):
    """The function from (pass, epoch, index) to an example of an `ExampleTransform`'s reader.

    It gives `((pass, epoch, index), (attempt, decoded), read)`.
    """
    reader = transform.reader
    specs = [tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)]
    specs += tf.nest.flatten(transform.read)

    def read_flat(number, epoch, index):
        with reader.report.during(int(number)):
            example = reader.read(epoch, index)
        return [example.attempt, example.decoded, *transform.flat(example)]

    def read(number, epoch, index):
        # Stateless: a function of its arguments, so that it stays parallel where TensorFlow is
        # told to be deterministic.
        attempt, decoded, *values = _call(read_flat, [number, epoch, index], specs)
        values = tf.nest.pack_sequence_as(transform.read, values)
        return (number, epoch, index), (attempt, decoded), values

    return read


def transforming(transform):
    """The function from what `reading` gives to `((pass, epoch, index), result, transformed)`.

    With `on_error="skip"`, `transformed` is False where there is no result.
    """

    def transform_flat(number, epoch, index, attempt, decoded, *flat):
        if not decoded:
            return None
        with transform.reader.report.during(int(number)):
            return transform(epoch, index, attempt, flat)

    def transformed(example, state, read):
        arguments = [*example, *state, *tf.nest.flatten(read)]
        return example, *_result(transform_flat, arguments, transform.results)

    return transformed


def loading(workers, transform):
    """The function from (pass, epoch, index) to what `transforming` gives, by `LoadWorkers`."""

    def load_flat(number, epoch, index):
        with transform.reader.report.during(int(number)):
            return workers.load(epoch, index)

    def load(*example):
        return example, *_result(load_flat, example, transform.results)

    return load


def _result(function, arguments, specs):
    """What a Python function makes of tensors, and whether it made anything."""
    flat_specs = tf.nest.flatten(specs)
    nothing = [
        np.zeros([size or 0 for size in spec.shape], spec.dtype.as_numpy_dtype)
        for spec in flat_specs
    ]

    def call(*values):
        arrays = function(*values)
        return [*nothing, np.False_] if arrays is None else [*arrays, np.True_]

    *values, made = _call(call, arguments, [*flat_specs, tf.TensorSpec([], tf.bool)])
    return tf.nest.pack_sequence_as(specs, values), made


def _example_specs(reader):
    """`tf.TensorSpec`s of frames, label, seed and, where the reader has a `crop`, its plan."""
    shape, dtype = reader.shape, reader.source.dtype
    if isinstance(shape, dict):
        frames = {key: tf.TensorSpec(shape[key], dtype[key]) for key in shape}
    else:
        frames = tf.TensorSpec(shape, dtype)
    label_type = tf.int32 if reader.classes is None else tf.float32
    label_shape = [] if reader.classes is None else [reader.classes]
    specs = (frames, tf.TensorSpec(label_shape, label_type), tf.TensorSpec([2], tf.int32))
    return specs if reader.crop is None else (*specs, tf.TensorSpec([6], tf.int32))


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
