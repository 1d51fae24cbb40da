"""Extraction of features from labeled or unlabeled videos, with a cache."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from absl import logging

from keras_video import data
from keras_video.data.annotations.records import printable
from keras_video.data.embedded.moving_shapes import home_folder
from keras_video.probes.cache import FeatureCache, content_key
from keras_video.probes.computing import computed_features, features_on_engine
from keras_video.progress import progress_bar


@dataclass(frozen=True, eq=False)
class VideoFeatures:
    """The features of videos.

    Attributes:
        records: records of the readable videos, a tuple of `keras_video.data.Record`.
        keys: hashes of their contents; copies of a video have the same key.
        features: float32 `(videos, views, width)`, or float16 `(videos, views, tokens, width)`.
        failed: paths of the videos that could not be read.
        computed: number of videos that were not in the cache.
    """

    records: tuple
    keys: tuple[str, ...]
    features: np.ndarray
    failed: tuple[str, ...] = ()
    computed: int = 0

    def __len__(self):
        return len(self.records)

    @property
    def labels(self):
        """Class indices `(videos,)`."""
        return np.array([record.labels[0] for record in self.records], np.int64)

    @property
    def groups(self):
        """A group number per video, the same for copies of a video."""
        return np.unique(self.keys, return_inverse=True)[1]

    def part(self, chosen):
        """The features of the videos with the given indices."""
        return dataclasses.replace(
            self,
            records=tuple(self.records[index] for index in chosen),
            keys=tuple(self.keys[index] for index in chosen),
            features=self.features[np.asarray(chosen, int)],
        )


def extract_features(
    body, records, *, source=None, cache=None, on_error="raise", verbose=1, engine=None
):
    """The features of videos, read from the cache where available.

    An interrupted run resumes where it stopped.

    Args:
        body: a `ProbeBody`.
        records: a sequence of `keras_video.data.Record`.
        source: the source that reads the frames; `Videos()` if `None`.
        cache: folder of the cache; if `None`, this package's folder in the Keras home.
        on_error: "raise", or "skip" to leave out videos that cannot be read.
        verbose: 0 shows no progress.
        engine: a `keras_video.sharded.RayEngine` that computes the features that are not in the
            cache; computed in this process if `None`.

    Returns:
        `VideoFeatures`, in the order of the records.

    Raises:
        tf.errors.InvalidArgumentError: naming a video that cannot be read.
        FileNotFoundError: naming a video that does not exist.
        ValueError: if no video could be read, the number of views differs between videos, or
            features are not finite.
    """
    source = data.Videos() if source is None else source
    store = FeatureCache(home_folder("probe_features") if cache is None else cache, body.facts())
    keys, stored = _stored(store, records, source, on_error, verbose)
    missing = [index for index, key in enumerate(keys) if key is not None and key not in stored]
    missing = list({keys[index]: index for index in reversed(missing)}.values())[::-1]
    if missing:
        _compute(body, store, records, keys, missing, stored, source, on_error, verbose, engine)
    readable = [index for index, key in enumerate(keys) if key in stored]
    if not readable:
        raise ValueError(f"received {len(records)} videos, none of which could be read")
    return VideoFeatures(
        tuple(records[index] for index in readable),
        tuple(keys[index] for index in readable),
        _stacked(
            [stored[keys[index]] for index in readable], [records[index] for index in readable]
        ),
        tuple(records[i].path for i in range(len(records)) if keys[i] not in stored),
        len(missing),
    )


def _stored(store, records, source, on_error, verbose):
    """The keys of videos, `None` for missing files, and the stored features by key."""
    keys, stored = [], {}
    bar = progress_bar(len(records), "video", verbose)
    for record in records:
        try:
            key = content_key(record, source)
        except FileNotFoundError as error:
            if on_error == "raise":
                raise
            logging.error("%s", error)
            key = None
        keys.append(key)
        if key is not None and key not in stored:
            features = store.read(key)
            if features is not None:
                stored[key] = features
        bar.add(1)
    return keys, stored


def _compute(body, store, records, keys, missing, stored, source, on_error, verbose, engine):
    """Computes the missing features, and adds them to the cache and to `stored`."""
    uncached = [records[index] for index in missing]
    if engine is None:
        results = computed_features(body, uncached, source, on_error)
    else:
        results = features_on_engine(engine, body, uncached, source, on_error)
    bar = progress_bar(len(missing), "video", verbose)
    for index, features in results:
        key = keys[missing[index]]
        if isinstance(features, str):
            logging.error("%s could not be read: %s", printable(uncached[index].path), features)
        else:
            store.write(key, features)
            stored[key] = features
        bar.add(1)


def _stacked(arrays, records):
    shapes = [array.shape for array in arrays]
    for shape, record in zip(shapes, records, strict=True):
        if shape != shapes[0]:
            raise ValueError(
                f"{printable(record.path)} has features of shape {shape}, "
                f"{printable(records[0].path)} of {shapes[0]}: expected the same shape for all "
                "videos, as a protocol with crops produces"
            )
    return np.stack(arrays)
