"""What a zoo row says of sound, as a source and transforms."""

from ..annotations.formats import frame_lines, video_lines
from ..annotations.records import is_json
from ..annotations.tables import json_records
from ..audio.sources import AudioFeatures, Sounds
from ..audio.spectrogram import (
    AddChannel,
    Amplify,
    LogMelFeatures,
    MelSpectrogram,
    NormalizeLoudness,
)


def row_audio_source(row, features=False, *, decoder="av", silence=False):
    """Where the sound of a row comes from.

    Args:
        row: a `keras_video.zoo.Row`, or a `Protocol`, with settings of sound.
        features: whether spectrograms are stored as `.npy` files.
        decoder, silence: see `Sounds`.
    """
    audio = row.audio
    if features:
        return AudioFeatures(audio.length, audio.mels, silence=silence)
    return Sounds(audio.wave_samples, audio.sample_rate, decoder=decoder, silence=silence)


def row_audio_transforms(row, features=False):
    """The transforms of a row or a `Protocol`, from waves or stored features to its spectrograms.

    Rows that were published for stored features are given the same features of sounds; but the
    loudness is normalized per clip, where the published files were made from whole sounds.
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
    """Whether the first path of a list is that of stored features."""
    annotation_format = json_records if is_json(annotation_file) else video_lines
    first = next(iter(annotation_format(annotation_file)), None)
    return first is not None and first.path.endswith(".npy")


def audio_annotation_format(file, row=None):
    """How a list of sounds is written; `None` for JSON, which says so itself.

    Two numbers behind a path are the frames of the video and the label, unless the row has
    several labels.
    """
    if is_json(file):
        return None
    several = row is not None and row.loss is not None and row.loss.kind == "binary"
    first = next(video_lines(file), None)
    stated = first is not None and len(first.labels) > 1
    return frame_lines if stated and not several else video_lines
