"""Examples packed into TFRecord shards: for training from object stores, where small files cost.

The files of an example are stored as they are, so what is read equals what the source reads. The
folder holds `examples-00000-of-00010.tfrecord` and so on, and `index.json`, which says what is in
them.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..annotations.records import Record
from ..decoding.videos import DecodeError
from ..parallel import JobSummary, in_parallel, replacing
from ..sampling import check_whole
from ..sources.packing import open_packed, pack, unpack
from ..sources.videos import Source, Videos
from ..transforms.basic import Transform
from .batches import dataset_of_reader
from .building import crop_while_decoding
from .clip_reader import ClipReader, OnError, check_options, label_length
from .epoch import EpochCounter
from .options import LoaderOptions
from .processing import Processing
from .python_calls import numpy_function
from .report import DecodeReport

INDEX = "index.json"


def write_tfrecords(
    records,
    folder,
    source=None,
    *,
    shards=16,
    seed=0,
    classes=None,
    workers=None,
    show_progress=True,
):
    """Packs examples into shards. Shards that exist are kept, so a run can go on.

    Args:
        records: sequence of `Record`.
        folder: where the shards are written.
        source: where the frames come from; None means `Videos()`.
        shards: number of files; readers mix whole shards, so make at least a few.
        seed: the records are mixed before they are packed; None keeps their order.
        classes: number of classes, see `dataset_from_records`.
        workers: shards that are written at the same time.
        show_progress: whether to draw a progress bar.

    Returns:
        A `JobSummary` whose failures are the examples whose files cannot be read; they are left
        out.

    Raises:
        ValueError: no records, a number of shards below 1, or another packing in the folder.
    """
    records, folder = list(records), Path(folder)
    check_whole("shards", shards, 1)
    if seed is not None:
        check_whole("seed", seed, 0)
    if not records or not 1 <= shards <= len(records):
        raise ValueError(f"received {len(records)} records and shards={shards}, expected 1 or more")
    source = Videos() if source is None else source
    order = np.arange(len(records))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(records))
    names = [f"examples-{number:05}-of-{shards:05}.tfrecord" for number in range(shards)]
    plan = {
        "source": repr(source),
        "records": len(records),
        "seed": seed,
        "label_length": label_length(records, classes, None),
        "shards": names,
    }
    _check_plan(folder, plan)

    def write(number):
        facts_file = folder / f"{names[number]}.json"
        if facts_file.exists():
            return None
        with replacing(folder / names[number]) as path:
            facts = _write_shard(path, order[number::shards].tolist(), records, source)
        # Written last: it says that the shard is complete.
        facts_file.write_text(json.dumps(facts))
        return facts["examples"]

    done = JobSummary()
    for _, made in in_parallel(write, range(shards), workers, show_progress):
        done.kept += made is None
        done.made += made is not None
    facts = [json.loads((folder / f"{name}.json").read_text()) for name in names]
    done.failed = [tuple(one) for fact in facts for one in fact["failed"]]
    counts = {name: fact["examples"] for name, fact in zip(names, facts, strict=True)}
    (folder / INDEX).write_text(json.dumps({**plan, "shards": counts}, indent=1))
    return done


def _check_plan(folder, plan):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plan.json"
    if not path.exists():
        path.write_text(json.dumps(plan))
    if json.loads(path.read_text()) != plan:
        raise ValueError(f"{folder} holds other shards: {path} differs; give another folder")


def _write_shard(path, numbers, records, source):
    failed = []
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in numbers:
            try:
                writer.write(pack(records[number], number, source))
            except (DecodeError, OSError) as error:
                failed.append((records[number].path, str(error)))
    return {"examples": len(numbers) - len(failed), "failed": failed}


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
    """Clips of the examples that `write_tfrecords` packed.

    Draws are those of `dataset_from_records` with the same records, seed and epoch; the order of
    an epoch is another: shards are mixed, then examples in a buffer.

    Args:
        folder: where the shards are, also one that `tf.io.gfile` knows, such as `gs://...`.
        sampling, transforms, view_frames, training, seed, epoch, report: see
            `dataset_from_records`.
        source: as the examples were packed; None means `Videos()`.
        classes: number of classes, the length of multi-hot labels; None takes the stored one.
        shuffle: whether each epoch has its own order; None shuffles in training.
        shuffle_buffer: packed examples that are mixed.
        shards_at_a_time: shards that are read in turn when shuffling.
        on_error: "raise" or "skip", as in `dataset_from_records`.
        batch_size, num_parallel_calls, deterministic, drop_remainder, workers: as there.

    Raises:
        FileNotFoundError: the folder holds no complete shards.
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
    index = read_index(folder)
    if index["source"] != repr(source):
        raise ValueError(f"received source={source!r}, {folder} was packed as {index['source']}")
    count, length = sum(index["shards"].values()), index["label_length"]
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
    paths = [f"{str(folder).rstrip('/')}/{name}" for name in index["shards"]]
    epoch = EpochCounter() if epoch is None else epoch
    examples = _packed(reader, paths, epoch, options.shuffles, shuffle_buffer, shards_at_a_time)
    return dataset_of_reader(reader, processing, options, examples)


def read_index(folder):
    """What `index.json` says of the shards of a folder.

    Raises:
        FileNotFoundError: there is none: the shards were not written to the end.
    """
    path = f"{str(folder).rstrip('/')}/{INDEX}"
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"received {folder}, expected a folder with {INDEX}")
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())


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
