"""Datasets for a zoo row or the protocol of a model, for any modality."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

from keras_video.zoo import Protocol, Row
from keras_video.zoo.protocol import AUDIO, VIDEO

from ..annotations.parsing import AnnotationFormat, Record
from ..annotations.shards import is_manifest, list_of
from ..audio.audiovisual import AudioVisual
from ..audio.sources import AudioFeatures
from ..pipelines.building import build_dataset
from ..pipelines.class_folders import ClassFolders, part_of_list
from ..pipelines.clip_reader import OnError, records_of
from ..pipelines.directory import check_split, named, part_of, records_of_folder
from ..pipelines.epoch import EpochCounter
from ..pipelines.options import LoaderOptions
from ..pipelines.report import DecodeReport
from ..sources.videos import Source, Videos
from .audio import audio_annotation_format, names_features, row_audio_source
from .presets import processing_of
from .sources import (
    annotation_format_of,
    joint_protocol,
    joint_sources,
    kind_of_paths,
    source_kind,
    source_of_kind,
)


def row_dataset(
    row: Row,
    what: str | Path | Sequence[Record],
    phase: str = "test",
    root: str | Path | None = None,
    *,
    source: Source | None = None,
    annotation_format: AnnotationFormat | None = None,
    joint: int | None = None,
    validation_split: float | None = None,
    split_seed: int = 0,
    batch_size: int | None = 8,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    decoder_resize: bool = False,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Examples for the model of a zoo row: video, audio, or both.

    Args:
        row: a `keras_video.zoo.Row`.
        what: an annotation file; a folder with a sub-folder of files for each class; packed shards,
            their folder or its `manifest.json`; or a sequence of `keras_video.data.Record`.
        phase: "train" (drawn at random, again in every epoch), "val" or "test" (all views).
        root: folder that the paths in an annotation file are relative to.
        source: the source that opens the examples. None inspects the path in the first line: a
            video, a folder of frames (of optical flow, for rows that use it), an image or stored
            audio features; class folders are assumed to contain video or audio files.
        annotation_format: format of the annotation file, see `video_dataset`, or `ClassFolders`;
            None uses the format that the row defines for the source.
        joint: index of the source of a joint training that `what` belongs to; 0 is the row's main
            source. None for training on one source.
        validation_split: for class folders or shards, the fraction of the videos of each class to
            hold out. Phase "train" returns the others, "val" and "test" the held-out ones.
        split_seed: non-negative integer; another one holds out other videos.
        batch_size, seed, epoch, classes, multi_label, shuffle, on_error, report, decoder_resize,
            num_parallel_calls, deterministic, drop_remainder, workers: see
            `dataset_from_records`.

    Returns:
        A `tf.data.Dataset`, see `video_dataset`, `audio_dataset` and `audiovisual_dataset`; for a
        folder, it has the attributes `class_names` and `file_paths`.

    Raises:
        AnnotationError: for a malformed line or a label out of range, naming file and line.
        FileNotFoundError: if the annotation file or folder does not exist.
        ValueError: for a row without a model, a phase without published settings, or options that
            contradict each other.
    """
    what, training = list_of(what), phase == "train"
    repeats = row.repeated_augmentation if training else 1
    options = LoaderOptions.of(locals(), training=training, repeats=repeats)
    protocol = row.protocol(phase)
    if joint is not None:
        _check_joint(row, joint)
        protocol = joint_protocol(protocol, row.joint[joint])
        source = joint_sources(row)[joint] if source is None else source
    elif protocol.modality == VIDEO and source is None:
        kind = _kind(row, what, root)
        source = source_of_kind(row, kind)
        if annotation_format is None and row.source and _is_list(what):
            annotation_format = annotation_format_of(row, phase, kind, what)
    elif protocol.modality != VIDEO and annotation_format is None and _is_list(what):
        annotation_format = audio_annotation_format(what, row)
    split = _split(what, annotation_format, phase, validation_split, split_seed)
    return _dataset(protocol, what, root, source, annotation_format, options, split)


def protocol_dataset(
    protocol: Protocol,
    what: str | Path | Sequence[Record],
    root: str | Path | None = None,
    *,
    source: Source | None = None,
    annotation_format: AnnotationFormat | None = None,
    batch_size: int | None = 8,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    decoder_resize: bool = False,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    repeats: int = 1,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Examples as defined by a protocol, such as that of a model: video, audio, or both.

    Args:
        protocol: a `keras_video.zoo.Protocol`, such as `model.protocol`; its phase determines
            whether examples are drawn at random.
        what, root: see `row_dataset`.
        source: the source that opens the examples; None means `Videos()`, or `Waveforms` for audio,
            or `AudioFeatures` if the first line is a `*.npy` file.
        annotation_format: format of the annotation file, see `video_dataset`.
        batch_size, seed, epoch, classes, multi_label, shuffle, on_error, report, decoder_resize,
            num_parallel_calls, deterministic, drop_remainder, repeats, workers: see
            `dataset_from_records`.

    Returns, Raises:
        As `row_dataset`.
    """
    what = list_of(what)
    options = LoaderOptions.of(locals(), training=protocol.training)
    return _dataset(protocol, what, root, source, annotation_format, options)


def _split(what, annotation_format, phase, fraction, seed):
    """The arguments of `part_of` for a phase, or `None` if there is no split."""
    if fraction is None:
        if seed:
            raise ValueError(f"received split_seed={seed}, which has no effect without a split")
        return None
    is_path = isinstance(what, str | os.PathLike)
    if not is_path or annotation_format or (_is_list(what) and not is_manifest(what)):
        raise ValueError(
            f"received validation_split={fraction}, expected a folder with a sub-folder of videos "
            "for each class to split, or packed shards"
        )
    subset = "training" if phase == "train" else "validation"
    check_split(fraction, subset, seed)
    return fraction, subset, seed


def _dataset(protocol, what, root, source, annotation_format, options, split=None):
    if source is None:
        source = _default_source(protocol, what)
    records, names = what, None
    if _is_list(what) or isinstance(annotation_format, ClassFolders):
        records = records_of(what, root, options.classes, annotation_format, source)
        if split is not None:
            records = part_of_list(records, *split)
    elif root is not None or annotation_format is not None:
        raise ValueError(
            f"received root={root}, annotation_format={annotation_format}, which only "
            "apply to annotation files"
        )
    elif isinstance(what, str | os.PathLike):
        records, names = records_of_folder(what, source)
        if split is not None:
            records = part_of(records, names, *split)
        if options.classes is None:
            options = dataclasses.replace(options, classes=len(names))
    processing = processing_of(protocol, isinstance(source, AudioFeatures))
    dataset = build_dataset(records, processing, source, options)
    return dataset if names is None else named(dataset, records, names)


def _is_list(what):
    """Whether `what` is the path of an annotation file, and neither records nor a folder."""
    return isinstance(what, str | os.PathLike) and not Path(what).is_dir()


def _default_source(protocol, what):
    """The default source."""
    if protocol.modality == VIDEO:
        return Videos()
    if protocol.modality == AUDIO:
        return row_audio_source(protocol, _names_features(what))
    return AudioVisual(waveforms=row_audio_source(protocol))


def _names_features(what):
    if _is_list(what):
        return names_features(what)
    return any(path.endswith(".npy") for path in _first_paths(what))


def _kind(row, what, root):
    """The kind of source of the first example."""
    if _is_list(what):
        return source_kind("auto", row, what, root)
    return kind_of_paths(row, _first_paths(what))


def _first_paths(what):
    """The path of the first record, in a list; empty for class folders."""
    return [] if isinstance(what, str | os.PathLike) else [record.path for record in what[:1]]


def _check_joint(row, joint):
    if not 0 <= joint < len(row.joint):
        raise ValueError(
            f"joint={joint}: {row.name} is trained on {len(row.joint) or 1} sources, expected "
            f"{'one of 0 to ' + str(len(row.joint) - 1) if row.joint else 'None'}"
        )
