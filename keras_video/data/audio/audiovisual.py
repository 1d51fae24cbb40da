"""Frames and sound of the same moments of a video, as a source."""

import dataclasses

from ..annotations.formats import video_lines
from ..sources.videos import Opened, Videos
from .sources import OpenedTrack, Sounds


@dataclasses.dataclass(frozen=True)
class OpenedAudioVisual:
    """The frames and the sound of one video.

    Attributes:
        video: its frames.
        sound: its sound while these frames are shown.
    """

    video: Opened
    sound: OpenedTrack

    @property
    def total_frames(self):
        """Number of frames that samplers may choose from."""
        return self.video.total_frames

    def read(self, indices):
        """The same moments of both: `{"video": frames, "audio": waves}`."""
        return {"video": self.video.read(indices), "audio": self.sound.read(indices)}


@dataclasses.dataclass(frozen=True)
class AudioVisual:
    """Video files with their sound tracks, a source of `keras_video.data.sources.videos`.

    Args:
        videos: how frames are read.
        sounds: how sound is read; `Sounds(silence=True)` takes videos without a sound track.

    Raises:
        ValueError: for sounds of another decoder than "av".
    """

    videos: Videos = Videos()
    sounds: Sounds = Sounds()

    def __post_init__(self):
        if self.sounds.decoder != "av":
            raise ValueError(
                f"received Sounds(decoder={self.sounds.decoder!r}), expected 'av', which reads the "
                "sound tracks of videos"
            )

    annotation_format = staticmethod(video_lines)

    @property
    def dtype(self):
        """NumPy's names for the types of what is read."""
        return {"video": self.videos.dtype, "audio": self.sounds.dtype}

    def open(self, record, rng=None):
        video = self.videos.open(record, rng)
        return OpenedAudioVisual(video, self.sounds.open_video(record.path, video.total_frames))

    def shape(self, clips, clip_len):
        return {
            "video": self.videos.shape(clips, clip_len),
            "audio": self.sounds.shape(clips, clip_len),
        }

    def find(self, folder, follow_links=True):
        return self.videos.find(folder, follow_links)
