"""Annotations, frame samplers, video decoding, clip steps and `tf.data` pipelines.

What does not need TensorFlow, such as decoding, is imported without it.
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
    "annotations.forms": ("frame_lines", "offset_lines", "part_lines", "video_lines"),
    "annotations.tables": ("HVU_CATEGORIES", "CsvTable", "TaggedJson", "json_records"),
    "sampling": ("DenseSampleFrames", "SampleFrames", "UntrimmedSampleFrames"),
    "decoding.videos": ("DecodeError", "Video", "open_video"),
    "steps.basic": (
        "Flip",
        "Normalize",
        "RandomRescale",
        "Resize",
        "apply_label_steps",
        "apply_steps",
    ),
    "steps.crops": (
        "CenterCrop",
        "MultiScaleCrop",
        "RandomCrop",
        "RandomResizedCrop",
        "TenCrop",
        "ThreeCrop",
    ),
    "sources.videos": ("Images", "VideoParts", "Videos"),
    "sources.raw_frames": ("FlowFrames", "RawFrames"),
    "pipelines.tfrecords": ("tfrecord_dataset", "write_tfrecords"),
    "pipelines.service": ("serve_dispatcher", "serve_worker", "served_dataset"),
    "rows.sources": ("joint_sources", "row_form", "row_source"),
    "steps.warp": ("Rotate",),
    "steps.color": ("ColorJitter", "PixelDropout"),
    "steps.rand_augment": ("RandAugment",),
    "steps.aug_mix": ("AugMix",),
    "steps.erasing": ("RandomErasing",),
    "steps.image_layers": ("ImageLayer",),
    "pipelines.batch_mixing": ("CutMix", "MixUp", "MixUpOrCutMix", "blended_dataset"),
    "pipelines.masks": ("RunningCellMask", "TubeMask", "masked_dataset"),
    "pipelines.unlabeled": ("unlabeled_records",),
    "pipelines.mixing": (
        "ClassBalanced",
        "MixSource",
        "cross_blended_dataset",
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
    "sound.decoding": ("NoSound", "audio_of_frames", "read_audio"),
    "sound.tracks": ("video_sound",),
    "sound.sources": ("AudioFeatures", "Sounds"),
    "pipelines.audio": ("audio_dataset",),
    "pipelines.audiovisual": ("audiovisual_dataset",),
    "sound.audiovisual": ("AudioVisual",),
    "rows.audio": ("row_audio_source", "row_audio_steps"),
    "rows.datasets": ("protocol_dataset", "row_dataset"),
    "sound.spectrogram": (
        "AddChannel",
        "Amplify",
        "LogMelFeatures",
        "MelSpectrogram",
        "NormalizeLoudness",
        "audio_features",
        "log_mel_features",
        "mel_spectrogram",
    ),
    "embedded.sounding_shapes": ("embedded_sounding_shapes", "make_sounding_shapes"),
    "embedded.moving_shapes": ("MovingShapes", "embedded_dataset", "make_moving_shapes"),
    "pipelines.short_cycle": ("short_cycle_dataset",),
    "spans.reading": ("read_spans",),
    "spans.records": ("Span", "SpanRecord"),
    "spans.writing": ("write_spans",),
    "rows.presets": ("row_blending", "row_sampling", "row_steps"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return list(__all__)
