"""Computes features of videos with a probe's body, in this process or in workers."""

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

# Videos per job: few, so that all workers stay busy until the end.
_VIDEOS_PER_JOB = 16


def computed_features(body, records, source, on_error):
    """The features of videos, in order.

    Args:
        body, source, on_error: see `extract_features`.
        records: records of the videos.

    Yields:
        `(index, features)`, or `(index, reason)` for a video that cannot be read.

    Raises:
        tf.errors.InvalidArgumentError: with `on_error="raise"`, naming such a video.
        ValueError: for features that are not finite.
    """
    dtype = np.float16 if body.tokens else np.float32
    report = data.DecodeReport(quiet=True)
    dataset = data.protocol_dataset(
        body.protocol,
        [dataclasses.replace(record, labels=(index,)) for index, record in enumerate(records)],
        source=source,
        batch_size=None,
        on_error=on_error,
        report=report,
    )

    def unread(start, end):
        reasons = {failure.path: failure.reason for failure in report.failures}
        for index in range(start, end):
            yield index, reasons.get(records[index].path, "it is damaged")

    done = 0
    for clips, label in dataset:
        clips, index = clips.numpy(), int(label)
        yield from unread(done, index)
        views = clips if clips.ndim == len(body.model.input_shape) else clips[None]
        features = _network_for(body, views)(views, body.protocol.max_views).astype(dtype)
        if not np.isfinite(features).all():
            raise ValueError(
                f"{printable(records[index].path)}: the features of {body.model.name!r} are not "
                "finite, expected numbers"
            )
        yield index, features
        done = index + 1
    yield from unread(done, len(records))


def features_on_engine(engine, body, records, source, on_error):
    """As `computed_features`, in order of completion.

    Args:
        engine: a `keras_video.sharded.RayEngine`.
        body, records, source, on_error: see `computed_features`; workers find the files under the
            same paths.
    """
    # Workers may have another working directory.
    records = [
        dataclasses.replace(
            record, path=str(Path(record.path).absolute()), readings=(), problem=None
        )
        for record in records
    ]
    starts = range(0, len(records), _VIDEOS_PER_JOB)
    jobs = [
        Job(f"videos {start + 1} to {start + len(part)} of {len(records)}", tuple(part))
        for start in starts
        if (part := records[start : start + _VIDEOS_PER_JOB])
    ]
    model = packed_model(body.model)
    make_worker = functools.partial(_Worker, model, body.tokens, body.protocol, source, on_error)
    finished = set()
    for event in engine.run(make_worker, jobs):
        if event.kind != "item":
            continue
        index = starts[event.job] + event.value[0]
        # After a worker dies, some items are computed again.
        if index not in finished:
            finished.add(index)
            yield index, event.value[1]


class _Worker:
    """A worker's own body, which computes the features of a job's records."""

    def __init__(self, model, tokens, protocol, source, on_error):
        self._body = ProbeBody(unpacked_model(model), tokens, None, protocol)
        self._source, self._on_error = source, on_error

    def __call__(self, job):
        yield from computed_features(self._body, list(job.items), self._source, self._on_error)


def _network_for(body, views):
    """The body's network, for clips of the shape that its protocol produces."""
    expected, shape = body.network.input_shape[1:], views.shape[1:]
    if body.tokens and any(
        size not in (None, received) for size, received in zip(expected, shape, strict=True)
    ):
        raise ValueError(
            f"{body.model.name!r} takes clips of shape {expected}, its protocol with these views "
            f"gives {shape}: expected the same for a head of tokens, give other views."
        )
    return FeatureModel(model_for(body.network, views), pooling="none")
