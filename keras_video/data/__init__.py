"""Annotations, frame samplers, video decoding, clip steps and `tf.data` pipelines.

What does not need TensorFlow, such as decoding, is imported without it.
"""

import importlib

_MODULES = {
    "annotations": (
        "AnnotationError",
        "Record",
        "check_files",
        "read_annotations",
        "read_class_names",
    ),
    "annotation_forms": ("frame_lines", "offset_lines", "part_lines", "video_lines"),
    "annotation_tables": ("HVU_CATEGORIES", "CsvTable", "TaggedJson", "json_records"),
    "sampling": ("DenseSampleFrames", "SampleFrames", "UntrimmedSampleFrames"),
    "decoding": ("DecodeError", "Video", "open_video"),
    "steps": ("Flip", "Normalize", "RandomRescale", "Resize", "apply_label_steps", "apply_steps"),
    "crops": (
        "CenterCrop",
        "MultiScaleCrop",
        "RandomCrop",
        "RandomResizedCrop",
        "TenCrop",
        "ThreeCrop",
    ),
    "sources": ("Images", "VideoParts", "Videos"),
    "raw_frames": ("FlowFrames", "RawFrames"),
    "tfrecords": ("tfrecord_dataset", "write_tfrecords"),
    "service": ("serve_dispatcher", "serve_worker", "served_dataset"),
    "row_sources": ("joint_sources", "row_form", "row_source"),
    "warp": ("Rotate",),
    "color": ("ColorJitter", "PixelDropout"),
    "rand_augment": ("RandAugment",),
    "aug_mix": ("AugMix",),
    "image_layers": ("ImageLayer",),
    "blending": ("CutMix", "MixUp", "blended_dataset"),
    "mixing": ("ClassBalanced", "Part", "cross_blended_dataset", "joint_dataset", "repeated"),
    "epoch": ("Epoch",),
    "report": ("DecodeReport",),
    "pipeline": ("dataset_from_records", "video_dataset"),
    "directory": ("video_dataset_from_directory", "video_files"),
    "camera": ("LatestFrames", "LiveFrame", "live_frames"),
    "sequential": ("frame_rate", "frames_in_order"),
    "video_writer": ("VideoWriter",),
    "audio": ("NoSound", "audio_of_frames", "read_audio"),
    "audio_sources": ("AudioFeatures", "Sounds"),
    "audio_pipeline": (
        "audio_dataset",
        "row_audio_dataset",
        "row_audio_source",
        "row_audio_steps",
    ),
    "audiovisual_pipeline": ("AudioVisual", "audiovisual_dataset", "row_audiovisual_dataset"),
    "spectrogram": (
        "AddChannel",
        "Amplify",
        "LogMelFeatures",
        "MelSpectrogram",
        "NormalizeLoudness",
        "audio_features",
        "log_mel_features",
        "mel_spectrogram",
    ),
    "sounding_shapes": ("embedded_sounding_shapes", "make_sounding_shapes"),
    "moving_shapes": ("MovingShapes", "embedded_dataset", "make_moving_shapes"),
    "short_cycle": ("short_cycle_dataset",),
    "presets": ("row_blending", "row_sampling", "row_steps"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
