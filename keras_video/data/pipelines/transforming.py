"""Reading and transforming single examples in a `tf.data` graph, with errors that name them.

The transforms are one TensorFlow function that Python calls for each example: if they were part of
the dataset's graph, their errors would not name the example and could not be handled.
"""

import numpy as np
import tensorflow as tf

from ..arrays import as_array, as_tensor
from ..decoding.videos import DecodeError
from .python_calls import numpy_function

# Errors that are not caused by the example.
_OTHER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
)


class TransformError(DecodeError):
    """The transforms failed on the frames of a video. Attributes as in `DecodeError`."""

    verb = "transform"


class ExampleTransform:
    """The transforms as one TensorFlow function, which is called for each example.

    Args:
        reader: a `ClipReader`, or an object with its `drawn`, `read`, `failed`, `shape`, `source`,
            `classes`, `crop` and `on_error`.
        transform: function from frames, label, seed and, if the reader has a `crop`, its plan to
            the result, `(features, label)`.

    Attributes:
        read: `tf.TensorSpec`s of the reader's output, in the structure of the arguments of
            `transform`.
        results: `tf.TensorSpec`s of the result, in its structure.
    """

    def __init__(self, reader, transform):
        self.reader = reader
        self.read = _example_specs(reader)
        with tf.device("CPU:0"):
            self._function = tf.function(lambda *inputs: transform(*inputs)).get_concrete_function(
                *self.read
            )
        self.results = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype),
            self._function.structured_outputs,
        )

    def load(self, epoch, index):
        """As `__call__`, but reads the example first."""
        example = self.reader.read(epoch, index)
        if not example.decoded:
            return None
        return self(epoch, index, example.attempt, self.flat(example))

    def __call__(self, epoch, index, attempt, flat):
        """The arrays of the result as a list, or None if the example is skipped.

        Errors are handled like read errors, see the reader's `on_error`.

        Args:
            epoch, index, attempt: identify the example, see the reader's `read`.
            flat: the example's data, as returned by `flat`.

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
        """The data of an example that `read` describes, as a flat list."""
        parts = (example.frames, example.label, example.seed, example.plan)
        return tf.nest.flatten(parts[: len(self.read)])


def reading(transform):
    """The function that reads the example of (pass, epoch, index) with the transform's reader.

    It returns `((pass, epoch, index), (attempt, decoded), data)`.
    """
    reader = transform.reader
    specs = [tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)]
    specs += tf.nest.flatten(transform.read)

    def read_flat(number, epoch, index):
        with reader.report.during(int(number)):
            example = reader.read(epoch, index)
        return [example.attempt, example.decoded, *transform.flat(example)]

    def read(number, epoch, index):
        # Stateless, as it depends only on its arguments: it stays parallel even with TensorFlow's
        # deterministic mode.
        attempt, decoded, *values = _call(read_flat, [number, epoch, index], specs)
        values = tf.nest.pack_sequence_as(transform.read, values)
        return (number, epoch, index), (attempt, decoded), values

    return read


def transforming(transform):
    """The function from the output of `reading` to `((pass, epoch, index), result, transformed)`.

    With `on_error="skip"`, `transformed` is False if there is no result.
    """

    def transform_flat(number, epoch, index, attempt, decoded, *flat):
        if not decoded:
            return None
        with transform.reader.report.during(int(number)):
            return transform(epoch, index, attempt, flat)

    def transformed(example, state, inputs):
        arguments = [*example, *state, *tf.nest.flatten(inputs)]
        return example, *_result(transform_flat, arguments, transform.results)

    return transformed


def loading(workers, transform):
    """The function from (pass, epoch, index) to the output of `transforming`, by `LoadWorkers`."""

    def load_flat(number, epoch, index):
        with transform.reader.report.during(int(number)):
            return workers.load(epoch, index)

    def load(*example):
        return example, *_result(load_flat, example, transform.results)

    return load


def _result(function, arguments, specs):
    """The result of a Python function of tensors, and whether there is one."""
    flat_specs = tf.nest.flatten(specs)
    empty = [
        np.zeros([size or 0 for size in spec.shape], spec.dtype.as_numpy_dtype)
        for spec in flat_specs
    ]

    def call(*values):
        arrays = function(*values)
        return [*empty, np.False_] if arrays is None else [*arrays, np.True_]

    *values, has_result = _call(call, arguments, [*flat_specs, tf.TensorSpec([], tf.bool)])
    return tf.nest.pack_sequence_as(specs, values), has_result


def _example_specs(reader):
    """`tf.TensorSpec`s of frames, label, seed and, if the reader has a `crop`, its plan."""
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
    """The results of a Python function of tensors, as tensors with the given specs."""
    types = [spec.dtype for spec in specs]
    values = numpy_function(function, arguments, types, stateful=False)
    for value, spec in zip(values, specs, strict=True):
        value.set_shape(spec.shape)
    return values


def _first_lines(error):
    """The message of a TensorFlow error without locations in graph and code."""
    text = error.message
    for rest in ("\n\t [[", "\n\nStack trace", "\nTraceback (most recent", " [Op:"):
        text = text.split(rest, 1)[0]
    text = text.removeprefix("{{function_node").split("}} ", 1)[-1]
    return " ".join(text.split())
