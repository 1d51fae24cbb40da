"""TFRecord shards that are read from their start to their end: for object stores.

`keras_video.data.pack_records` writes them. Where the shards lie on a disk, the other loaders read
them by their manifest, in any order; a store that only gives whole files fast is read here, and an
epoch mixes as much as its buffer holds.
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
        """As of a `ClipReader`, for the bytes that `pack` made; without replacements."""
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
    """Clips of the examples that `pack_records` packed, read in the order of their shards.

    Draws are those of `dataset_from_records` with the same records, seed and epoch; the order of
    an epoch is another: shards are mixed, then examples in a buffer.

    Args:
        folder: where the shards are, also one that `tf.io.gfile` knows, such as `gs://...`.
        sampling, transforms, view_frames, training, seed, epoch, report: see
            `dataset_from_records`.
        source: as the examples were packed, for which the kind of the source has to be the same;
            None means `Videos()`.
        classes: number of classes, the length of multi-hot labels; None takes the stored one.
        shuffle: whether each epoch has its own order; None shuffles in training.
        shuffle_buffer: packed examples that are mixed.
        shards_at_a_time: shards that are read in turn when shuffling.
        on_error: "raise" or "skip", as in `dataset_from_records`.
        batch_size, num_parallel_calls, deterministic, drop_remainder, workers: as there.

    Raises:
        FileNotFoundError: the folder holds no shards.
        AnnotationError: its shards are not complete.
        ValueError: options that contradict each other, or another source than was packed.
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
    """The content of the manifest of TFRecord shards in a folder that `tf.io.gfile` knows."""
    path = f"{str(folder).rstrip('/')}/{MANIFEST}"
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"received {folder}, expected a folder with {MANIFEST}")
    with tf.io.gfile.GFile(path) as file:
        found = json.loads(file.read())
    settings = found.get("settings", {})
    if settings.get("format") != FORMAT or settings.get("container") != "tfrecord":
        raise AnnotationError(f"{path}: expected the manifest of TFRecord shards")
    return checked_manifest(found, path)


def _packed(reader, paths, epoch, shuffle, buffer, shards_at_a_time):
    """(epoch, bytes) of the examples of a pass."""

    def begin(_):
        taken = epoch.take()
        generator = np.random.default_rng([reader.seed, int(taken)])
        order = generator.permutation(len(paths)) if shuffle else np.arange(len(paths))
        return np.int64(taken), order.astype(np.int64), generator.integers(2**31, dtype=np.int64)

    def start(number):
        # A stateful call: it runs, and so takes the epoch, each time that an iteration starts.
        taken, order, seed = numpy_function(begin, [number], [tf.int64] * 3)
        order.set_shape([len(paths)])
        taken.set_shape([])
        seed.set_shape([])
        files = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(paths), order))
        # In turn from few shards at a time, always in the same order.
        cycle = min(shards_at_a_time, len(paths)) if shuffle else 1
        examples = files.interleave(
            tf.data.TFRecordDataset, cycle, num_parallel_calls=cycle, deterministic=True
        )
        if shuffle:
            # Of this function's graph alone: where the program's seed is 0, as trainings set it,
            # TensorFlow would compare the tensor `seed` with 0 in Python.
            tf.random.set_seed(1)
            examples = examples.shuffle(buffer, seed=seed)
        return examples.map(lambda serialized: (taken, serialized))

    return tf.data.Dataset.range(1).flat_map(start)
