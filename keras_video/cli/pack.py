r"""Packs the files of a list into a few large shards for training.

    keras-video pack --list train.txt --data_root videos --out shards/train

    keras-video pack --list folder_of_class_folders --out shards --container tar

    keras-video pack --list train.txt --data_root frames --source rawframes \
        --template "img_{:05}.jpg" --out shards/train

Re-encoded at a smaller size while packing, on a Ray cluster:

    keras-video pack --list train.txt --data_root videos --short_side 256 \
        --out shards/train --engine ray --ray_address auto --workers 64

The folder can then be given in place of a list; the batches are bitwise identical:

    keras-video train --row NAME --train_list shards/train --val_list shards/val

    keras-video train --row NAME --data shards

Files are stored unchanged: in tar files that the webdataset library reads, or as the `data` feature
of a `tf.train.Example`. `manifest.json` holds the class names, and the counts and hashes of all
shards, which `keras-video pack --verify --out shards/train` checks. Repeat the command to resume an
interrupted run. Examples skipped by `--on_error skip` are listed; the exit status is then 1.
"""

from pathlib import Path

from absl import logging

from keras_video import data
from keras_video.cli.long_lists import reject_flags
from keras_video.cli.sources import SOURCES, define_source_flags, source_of
from keras_video.data.annotations.records import printable
from keras_video.data.pipelines.class_folders import class_names_of
from keras_video.data.prepare.shard_files import SHARDS
from keras_video.sharded import LocalEngine, RayEngine

# Audio sources, in addition to the video sources.
_AUDIO = {"audio": (data.Waveforms, ()), "features": (data.AudioFeatures, ())}
_RESIZING = ("quality", "keyframe_every")


def define(flags):
    define_source_flags(flags, required=False, sources=SOURCES | _AUDIO)
    flags.string("class_names", None, "file with a class name per line, for the manifest")
    flags.integer("classes", None, "number of classes, to check labels against", 1)
    flags.choice("on_error", "raise", ("raise", "skip"), "what to do with unreadable files")
    flags.group("Shards")
    flags.string("out", None, "folder for the shards", required=True)
    flags.choice("container", "tfrecord", SHARDS, "file format of the shards")
    flags.string("name", None, "base name of the shard files; that of the list if not given")
    flags.integer("shards", None, "number of files; one per 1000 examples if not given", 1)
    flags.switch("shuffle", True, "shuffle the examples; --noshuffle keeps the order of the list")
    flags.integer("seed", 0, "random seed of the shuffled order", 0)
    flags.switch("verify", False, "check the shards of --out against their hashes; pack nothing")
    flags.group("Resizing videos")
    flags.integer(
        "short_side", None, "short side in pixels; files are stored unchanged if not given", 2
    )
    flags.integer("quality", 20, "x264 CRF: 18 (better quality) to 28 (smaller files)", 0, 51)
    flags.integer("keyframe_every", None, "maximum keyframe interval in frames", 1)
    flags.group("Work")
    flags.choice("engine", "local", ("local", "ray"), "local: threads of this process")
    flags.integer(
        "workers", None, "shards written in parallel; local: one per processor if not given", 1
    )
    flags.string(
        "ray_address", None, "ray: address of a cluster, such as auto; starts one if not given"
    )


def run(options, _):
    logging.set_verbosity(logging.INFO)
    if options.verify:
        return _verify(options)
    if not options.list:
        raise ValueError(f"--list={options.list}: expected a list to pack, or --verify")
    _check_effects(options)
    source, annotation_format = source_of(options, SOURCES | _AUDIO)
    records = data.read_annotations(
        options.list, options.data_root, options.classes, annotation_format=annotation_format
    )
    done = data.pack_records(
        records,
        options.out,
        source,
        container=options.container,
        name=options.name or Path(options.list).absolute().stem,
        shards=options.shards and min(options.shards, len(records)),
        seed=options.seed if options.shuffle else None,
        class_names=_class_names(options),
        classes=options.classes,
        resized=_resized(options),
        on_error=options.on_error,
        engine=_engine(options),
    )
    shards = f"{len(done.finished)} shards, {done.reused} of them already done"
    print(f"\n{done.count} examples are in {options.out}: {shards}")
    for path, reason in done.failed:
        logging.warning("skipped: %s: %s", printable(path), reason)
    if not done.failed:
        return None
    return f"{len(done.failed)} of {done.count + len(done.failed)} examples were skipped."


def _verify(options):
    given = sorted(options.given - {"verify", "out", "workers", "traceback"})
    if given:
        raise ValueError(
            f"--verify: cannot be combined with {', '.join(f'--{name}' for name in given)}"
        )
    damaged = data.verify_shards(options.out, workers=options.workers)
    for shard in damaged:
        print(f"{options.out}: {shard}")
    if damaged:
        return (
            f"{len(damaged)} shards are damaged: remove them and repeat the command that packed "
            "them."
        )
    print(f"All shards of {options.out} are intact")
    return None


def _check_effects(options):
    """Rejects flags that have no effect."""
    reasons = {
        "seed": (options.shuffle, "--noshuffle"),
        "ray_address": (options.engine == "ray", f"--engine={options.engine}"),
        **dict.fromkeys(_RESIZING, (options.short_side is not None, "no --short_side")),
    }
    for name, (has_effect, reason) in reasons.items():
        if not has_effect:
            reject_flags(options, (name,), f"with {reason}")


def _class_names(options):
    if options.class_names:
        return data.read_class_names(options.class_names)
    return class_names_of(options.list) if Path(options.list).is_dir() else None


def _resized(options):
    if options.short_side is None:
        return None
    return data.Resized(options.short_side, options.quality, options.keyframe_every)


def _engine(options):
    if options.engine == "ray":
        return RayEngine(workers=options.workers or 2, address=options.ray_address)
    return LocalEngine(options.workers) if options.workers else None
