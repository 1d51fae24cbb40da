"""The source and transforms from the audio settings of a zoo row."""

from ..annotations.formats import frame_lines, video_lines
from ..annotations.records import is_json
from ..annotations.tables import json_records
from ..audio.sources import AudioFeatures, Waveforms
from ..audio.spectrogram import (
    AddChannel,
    Amplify,
    LogMelFeatures,
    MelSpectrogram,
    NormalizeLoudness,
)


def row_audio_source(row, features=False, *, decoder="av", silence=False):
    """The audio source of a row.

    Args:
        row: a `keras_video.zoo.Row` or `Protocol` with audio settings.
        features: whether spectrograms are stored as `.npy` files.
        decoder, silence: see `Waveforms`.
    """
    audio = row.audio
    if features:
        return AudioFeatures(audio.length, audio.mels, silence=silence)
    return Waveforms(audio.wave_samples, audio.sample_rate, decoder=decoder, silence=silence)


def row_audio_transforms(row, features=False):
    """The transforms of a row or `Protocol`, from waveforms or stored features to spectrograms.

    For rows published with stored features, the same features are computed from the audio, except
    that loudness is normalized per clip; for the published files, per audio track.
    """
    audio = row.audio
    if features:
        return (AddChannel(),)
    settings = {
        "sample_rate": audio.sample_rate,
        "window_ms": audio.window_ms,
        "step_ms": audio.step_ms,
        "mels": audio.mels,
        "length": audio.length,
    }
    if audio.from_wave:
        return (Amplify(audio.amplify), MelSpectrogram(**settings))
    return (NormalizeLoudness(), LogMelFeatures(**settings))


def names_features(annotation_file):
    """Whether the first path of a list is a file of stored features."""
    annotation_format = json_records if is_json(annotation_file) else video_lines
    first = next(iter(annotation_format(annotation_file)), None)
    return first is not None and first.path.endswith(".npy")


def audio_annotation_format(file, row=None):
    """The annotation format of an audio list; `None` for JSON, which is self-describing.

    Two numbers after a path are the number of video frames and the label, unless the row is
    multi-label.
    """
    if is_json(file):
        return None
    multi_label = row is not None and row.loss is not None and row.loss.kind == "binary"
    first = next(video_lines(file), None)
    has_frames = first is not None and len(first.labels) > 1 and not multi_label
    return frame_lines if has_frames else video_lines
