"""Features of labeled or unlabeled videos, computed once."""

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
        records: of the videos that could be read, a tuple of `keras_video.data.Record`.
        keys: what tells their contents apart; copies of a video have the same one.
        features: float32 `(videos, views, width)`, or float16 `(videos, views, tokens, width)`.
        failed: paths of the videos that could not be read.
        computed: how many videos were not in the cache.
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
        """A number per video, the same for copies of one."""
        return np.unique(self.keys, return_inverse=True)[1]

    def part(self, chosen):
        """The features of some of the videos, by their numbers."""
        return dataclasses.replace(
            self,
            records=tuple(self.records[index] for index in chosen),
            keys=tuple(self.keys[index] for index in chosen),
            features=self.features[np.asarray(chosen, int)],
        )


def extract_features(
    body, records, *, source=None, cache=None, on_error="raise", verbose=1, engine=None
):
    """The features of videos, from the cache where they are there.

    A run that was stopped goes on where it was.

    Args:
        body: a `ProbeBody`.
        records: a sequence of `keras_video.data.Record`.
        source: where the frames come from; `Videos()` if `None`.
        cache: folder of the cache; that of this package in the Keras home if `None`.
        on_error: "raise", or "skip" to leave out videos that cannot be read.
        verbose: 0 shows no progress.
        engine: a `keras_video.sharded.RayEngine`, whose workers compute what is not in the cache;
            in this process if `None`.

    Returns:
        `VideoFeatures`, in the order of the records.

    Raises:
        tf.errors.InvalidArgumentError: naming a video that cannot be read.
        FileNotFoundError: naming a video that does not exist.
        ValueError: if no video could be read, views differ in number between videos, or features
            are not finite.
    """
    source = data.Videos() if source is None else source
    store = FeatureCache(home_folder("probe_features") if cache is None else cache, body.facts())
    keys, found = _stored(store, records, source, on_error, verbose)
    missing = [index for index, key in enumerate(keys) if key is not None and key not in found]
    missing = list({keys[index]: index for index in reversed(missing)}.values())[::-1]
    if missing:
        _compute(body, store, records, keys, missing, found, source, on_error, verbose, engine)
    kept = [index for index, key in enumerate(keys) if key in found]
    if not kept:
        raise ValueError(f"received {len(records)} videos, none of which could be read")
    return VideoFeatures(
        tuple(records[index] for index in kept),
        tuple(keys[index] for index in kept),
        _stacked([found[keys[index]] for index in kept], [records[index] for index in kept]),
        tuple(records[i].path for i in range(len(records)) if keys[i] not in found),
        len(missing),
    )


def _stored(store, records, source, on_error, verbose):
    """The keys of videos, `None` for those that are not there, and features that are stored."""
    keys, found = [], {}
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
        if key is not None and key not in found:
            features = store.read(key)
            if features is not None:
                found[key] = features
        bar.add(1)
    return keys, found


def _compute(body, store, records, keys, missing, found, source, on_error, verbose, engine):
    """Computes features that are missing, and puts them into the cache and `found`."""
    wanted = [records[index] for index in missing]
    if engine is None:
        results = computed_features(body, wanted, source, on_error)
    else:
        results = features_on_engine(engine, body, wanted, source, on_error)
    bar = progress_bar(len(missing), "video", verbose)
    for place, features in results:
        key = keys[missing[place]]
        if isinstance(features, str):
            logging.error("%s could not be read: %s", printable(wanted[place].path), features)
        else:
            store.write(key, features)
            found[key] = features
        bar.add(1)


def _stacked(arrays, records):
    shapes = [one.shape for one in arrays]
    for shape, record in zip(shapes, records, strict=True):
        if shape != shapes[0]:
            raise ValueError(
                f"{printable(record.path)} has features of shape {shape}, "
                f"{printable(records[0].path)} of {shapes[0]}: expected the same of all videos; a "
                "protocol that crops gives that"
            )
    return np.stack(arrays)
