"""How clips are sampled from a video and their pixels transformed, as stated by a row."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Setting = TypeVar("Setting")

PHASES = ("train", "val", "test")


@dataclass(frozen=True)
class Phases(Generic[Setting]):
    """One setting for each of the three phases of a training.

    Attributes:
        train: used by `fit`; `None` where no training settings are published.
        val: used at the end of an epoch (one view per video); `None` likewise.
        test: used for the published accuracy (several views per video).
    """

    train: Setting | None = None
    val: Setting | None = None
    test: Setting | None = None

    def phase(self, name: str) -> Setting:
        """The setting of phase "train", "val" or "test".

        Raises:
            ValueError: for another name, or a phase without published settings.
        """
        if name not in PHASES:
            raise ValueError(f"phase={name!r}: expected one of {', '.join(PHASES)}.")
        setting = getattr(self, name)
        if setting is None:
            raise ValueError(f"phase={name!r}: no settings are published for this phase.")
        return setting


@dataclass(frozen=True)
class Sampling:
    """Which frames are taken.

    Attributes:
        sampler: class of `keras_video.data.sampling`: "SampleFrames" or "DenseSampleFrames".
        clip_len: consecutive frames of a clip; 1 for the segment families, 5 for optical flow.
        frame_interval: distance in frames between two frames of a clip.
        num_clips: clips (segments) of a video.
        twice_sample: in testing, every clip is sampled at two offsets.
        temporal_jitter: every frame is moved by up to `frame_interval` frames at random.
        out_of_bound: "loop" starts again at the first frame, "repeat_last" repeats the last.
        sample_range: frames over which `DenseSampleFrames` spreads its clips.
        num_sample_positions: starts of `DenseSampleFrames` in testing.
    """

    sampler: str = "SampleFrames"
    clip_len: int = 1
    frame_interval: int = 1
    num_clips: int = 1
    twice_sample: bool = False
    temporal_jitter: bool = False
    out_of_bound: str = "loop"
    sample_range: int = 64
    num_sample_positions: int = 10

    def total_clips(self, training: bool) -> int:
        """Clips drawn from one video."""
        if training:
            return self.num_clips
        if self.sampler == "DenseSampleFrames":
            return self.num_clips * self.num_sample_positions
        return self.num_clips * (2 if self.twice_sample else 1)

    def total_frames(self, training: bool) -> int:
        """Frames drawn from one video, before crops."""
        return self.total_clips(training) * self.clip_len


@dataclass(frozen=True)
class Crop:
    """The window that is cut out; it always comes out as `size` x `size` pixels.

    Attributes:
        kind: "multi_scale" (sides from `scales`, then resized), "random_resized" (area and
            aspect ratio drawn, then resized), "random", "center", "three" (left, middle, right
            or top, middle, bottom: 3 views) or "ten" (corners, center, and their mirror images:
            10 views).
        size: side in pixels.
        scales: "multi_scale": sides as fractions of the short side.
        max_wh_scale_gap: "multi_scale": greatest difference of the `scales` indices of the sides.
        num_fixed_crops: "multi_scale": 5 or 13 fixed positions of the window.
        area_range: "random_resized": least and greatest fraction of the area.
        aspect_ratio_range: "random_resized": least and greatest width / height.
    """

    kind: str
    size: int
    scales: tuple[float, ...] = ()
    max_wh_scale_gap: int = 1
    num_fixed_crops: int = 5
    area_range: tuple[float, float] = (0.08, 1.0)
    aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3)

    @property
    def views(self) -> int:
        """Windows per clip."""
        return {"three": 3, "ten": 10}.get(self.kind, 1)


@dataclass(frozen=True)
class ColorJitter:
    """Greatest relative change of brightness, contrast, saturation, and of hue (in turns)."""

    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.1


@dataclass(frozen=True)
class RandAugment:
    """RandAugment (arXiv:1909.13719), one draw for the whole clip.

    Attributes:
        origin: library whose list of operations was used: "imgaug", "pytorchvideo", or "timm"
            (those that get stronger with the magnitude; an operation may be drawn twice).
        layers: operations applied one after the other.
        magnitude: strength, from 0 to `max_magnitude`.
        before_crop: whole frames are augmented, then cropped.
    """

    origin: str
    layers: int = 2
    magnitude: int = 9
    max_magnitude: int = 10
    before_crop: bool = False


@dataclass(frozen=True)
class RandomErasing:
    """A box of a clip replaced by noise (arXiv:1708.04896), the same box in all frames.

    Attributes:
        probability: of erasing a box.
        noise: "pixel" (normal noise in every pixel) or "color" (one normal color in every frame).
        area_range: least and greatest fraction of the frame.
        aspect_ratio_range: least and greatest height / width.
    """

    probability: float = 0.25
    noise: str = "pixel"
    area_range: tuple[float, float] = (0.02, 1 / 3)
    aspect_ratio_range: tuple[float, float] = (0.3, 1 / 0.3)


@dataclass(frozen=True)
class AugMix:
    """AugMix (arXiv:1912.02781): mixes several chains of operations.

    Attributes:
        origin: library whose list of operations was used, "pytorchvideo".
        width: chains that are mixed.
        magnitude: strength, from 0 to 10.
        alpha: parameter of the Dirichlet and beta distributions of the mixing weights.
    """

    origin: str
    width: int = 3
    magnitude: int = 3
    alpha: float = 1.0


@dataclass(frozen=True)
class Spatial:
    """Spatial transforms of a clip, applied in the order of the attributes.

    Every row follows this order, so it need not be stated, except for RandAugment, whose
    `before_crop` says whether it precedes the crop. Random values are drawn once per clip.

    Attributes:
        resize: `(short, long)` in pixels: resize to the greatest size of the same aspect ratio
            whose short and long side are at most these, or `None`.
        size: resize to this height and width in pixels, ignoring the aspect ratio, or `None`.
        short_side: resize to this short side in pixels, or `None`.
        short_side_range: resize to a short side drawn from this closed range, or `None`.
        crop: the window, or `None` (audio).
        fused_resize: the published pipeline crops the source frame and resizes once, instead of
            resizing twice; results differ by rounding only.
        flip_probability: of a horizontal flip.
        flip_labels: pairs of classes that are swapped when a clip is flipped.
        rotate: least and greatest angle in degrees, or `None`.
        pixel_dropout: least and greatest fraction of pixels set to 0, or `None`.
        color_jitter, rand_augment, aug_mix: or `None`.
        random_erasing: of the normalized clip, or `None`.
    """

    resize: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    short_side: int | None = None
    short_side_range: tuple[int, int] | None = None
    crop: Crop | None = None
    fused_resize: bool = False
    flip_probability: float = 0.0
    flip_labels: tuple[tuple[int, int], ...] = ()
    rotate: tuple[float, float] | None = None
    pixel_dropout: tuple[float, float] | None = None
    color_jitter: ColorJitter | None = None
    rand_augment: RandAugment | None = None
    aug_mix: AugMix | None = None
    random_erasing: RandomErasing | None = None

    def scaled(self, size: int):
        """These settings for crops of `size` pixels, with resizing in the same proportion."""
        factor = size / self.crop.size

        def sides(pair):
            return pair and tuple(round(side * factor) for side in pair)

        return replace(
            self,
            resize=sides(self.resize),
            size=sides(self.size),
            short_side=self.short_side and round(self.short_side * factor),
            short_side_range=sides(self.short_side_range),
            crop=replace(self.crop, size=size),
        )


@dataclass(frozen=True)
class Normalize:
    """`(pixel - mean) / std` for pixels from 0 to 255, channels in RGB order.

    Attributes:
        mean, std: one number per channel; for optical flow of x and y, repeated over the pairs.
        to_bgr: the channels are reversed first; no published row does.
        where: "pipeline", or "device" where the published training normalized on the GPU.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    to_bgr: bool = False
    where: str = "pipeline"


@dataclass(frozen=True)
class Audio:
    """Log-mel input of the audio rows.

    Attributes:
        length: rows (time steps) of the input.
        mels: mel bands.
        sample_rate: samples per second of the waveform.
        window_ms, step_ms: window length and hop in milliseconds.
        from_wave: the pipeline starts from the waveform, not from stored features.
        wave_samples: samples of a clip when it starts from the waveform.
        amplify: factor applied to the waveform.
    """

    length: int = 128
    mels: int = 80
    sample_rate: int = 16000
    window_ms: int = 32
    step_ms: int = 16
    from_wave: bool = False
    wave_samples: int = 32000
    amplify: float = 1.0


@dataclass(frozen=True)
class Views:
    """The views of a video in testing.

    Attributes:
        clips: views along time.
        crops: views per clip, in space.
        frames: frames of one view.
    """

    clips: int
    crops: int
    frames: int

    def __str__(self):
        if self.clips == 1:
            return f"{self.frames} frames x {self.crops} crops"
        return f"{self.clips} clips x {self.crops} crops"
