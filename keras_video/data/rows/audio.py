"""Pipelines of sound, and of frames and sound, with the settings of a zoo row."""

from ..annotations.forms import video_lines
from ..annotations.records import is_json
from ..annotations.tables import json_records
from ..pipelines.audio import audio_dataset
from ..pipelines.audiovisual import audiovisual_dataset
from ..sound.audiovisual import AudioVisual
from ..sound.sources import AudioFeatures, Sounds
from ..sound.spectrogram import (
    AddChannel,
    Amplify,
    LogMelFeatures,
    MelSpectrogram,
    NormalizeLoudness,
)
from .presets import row_sampling, row_steps


def row_audio_dataset(row, phase, annotation_file, root=None, *, features=None, **options):
    """`audio_dataset` with the settings of a zoo row.

    Args:
        row: a `keras_video.zoo.Row` of the family "audio".
        phase: "train", "val" or "test"; "train" draws clips at random.
        annotation_file, root: see `audio_dataset`.
        features: whether the list names stored features instead of sounds; None finds out by the
            ending `.npy`.
        **options: of `row_audio_source` and `audio_dataset`.
    """
    if features is None:
        features = names_features(annotation_file)
    chosen = {name: options.pop(name) for name in ("decoder", "silence") if name in options}
    return audio_dataset(
        annotation_file,
        root,
        sampling=row_sampling(row, phase),
        source=row_audio_source(row, features, **chosen),
        steps=row_audio_steps(row, features),
        training=phase == "train",
        **options,
    )


def row_audiovisual_dataset(row, phase, annotation_file, root=None, *, silence=False, **options):
    """`audiovisual_dataset` with the settings of a zoo row.

    Args:
        row: a `keras_video.zoo.Row` with settings of both, `spatial` and `audio`.
        phase: "train", "val" or "test"; "train" draws clips at random.
        annotation_file, root: see `audiovisual_dataset`.
        silence: whether videos without a sound track are silent instead of an error.
        **options: of `audiovisual_dataset`.
    """
    return audiovisual_dataset(
        annotation_file,
        root,
        sampling=row_sampling(row, phase),
        video_steps=row_steps(row, phase),
        audio_steps=row_audio_steps(row),
        source=AudioVisual(sounds=row_audio_source(row, silence=silence)),
        training=phase == "train",
        **options,
    )


def row_audio_source(row, features=False, *, decoder="av", silence=False):
    """Where the sound of a row comes from.

    Args:
        row: a `keras_video.zoo.Row`, or a `Preprocessing`, with settings of sound.
        features: whether spectrograms are stored as `.npy` files.
        decoder, silence: see `Sounds`.
    """
    audio = row.audio
    if features:
        return AudioFeatures(audio.length, audio.mels, silence=silence)
    return Sounds(audio.wave_samples, audio.sample_rate, decoder=decoder, silence=silence)


def row_audio_steps(row, features=False):
    """The steps of a row, from waves or stored features to its spectrograms.

    Rows that were published for stored features are given the same features of sounds; but the
    loudness is normalised per clip, where the published files were made from whole sounds.
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
    form = json_records if is_json(annotation_file) else video_lines
    first = next(iter(form(annotation_file)), None)
    return first is not None and first.path.endswith(".npy")
