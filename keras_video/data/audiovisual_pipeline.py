"""Batches of clips and their sound as a `tf.data.Dataset`."""

import dataclasses

import tensorflow as tf

from .annotation_forms import video_lines
from .annotations import read_annotations
from .audio_pipeline import row_audio_source, row_audio_steps, sound_step
from .audio_sources import OpenedSound, Sounds
from .clip_reader import ClipReader
from .pipeline import check_options, dataset_of_reader, label_length, video_step
from .presets import row_sampling, row_steps
from .report import DecodeReport
from .sources import Opened, Videos


@dataclasses.dataclass(frozen=True)
class OpenedAudioVisual:
    """The frames and the sound of one video.

    Attributes:
        video: its frames.
        sound: its sound, cut by the numbers of these frames.
    """

    video: Opened
    sound: OpenedSound

    @property
    def total_frames(self):
        """Number of frames that samplers may choose from."""
        return self.video.total_frames

    def read(self, indices):
        """The same moments of both: `{"video": frames, "audio": waves}`."""
        return {"video": self.video.read(indices), "audio": self.sound.read(indices)}


@dataclasses.dataclass(frozen=True)
class AudioVisual:
    """Video files with their sound tracks, a source of `keras_video.data.sources`.

    Args:
        videos: how frames are read.
        sounds: how sound is read; `Sounds(silence=True)` takes videos without a sound track.
    """

    videos: Videos = Videos()
    sounds: Sounds = Sounds()

    form = staticmethod(video_lines)

    @property
    def dtype(self):
        """NumPy's names for the types of what is read."""
        return {"video": self.videos.dtype, "audio": self.sounds.dtype}

    def open(self, record, rng=None):
        video = self.videos.open(record, rng)
        wave = self.sounds.decode(record.path)
        return OpenedAudioVisual(video, OpenedSound(wave, video.total_frames, self.sounds.length))

    def shape(self, clips, clip_len):
        return {
            "video": self.videos.shape(clips, clip_len),
            "audio": self.sounds.shape(clips, clip_len),
        }

    def find(self, folder):
        return self.videos.find(folder)


def audiovisual_dataset(
    annotation_file,
    root=None,
    *,
    sampling,
    video_steps,
    audio_steps,
    source=None,
    classes=None,
    form=None,
    training=False,
    seed=0,
    multi_label=None,
    shuffle=None,
    on_error="raise",
    report=None,
    **options,
):
    """Clips and spectrograms of the same moments of the videos that a list names.

    Every random draw comes from `(seed, epoch, index of the video)`, as in `video_dataset`: with
    the same sampling and steps the clips are those of `video_dataset`.

    Args:
        annotation_file, root, classes, form: see `video_dataset`.
        sampling: which frames are read, a sampler of `keras_video.data`. Each of its clips is a
            view, and its sound is that from its first to its last frame.
        video_steps: what happens to the frames, clip steps of `keras_video.data`.
        audio_steps: from waves `(clips, samples)` to spectrograms `(clips, time, mels, 1)`, see
            `audio_dataset`.
        source: an `AudioVisual`; None means `AudioVisual()`.
        training: whether clips are drawn at random, anew in every epoch.
        seed, multi_label, shuffle, on_error, report, **options: see `dataset_from_records`, which
            says what further options there are.

    Returns:
        A `tf.data.Dataset` of `({"video": clips, "audio": spectrograms}, labels)`: clips float32
        `(batch, frames, height, width, channels)` and spectrograms `(batch, time, mels, 1)` in
        training; otherwise `(batch, views, ...)` of both. Crops of a clip have the same sound.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other; several clips in training.
    """
    check_options(on_error, seed)
    source = AudioVisual() if source is None else source
    if form is None and not str(annotation_file).endswith(".json"):
        form = source.form
    records = read_annotations(annotation_file, root, classes, form=form)
    reader = ClipReader(
        tuple(records),
        sampling,
        training,
        int(seed),
        label_length(records, classes, multi_label),
        on_error,
        DecodeReport() if report is None else report,
        source,
    )
    specs = {key: tf.TensorSpec(shape, source.dtype[key]) for key, shape in reader.shape.items()}
    _, view_frames = reader.clips
    return dataset_of_reader(
        reader,
        specs,
        both_steps(
            video_step(tuple(video_steps), view_frames, training),
            sound_step(tuple(audio_steps), training),
            training,
        ),
        shuffle=training if shuffle is None else shuffle,
        **options,
    )


def both_steps(see, hear, training):
    """The function from what was read to ({"video": clip, "audio": spectrogram}, label)."""

    def step(read, label, seed):
        spectrogram, _ = hear(read["audio"], label, seed)
        clip, label = see(read["video"], label, seed)
        if not training:
            spectrogram = _per_crop(spectrogram, clip)
        return {"video": clip, "audio": spectrogram}, label

    return step


def _per_crop(spectrograms, views):
    """Spectrograms `(clips, ...)` for views `(clips * crops, ...)`, which stand clip by clip."""
    crops = tf.shape(views)[0] // tf.shape(spectrograms)[0]
    repeated = tf.repeat(spectrograms, crops, axis=0)
    return tf.ensure_shape(repeated, [views.shape[0], *spectrograms.shape[1:]])


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
