"""Passes over the data that may skip examples: their number, end and length."""

import numpy as np
import tensorflow as tf

from .python_calls import numpy_function

_NO_PASS = np.int64(-1)


def pass_numbers(report):
    """An infinite dataset that repeats the number of the current pass in a `DecodeReport`."""

    def start(number):
        # A stateful call: it runs at the start of every iteration.
        current = numpy_function(lambda _: np.int64(report.begin_pass()), [number], tf.int64)
        current.set_shape([])
        return tf.data.Dataset.from_tensors(current).repeat()

    numbers = tf.data.Dataset.range(1).flat_map(start)
    return numbers.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def end_of_pass(dataset, reader, count, needed):
    """Drops examples that were not transformed, and logs the report at the end of each pass.

    Args:
        dataset: of `(example, result, transformed)`, as returned by `transforming`.
        reader: the reader with the `report`.
        count: number of examples in a pass.
        needed: minimum number of usable examples; with fewer, the pass ends with an error.
    """

    def end(number):
        if number == _NO_PASS:
            return False
        failed = reader.report.end_pass(int(number))
        remaining = count - failed
        if reader.on_error == "skip" and remaining < needed:
            first = reader.report.failures[0]
            raise ValueError(
                f"of {count} videos {failed} could not be used, expected at least {needed} others "
                f"for a batch; the first failure: {first.reason}"
            )
        return False

    def advance(current, element):
        (number, *_), _, transformed = element
        ended = tf.equal(number, _NO_PASS)
        ending = tf.cond(
            ended,
            lambda: numpy_function(end, [current], tf.bool),
            lambda: tf.constant(False),
        )
        ending.set_shape([])
        return number, (element[0], element[1], tf.logical_or(transformed, ending))

    # A final element, which arrives after all that are processed in parallel.
    spec = dataset.element_spec
    last = tf.nest.map_structure(_empty_value, spec)
    last = ((_NO_PASS, *last[0][1:]), last[1], False)
    dataset = dataset.concatenate(tf.data.Dataset.from_tensors(last))
    dataset = dataset.scan(_NO_PASS, advance)
    return dataset.filter(lambda example, result, transformed: transformed)


def nominal_length(dataset, count):
    """A dataset that reports the length `count` but may end earlier.

    `assert_cardinality` would raise an error at the early end. An unknown length would leave
    schedules and progress bars without a total, and Keras would use the length of the first epoch.
    """
    never = tf.data.Dataset.from_tensors(tf.nest.map_structure(_empty_value, dataset.element_spec))
    first = tf.data.Dataset.from_tensors(np.int64(0)).repeat()
    # A choice among datasets counts as infinite if one of them is, and has a known length after
    # `take`; the infinite one is never chosen.
    choices = tf.data.Dataset.choose_from_datasets([dataset, never.repeat()], first)
    return choices.take(count)


def _empty_value(spec):
    """An empty value of a spec; unknown sizes become 0."""
    if spec.dtype == tf.string:
        return tf.fill([size or 0 for size in spec.shape], "")
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)
