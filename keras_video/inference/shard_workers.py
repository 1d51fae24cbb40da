"""Shard workers: read the videos of a shard and write their scores or features."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_video import data
from keras_video.data.annotations.records import printable
from keras_video.inference.features import feature_model
from keras_video.inference.shard_files import write_rows
from keras_video.inference.two_classes import both_classes, class_names_of
from keras_video.inference.views import predict_views
from keras_video.sharded import fetched_in_parts, processors
from keras_video.sharded.remote import joined
from keras_video.weights.keras_files import load_model
from keras_video.zoo.protocol import Protocol


@dataclass(frozen=True)
class ListedVideo:
    """A video in a list.

    Attributes:
        path: a file or an fsspec address.
        labels: class indices, `None` if unknown.
    """

    path: str
    labels: tuple[int, ...] | None = None


def packed_model(model):
    """The bytes of a model's `.keras` file, to be loaded by other processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return path.read_bytes()


def unpacked_model(content):
    """The model packed by `packed_model`; a model is returned unchanged."""
    if isinstance(content, keras.Model):
        return content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        path.write_bytes(content)
        return load_model(path)


@dataclass(frozen=True)
class VideoReader:
    """Reads the videos of a list in order.

    Attributes:
        protocol: how to read them, a `keras_video.zoo.Protocol`.
        on_error: "raise", or "skip" for videos that cannot be read.
        folder: base folder of relative paths.
        source: where the frames come from; `Videos()` if `None`.
    """

    protocol: Protocol
    on_error: str = "skip"
    folder: str = ""
    source: object = None

    def views(self, videos):
        """The views of videos, prefetched by several decoding threads.

        Yields:
            For each video (an object with a `path`), float32 `(views, frames, height, width,
            channels)`, without the first axis if the protocol has a single view; or the reason why
            it cannot be read.

        Raises:
            ValueError: with `on_error="raise"`, for a video that cannot be read.
        """
        paths = [joined(self.folder or Path.cwd(), video.path) for video in videos]
        start = 0
        for local_paths in fetched_in_parts(paths):
            yield from self._views(videos[start : start + len(local_paths)], local_paths)
            start += len(local_paths)

    def _views(self, videos, local_paths):
        problems = {
            number: _fetch_problem(video, local_path)
            for number, (video, local_path) in enumerate(zip(videos, local_paths, strict=True))
            if isinstance(local_path, Exception)
        }
        available = [number for number in range(len(videos)) if number not in problems]
        # Messages name the original file, not the local copy of a remote one.
        report = data.DecodeReport(quiet=True)

        def unread(start, end):
            """Yields why each video from `start` to `end` was skipped."""
            reasons = {failure.path: failure.reason for failure in report.failures}
            for number in range(start, end):
                local_path, path = str(local_paths[number]), printable(videos[number].path)
                reason = reasons.get(local_path, f"cannot read {path}")
                reason = reason.replace(printable(local_path), path)
                reason = problems.get(number, reason)
                if self.on_error == "raise":
                    raise ValueError(reason)
                yield reason

        done = 0
        for clips, index in self._dataset(local_paths, available, report) if available else ():
            yield from unread(done, int(index))
            yield clips.numpy()
            done = int(index) + 1
        yield from unread(done, len(videos))

    def _dataset(self, local_paths, available, report):
        return data.protocol_dataset(
            self.protocol,
            [data.Record(local_paths[number], (number,)) for number in available],
            source=self.source,
            batch_size=None,
            on_error="skip",
            report=report,
            num_parallel_calls=processors(),
        )


def _fetch_problem(video, error):
    text = " ".join(str(error).split())
    return f"cannot read {printable(video.path)}: {type(error).__name__}: {text}"


class _VideoWorker:
    """Writes shards of the rows that `_row` computes from a video's views; see `run_shards`."""

    column: str
    class_names = None

    def __init__(self, model, reader, optimize):
        self._model, self._reader, self._optimize = unpacked_model(model), reader, optimize

    def __call__(self, items, path):
        rows, arrays, failed = [], [], []
        for number, (item, views) in enumerate(zip(items, self._reader.views(items), strict=True)):
            if isinstance(views, str):
                failed.append([printable(item.path), views])
            else:
                clips = views if views.ndim == len(self._model.input_shape) else views[None]
                to_come = (len(items) - number - 1) * len(clips)
                arrays.append(self._require_finite(item, self._row(clips, to_come)))
                rows.append(item)
            yield
        write_rows(path, rows, arrays, self.column, self.class_names)
        return {"count": len(rows), "failed": failed}

    def _require_finite(self, item, row):
        invalid = row.size - np.isfinite(row).sum()
        if invalid:
            raise ValueError(
                f"{printable(item.path)}: received {self.column} of which {invalid} of {row.size} "
                "are not finite, expected finite numbers: the model has diverged, or its precision "
                "is too low"
            )
        return row


class ScoreWorker(_VideoWorker):
    """Writes shards of video scores.

    Args:
        model: a model, or the bytes returned by `packed_model`.
        reader: a `VideoReader`.
        optimize: "auto" or "off", see `predict_views`.
    """

    column = "scores"

    def __init__(self, model, reader, optimize="auto"):
        super().__init__(model, reader, optimize)
        self.class_names = class_names_of(self._model)

    def _row(self, clips, to_come):
        protocol = self._reader.protocol
        scores = predict_views(
            self._model,
            clips[None],
            score_average=protocol.score_average,
            max_views=protocol.max_views,
            optimize=self._optimize,
            to_come=to_come,
        )
        return both_classes(np.asarray(scores)[0])


class FeatureWorker(_VideoWorker):
    """Writes shards of video features.

    Args:
        model, reader, optimize: see `ScoreWorker`.
        layer, pooling: see `feature_model`.
        mean: whether to write the mean over a video's views instead of one row per view.
    """

    column = "features"

    def __init__(self, model, reader, optimize="auto", layer=None, pooling="avg", mean=False):
        super().__init__(model, reader, optimize)
        self._features, self._mean = feature_model(self._model, layer, pooling), mean

    def _row(self, clips, to_come):
        features = self._features(
            clips, self._reader.protocol.max_views, optimize=self._optimize, to_come=to_come
        )
        return features.mean(0) if self._mean else features
