"""Passes over the data that leave out examples: their number, their end and their length."""

import numpy as np
import tensorflow as tf

from .python_calls import numpy_function

_NO_PASS = np.int64(-1)


def pass_numbers(report):
    """An endless dataset of the number that a `DecodeReport` gives the pass that begins."""

    def start(number):
        # A stateful call: it runs each time that an iteration starts.
        begun = numpy_function(lambda _: np.int64(report.begin_pass()), [number], tf.int64)
        begun.set_shape([])
        return tf.data.Dataset.from_tensors(begun).repeat()

    numbers = tf.data.Dataset.range(1).flat_map(start)
    return numbers.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def end_of_pass(dataset, reader, count, needed):
    """The examples that were transformed; when they end, the report of the pass is logged.

    Args:
        dataset: of `(example, result, transformed)`, as `transforming` makes them.
        reader: whose `report` it is.
        count: examples of a pass.
        needed: how many have to be left of them, else the pass ends with an error.
    """

    def end(number):
        if number == _NO_PASS:
            return False
        failed = reader.report.end_pass(int(number))
        left = count - failed
        if reader.on_error == "skip" and left < needed:
            first = reader.report.failures[0]
            raise ValueError(
                f"of {count} videos {failed} could not be used, expected at least {needed} others "
                f"for a batch; the first: {first.reason}"
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

    # One more element, which comes behind all that are worked on in parallel.
    spec = dataset.element_spec
    last = tf.nest.map_structure(_nothing, spec)
    last = ((_NO_PASS, *last[0][1:]), last[1], False)
    dataset = dataset.concatenate(tf.data.Dataset.from_tensors(last))
    dataset = dataset.scan(_NO_PASS, advance)
    return dataset.filter(lambda example, result, transformed: transformed)


def nominal_length(dataset, count):
    """A dataset that says to be `count` long and may end earlier.

    `assert_cardinality` would fail at its end, and of unknown length schedules and progress bars
    know nothing, while Keras takes the length of the first epoch for that of all.
    """
    never = tf.data.Dataset.from_tensors(tf.nest.map_structure(_nothing, dataset.element_spec))
    first = tf.data.Dataset.from_tensors(np.int64(0)).repeat()
    # A choice among datasets of which one is endless counts as endless, and has a length when it
    # is cut; the endless one is never chosen.
    choices = tf.data.Dataset.choose_from_datasets([dataset, never.repeat()], first)
    return choices.take(count)


def _nothing(spec):
    """A value of a spec, of length 0 where the length is open."""
    if spec.dtype == tf.string:
        return tf.fill([size or 0 for size in spec.shape], "")
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)
