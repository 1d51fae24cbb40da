"""Synchronized frames and audio of a video, as a source."""

import dataclasses

from ..annotations.formats import video_lines
from ..sources.videos import Opened, Videos
from .sources import OpenedTrack, Waveforms


@dataclasses.dataclass(frozen=True)
class OpenedAudioVisual:
    """The frames and the audio of one video.

    Attributes:
        video: its frames.
        audio: its audio for the duration of these frames.
    """

    video: Opened
    audio: OpenedTrack

    @property
    def total_frames(self):
        """Number of frames that samplers may choose from."""
        return self.video.total_frames

    def read(self, indices):
        """Synchronized frames and audio: `{"video": frames, "audio": waves}`."""
        return {"video": self.video.read(indices), "audio": self.audio.read(indices)}


@dataclasses.dataclass(frozen=True)
class AudioVisual:
    """Video files with their audio tracks, a source as in `keras_video.data.sources.videos`.

    Args:
        videos: how frames are read.
        waveforms: how audio is read; `Waveforms(silence=True)` accepts videos without audio tracks.

    Raises:
        ValueError: for waveforms of another decoder than "av".
    """

    videos: Videos = Videos()
    waveforms: Waveforms = Waveforms()

    def __post_init__(self):
        if self.waveforms.decoder != "av":
            raise ValueError(
                f"received Waveforms(decoder={self.waveforms.decoder!r}), expected 'av', which "
                "reads the audio tracks of videos"
            )

    annotation_format = staticmethod(video_lines)

    @property
    def dtype(self):
        """NumPy dtype names of the frames and the audio."""
        return {"video": self.videos.dtype, "audio": self.waveforms.dtype}

    def open(self, record, rng=None):
        video = self.videos.open(record, rng)
        return OpenedAudioVisual(video, self.waveforms.open_video(record.path, video.total_frames))

    def shape(self, clips, clip_len):
        return {
            "video": self.videos.shape(clips, clip_len),
            "audio": self.waveforms.shape(clips, clip_len),
        }

    def find(self, folder, follow_links=True):
        return self.videos.find(folder, follow_links)
