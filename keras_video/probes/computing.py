"""Features of videos through a probe's body, in this process or on others."""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from keras_video import data
from keras_video.data.annotations.records import printable
from keras_video.inference.features import FeatureModel
from keras_video.inference.shard_workers import packed_model, unpacked_model
from keras_video.inference.views import model_for
from keras_video.probes.bodies import ProbeBody
from keras_video.sharded import Job

# Videos that a worker takes at a time: few, so that all have some to the end.
_AT_ONCE = 16


def computed_features(body, records, source, on_error):
    """The features of videos, in order.

    Args:
        body, source, on_error: see `extract_features`.
        records: of the videos.

    Yields:
        `(number, features)`; for a video that cannot be read the reason, a text, in their place.

    Raises:
        tf.errors.InvalidArgumentError: with `on_error="raise"`, naming such a video.
        ValueError: for features that are not finite.
    """
    dtype = np.float16 if body.tokens else np.float32
    report = data.DecodeReport(quiet=True)
    dataset = data.protocol_dataset(
        body.protocol,
        [dataclasses.replace(record, labels=(place,)) for place, record in enumerate(records)],
        source=source,
        batch_size=None,
        on_error=on_error,
        report=report,
    )

    def unread(start, end):
        reasons = {failure.path: failure.reason for failure in report.failures}
        for number in range(start, end):
            yield number, reasons.get(records[number].path, "it is damaged")

    done = 0
    for clips, place in dataset:
        clips, number = clips.numpy(), int(place)
        yield from unread(done, number)
        views = clips if clips.ndim == len(body.model.input_shape) else clips[None]
        features = _network_for(body, views)(views, body.protocol.max_views).astype(dtype)
        if not np.isfinite(features).all():
            raise ValueError(
                f"{printable(records[number].path)}: the features of {body.model.name!r} are not "
                "finite, expected numbers"
            )
        yield number, features
        done = number + 1
    yield from unread(done, len(records))


def features_on_engine(engine, body, records, source, on_error):
    """As `computed_features`, in the order in which they get ready.

    Args:
        engine: a `keras_video.sharded.RayEngine`.
        body, records, source, on_error: see `computed_features`; workers find the files under the
            same paths.
    """
    # Workers may have another working directory.
    records = [
        dataclasses.replace(one, path=str(Path(one.path).absolute()), readings=(), problem=None)
        for one in records
    ]
    starts = range(0, len(records), _AT_ONCE)
    jobs = [
        Job(f"videos {start + 1} to {start + len(part)} of {len(records)}", tuple(part))
        for start in starts
        if (part := records[start : start + _AT_ONCE])
    ]
    model = packed_model(body.model)
    make = functools.partial(_Worker, model, body.tokens, body.protocol, source, on_error)
    seen = set()
    for event in engine.run(make, jobs):
        if event.kind != "item":
            continue
        number = starts[event.job] + event.value[0]
        # After the death of a worker some come again.
        if number not in seen:
            seen.add(number)
            yield number, event.value[1]


class _Worker:
    """A process' body, which computes the features of the records of a job."""

    def __init__(self, model, tokens, protocol, source, on_error):
        self._body = ProbeBody(unpacked_model(model), tokens, None, protocol)
        self._source, self._on_error = source, on_error

    def __call__(self, job):
        yield from computed_features(self._body, list(job.items), self._source, self._on_error)


def _network_for(body, views):
    """The body's network, for clips of the shape that its protocol gives."""
    wanted, shape = body.network.input_shape[1:], views.shape[1:]
    if body.tokens and any(
        one not in (None, other) for one, other in zip(wanted, shape, strict=True)
    ):
        raise ValueError(
            f"{body.model.name!r} takes clips of shape {wanted}, its protocol with these views "
            f"gives {shape}: expected the same for a head of tokens, give other views."
        )
    return FeatureModel(model_for(body.network, views), pooling="none")
