"""Sequential reading of TFRecord shards, for object stores.

`keras_video.data.pack_records` writes the shards. On disk, the other loaders read them through
their manifest, in any order. This loader is for stores that only read whole files fast; its epochs
are shuffled only within a buffer.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..annotations.records import AnnotationError, Record
from ..annotations.shards import FORMAT, MANIFEST, check_packed, checked_manifest
from ..sampling import check_whole
from ..sources.packing import open_packed, unpack
from ..sources.videos import Source, Videos
from ..transforms.basic import Transform
from .batches import dataset_of_reader
from .building import crop_while_decoding
from .clip_reader import ClipReader, OnError, check_options
from .epoch import EpochCounter
from .options import LoaderOptions
from .processing import Processing
from .python_calls import numpy_function
from .report import DecodeReport


class PackedReader(ClipReader):
    """Reads the clips of packed examples; see `ClipReader`."""

    def drawn(self, epoch, serialized, attempt=0):
        """As `ClipReader.drawn`, for the bytes written by `pack`; without replacements."""
        packed = unpack(serialized)
        entropy = [self.seed, int(epoch) if self.training else 0, packed.number]
        generator = np.random.default_rng(entropy)
        return packed.record, lambda rng: open_packed(self.source, packed, rng), generator


def tfrecord_dataset(
    folder: str | Path,
    *,
    sampling: Callable,
    transforms: Iterable[Transform],
    source: Source | None = None,
    view_frames: int | None = None,
    shuffle_buffer: int = 64,
    shards_at_a_time: int = 4,
    batch_size: int | None = 8,
    training: bool = False,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    shuffle: bool | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Clips of the examples packed by `pack_records`, read sequentially from their shards.

    Random draws are those of `dataset_from_records` with the same records, seed and epoch. The
    order of an epoch differs: shards are shuffled, then examples within a buffer.

    Args:
        folder: folder of the shards, or any URL that `tf.io.gfile` supports, such as `gs://...`.
        sampling, transforms, view_frames, training, seed, epoch, report: see
            `dataset_from_records`.
        source: a source of the same type as the one the examples were packed from; None means
            `Videos()`.
        classes: number of classes, the length of multi-hot labels; None uses the stored one.
        shuffle: whether each epoch has its own order; None shuffles in training.
        shuffle_buffer: number of packed examples in the shuffle buffer.
        shards_at_a_time: number of shards to interleave when shuffling.
        on_error: "raise" or "skip", as in `dataset_from_records`.
        batch_size, num_parallel_calls, deterministic, drop_remainder, workers: as there.

    Raises:
        FileNotFoundError: if the folder contains no shards.
        AnnotationError: if shards are missing.
        ValueError: for options that contradict each other, or another source than was packed.
    """
    options = LoaderOptions.of(locals())
    processing = Processing.of_transforms(sampling, transforms, view_frames)
    check_options(on_error, seed)
    check_whole("shuffle_buffer", shuffle_buffer, 1)
    check_whole("shards_at_a_time", shards_at_a_time, 1)
    if on_error == "replace":
        raise ValueError("received on_error='replace', expected 'raise' or 'skip' for shards")
    source = Videos() if source is None else source
    manifest = _manifest(folder)
    check_packed(manifest, folder, source)
    count, length = manifest["examples"], manifest["settings"]["label_length"]
    reader = PackedReader(
        (Record("", (0,)),) * count,
        sampling,
        training,
        int(seed),
        length and (classes or length),
        on_error,
        DecodeReport() if report is None else report,
        source,
        crop_while_decoding(source, processing.transforms),
    )
    paths = [f"{str(folder).rstrip('/')}/{name}" for name in manifest["finished"]]
    epoch = EpochCounter() if epoch is None else epoch
    examples = _packed(reader, paths, epoch, options.shuffles, shuffle_buffer, shards_at_a_time)
    return dataset_of_reader(reader, processing, options, examples)


def _manifest(folder):
    """The manifest of the TFRecord shards in a folder that `tf.io.gfile` supports."""
    path = f"{str(folder).rstrip('/')}/{MANIFEST}"
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"received {folder}, expected a folder with {MANIFEST}")
    with tf.io.gfile.GFile(path) as file:
        manifest = json.loads(file.read())
    settings = manifest.get("settings", {})
    if settings.get("format") != FORMAT or settings.get("container") != "tfrecord":
        raise AnnotationError(f"{path}: expected the manifest of TFRecord shards")
    return checked_manifest(manifest, path)


def _packed(reader, paths, epoch, shuffle, buffer, shards_at_a_time):
    """A dataset of (epoch, bytes) of the examples of a pass."""

    def begin(_):
        number = epoch.take()
        generator = np.random.default_rng([reader.seed, int(number)])
        order = generator.permutation(len(paths)) if shuffle else np.arange(len(paths))
        return np.int64(number), order.astype(np.int64), generator.integers(2**31, dtype=np.int64)

    def start(number):
        # A stateful call: it runs, and so advances the epoch, at the start of every iteration.
        current, order, seed = numpy_function(begin, [number], [tf.int64] * 3)
        order.set_shape([len(paths)])
        current.set_shape([])
        seed.set_shape([])
        files = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(paths), order))
        # Interleaves a few shards, always in the same order.
        cycle = min(shards_at_a_time, len(paths)) if shuffle else 1
        examples = files.interleave(
            tf.data.TFRecordDataset, cycle, num_parallel_calls=cycle, deterministic=True
        )
        if shuffle:
            # Sets the seed of this function's graph only: with a global seed of 0, as set in
            # training, TensorFlow would compare the tensor `seed` with 0 in Python.
            tf.random.set_seed(1)
            examples = examples.shuffle(buffer, seed=seed)
        return examples.map(lambda serialized: (current, serialized))

    return tf.data.Dataset.range(1).flat_map(start)
