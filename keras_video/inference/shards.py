"""Sharded scores and features of arbitrarily long video lists, on one or more machines."""

import functools
import os
from pathlib import Path

from keras_video.inference.automatic import check_optimize
from keras_video.inference.features import feature_model
from keras_video.inference.network_hash import network_hash
from keras_video.inference.shard_files import check_format
from keras_video.inference.shard_workers import (
    FeatureWorker,
    ListedVideo,
    ScoreWorker,
    VideoReader,
    packed_model,
)
from keras_video.inference.single_view import protocol_with_views, single_view
from keras_video.inference.two_classes import class_names_of
from keras_video.sharded import LocalEngine, run_shards, split_into_shards

VIEW_FEATURES = ("all", "mean", "one")


def predict_shards(
    model,
    videos,
    folder,
    *,
    engine=None,
    shard_size=500,
    file_format="npz",
    on_error="skip",
    optimize="auto",
    verbose=1,
):
    """The scores of many videos, in files of `shard_size` videos each.

    The scores are those of `predict_video`. A run that was stopped or killed resumes when it is
    started again; finished shards are not recomputed, see `keras_video.sharded.run_shards`.

    Args:
        model: a video classifier with a `protocol`.
        videos: a sequence of paths, or of objects with a `path` and `labels`, such as
            `keras_video.data.Record`. A path may be an fsspec address such as
            "s3://bucket/a.mp4": the file is downloaded only while it is read.
        folder: output folder of the shards; may be an address. Workers on several machines need a
            shared one.
        engine: a `keras_video.sharded.RayEngine`; `None` runs in this process.
        shard_size: videos per shard.
        file_format: "npz" or "parquet". Rows are in the order of `videos`: "path" (text), "labels"
            (int32; padded with -1 in .npz files; omitted if none are known) and "scores"
            (float32, a value per class; flattened in Parquet, with a "shape" column).
        on_error: "skip" leaves out videos that cannot be read and names them in the summary and the
            manifest; "raise" raises an error for the first of them.
        optimize: "auto" or "off", see `predict_video`; with "auto" every worker decides separately.
        verbose: 0 shows no progress.

    Returns:
        A `keras_video.sharded.ShardSummary`; `read_shards(folder)` reads the rows.

    Raises:
        ValueError: if the folder holds shards of another model, list or settings, or if scores are
            not finite.
        WorkerDiedError: see `RayEngine`.
    """
    class_names_of(model)
    protocol = protocol_with_views(model)
    settings = {"column": "scores"}
    make_worker = functools.partial(ScoreWorker, optimize=optimize)
    check_optimize(optimize)
    reader = _reader(protocol, on_error)
    layout = (shard_size, file_format)
    return _run(make_worker, model, reader, videos, folder, engine, settings, layout, verbose)


def feature_shards(
    model,
    videos,
    folder,
    *,
    layer=None,
    pooling="avg",
    view_features="all",
    engine=None,
    shard_size=500,
    file_format="npz",
    on_error="raise",
    optimize="auto",
    verbose=1,
):
    """The features of many videos, in files of `shard_size` videos each.

    Args:
        model: a functional model of clips with a `protocol`.
        videos, folder, engine, shard_size, optimize, verbose: see `predict_shards`.
        layer, pooling: see `feature_model`.
        view_features: "all" writes a row of features for each test view, "mean" their mean, "one"
            takes a single view of each video.
        file_format: as for `predict_shards`, with "features" instead of "scores": `(views,
            channels)`, without the first axis for "mean".
        on_error: "raise" or "skip", see `predict_shards`.

    Returns, Raises:
        As `predict_shards`.
    """
    if view_features not in VIEW_FEATURES:
        expected = ", ".join(VIEW_FEATURES)
        raise ValueError(f"view_features={view_features!r}: expected one of {expected}")
    feature_model(model, layer, pooling)
    protocol = single_view(model) if view_features == "one" else protocol_with_views(model)
    settings = {
        "column": "features",
        "layer": layer,
        "pooling": pooling,
        "view_features": view_features,
    }
    make_worker = functools.partial(
        FeatureWorker,
        optimize=optimize,
        layer=layer,
        pooling=pooling,
        mean=view_features == "mean",
    )
    check_optimize(optimize)
    reader = _reader(protocol, on_error)
    layout = (shard_size, file_format)
    return _run(make_worker, model, reader, videos, folder, engine, settings, layout, verbose)


def _reader(protocol, on_error):
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error={on_error!r}: expected 'raise' or 'skip'")
    return VideoReader(protocol, on_error, str(Path.cwd()))


def _run(make_worker, model, reader, videos, folder, engine, settings, layout, verbose):
    """Runs the workers that `make_worker` creates from a model and a reader."""
    shard_size, file_format = layout
    check_format(file_format)
    videos = [_listed(video) for video in videos]
    if not videos:
        raise ValueError("received no videos, expected at least one")
    engine = engine or LocalEngine()
    settings = {
        **settings,
        "shard_size": shard_size,
        "network": network_hash(model),
        "protocol": reader.protocol.facts(),
    }
    # Workers load a copy. All receive the same bytes, so random weights are the same too.
    shipped = model if isinstance(engine, LocalEngine) else packed_model(model)
    return run_shards(
        functools.partial(make_worker, shipped, reader),
        split_into_shards(videos, shard_size, f".{file_format}"),
        folder,
        settings=settings,
        engine=engine,
        verbose=verbose,
    )


def _listed(video):
    if hasattr(video, "labels"):
        return ListedVideo(os.fspath(video.path), video.labels)
    return ListedVideo(os.fspath(video))
