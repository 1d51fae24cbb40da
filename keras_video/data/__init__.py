"""Annotations, frame samplers, video decoding, transforms and `tf.data` pipelines.

Modules that do not need TensorFlow, such as decoding, are imported without it.
"""

import importlib

_MODULES = {
    "annotations.parsing": (
        "AnnotationError",
        "Record",
        "check_files",
        "read_annotations",
        "read_class_names",
    ),
    "annotations.formats": ("frame_lines", "offset_lines", "part_lines", "video_lines"),
    "annotations.tables": ("HVU_CATEGORIES", "CsvTable", "TaggedJson", "json_records"),
    "sampling": ("DenseSampleFrames", "SampleFrames", "UntrimmedSampleFrames"),
    "decoding.videos": ("DecodeError", "Video", "open_video"),
    "transforms.basic": (
        "Flip",
        "Normalize",
        "RandomRescale",
        "Resize",
        "apply_label_transforms",
        "apply_transforms",
    ),
    "transforms.crops": (
        "CenterCrop",
        "MultiScaleCrop",
        "RandomCrop",
        "RandomResizedCrop",
        "TenCrop",
        "ThreeCrop",
    ),
    "sources.videos": ("Images", "VideoParts", "Videos"),
    "sources.raw_frames": ("FlowFrames", "RawFrames"),
    "pipelines.tfrecords": ("tfrecord_dataset",),
    "pipelines.service": ("serve_dispatcher", "serve_worker", "served_dataset"),
    "rows.sources": ("joint_sources", "row_annotation_format", "row_source"),
    "transforms.warp": ("Rotate",),
    "transforms.color": ("ColorJitter", "PixelDropout"),
    "transforms.rand_augment": ("RandAugment",),
    "transforms.aug_mix": ("AugMix",),
    "transforms.erasing": ("RandomErasing",),
    "transforms.image_layers": ("ImageLayer",),
    "pipelines.batch_mixing": ("CutMix", "MixUp", "MixUpOrCutMix", "mixed_dataset"),
    "pipelines.masks": ("RunningCellMask", "TubeMask", "masked_dataset"),
    "pipelines.unlabeled": ("unlabeled_records",),
    "pipelines.mixing": (
        "ClassBalanced",
        "MixSource",
        "cross_mixed_dataset",
        "joint_dataset",
        "repeated",
    ),
    "pipelines.epoch": ("EpochCounter",),
    "pipelines.report": ("DecodeReport",),
    "pipelines.clips": ("dataset_from_records", "video_dataset"),
    "pipelines.directory": ("video_dataset_from_directory", "video_files"),
    "pipelines.class_folders": ("ClassFolders",),
    "decoding.camera": ("LatestFrames", "LiveFrame", "check_live_source", "live_frames"),
    "decoding.sequential": ("frame_rate", "frames_in_order"),
    "decoding.video_writer": ("VideoWriter",),
    "audio.decoding": ("NoAudioError", "audio_of_frames", "read_audio"),
    "audio.tracks": ("audio_of_video",),
    "audio.sources": ("AudioFeatures", "Waveforms"),
    "pipelines.audio": ("audio_dataset",),
    "pipelines.audiovisual": ("audiovisual_dataset",),
    "audio.audiovisual": ("AudioVisual",),
    "rows.audio": ("row_audio_source", "row_audio_transforms"),
    "rows.datasets": ("protocol_dataset", "row_dataset"),
    "audio.spectrogram": (
        "AddChannel",
        "Amplify",
        "LogMelFeatures",
        "MelSpectrogram",
        "NormalizeLoudness",
        "audio_features",
        "log_mel_features",
        "mel_spectrogram",
    ),
    "embedded.audio_shapes": ("embedded_audio_shapes", "make_audio_shapes"),
    "embedded.long_videos": ("LongVideos", "embedded_long_videos", "make_long_videos"),
    "embedded.moving_shapes": ("MovingShapes", "embedded_dataset", "make_moving_shapes"),
    "pipelines.short_cycle": ("short_cycle_dataset",),
    "spans.clips": ("SpanClip", "span_clips"),
    "spans.reading": ("read_spans",),
    "spans.records": ("Span", "SpanRecord"),
    "spans.writing": ("write_spans",),
    "prepare.shards": ("pack_records",),
    "prepare.shard_worker": ("Resized",),
    "prepare.verify_shards": ("DamagedShard", "verify_shards"),
    "rows.presets": ("row_batch_mixing", "row_sampling", "row_transforms"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return list(__all__)
