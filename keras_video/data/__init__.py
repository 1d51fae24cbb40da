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
    "epoch": ("Epoch",),
    "report": ("DecodeReport",),
    "pipeline": ("dataset_from_records", "video_dataset"),
    "directory": ("video_dataset_from_directory", "video_files"),
    "sequential": ("frame_rate", "frames_in_order"),
    "video_writer": ("VideoWriter",),
    "audio": ("audio_of_frames", "read_audio"),
    "spectrogram": ("Amplify", "MelSpectrogram", "mel_spectrogram"),
    "moving_shapes": ("MovingShapes", "embedded_dataset", "make_moving_shapes"),
    "short_cycle": ("short_cycle_dataset",),
    "presets": ("row_sampling", "row_steps"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
