"""From the settings of a zoo row, or the protocol of a model, to what the pipeline needs."""

from keras_video.data.pipelines.batch_mixing import CutMix, MixUp, MixUpOrCutMix
from keras_video.data.pipelines.processing import Processing
from keras_video.data.rows.audio import row_audio_steps
from keras_video.data.sampling import DenseSampleFrames, SampleFrames
from keras_video.data.steps.aug_mix import AugMix
from keras_video.data.steps.basic import Flip, Normalize, RandomRescale, Resize
from keras_video.data.steps.color import ColorJitter, PixelDropout
from keras_video.data.steps.crops import (
    CenterCrop,
    MultiScaleCrop,
    RandomCrop,
    RandomResizedCrop,
    TenCrop,
    ThreeCrop,
)
from keras_video.data.steps.erasing import RandomErasing
from keras_video.data.steps.operations import PYTORCHVIDEO
from keras_video.data.steps.rand_augment import RandAugment
from keras_video.data.steps.warp import Rotate


def processing_of(protocol, stored_features=False):
    """The `Processing` that a `keras_video.zoo.Protocol` describes.

    Args:
        protocol: a `keras_video.zoo.Protocol`.
        stored_features: whether sound comes as stored features instead of waves.
    """
    steps = audio_steps = None
    normalize = normalization_of(protocol.normalize)
    if protocol.spatial is not None:
        steps = tuple(transforms_of(protocol.spatial, flow=protocol.flow))
        if erasing := erasing_steps(protocol.spatial):
            # Frames are erased after they are normalized, so one by one as well.
            steps, normalize = (*steps, normalize, *erasing), None
    if protocol.audio is not None:
        audio_steps = row_audio_steps(protocol, stored_features)
    return Processing(
        clip_sampler(protocol.sampling),
        steps,
        normalize,
        audio_steps,
        # A view of sound is a clip.
        protocol.view_frames if protocol.audio is None else None,
    )


def row_sampling(row, phase):
    """The frame sampler of a row.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
    """
    return clip_sampler(row.sampling.phase(phase))


def row_steps(row, phase, size=None):
    """The clip steps of a row, from decoded frames to normalised clips.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
        size: crop size in pixels instead of the row's; resizing is scaled with it.

    Raises:
        ValueError: no settings are published for this phase.
    """
    spatial = row.spatial.phase(phase)
    spatial = spatial if size is None else spatial.scaled(size)
    return clip_steps(spatial, row.normalize, flow=row.modality == "Flow")


def row_blending(row, classes=None):
    """The `MixUp` or `CutMix` of a row's training, the choice between both, or None.

    Args:
        row: a `keras_video.zoo.Row`.
        classes: number of classes instead of the row's.
    """
    if row.mixup_alpha is not None and row.cutmix_alpha is not None:
        alphas = (row.mixup_alpha, row.cutmix_alpha)
        return MixUpOrCutMix(classes or row.classes, *alphas, row.cutmix_share)
    for kind, alpha in ((MixUp, row.mixup_alpha), (CutMix, row.cutmix_alpha)):
        if alpha is not None:
            return kind(classes or row.classes, alpha)
    return None


def clip_sampler(sampling):
    """The sampler that a `keras_video.zoo` `Sampling` describes."""
    common = {
        "clip_len": sampling.clip_len,
        "frame_interval": sampling.frame_interval,
        "num_clips": sampling.num_clips,
        "temporal_jitter": sampling.temporal_jitter,
        "out_of_bound": sampling.out_of_bound,
    }
    if sampling.sampler == "DenseSampleFrames":
        return DenseSampleFrames(
            sample_range=sampling.sample_range,
            num_sample_positions=sampling.num_sample_positions,
            **common,
        )
    return SampleFrames(twice_sample=sampling.twice_sample, **common)


def clip_steps(spatial, normalize, flow=False):
    """The steps that a `Spatial` and a `Normalize` of `keras_video.zoo` describe, in order.

    Args:
        flow: whether the frames are optical flow.
    """
    steps, normalize = transforms_of(spatial, flow), normalization_of(normalize)
    return [*steps, normalize, *erasing_steps(spatial)]


def transforms_of(spatial, flow=False):
    """The steps before normalization that a `Spatial` of `keras_video.zoo` describes, in order.

    Args:
        flow: whether the frames are optical flow.
    """
    augment, first = spatial.rand_augment, []
    if augment is not None and augment.before_crop:
        first.append(rand_augment_step(augment))
    steps = [*resize_steps(spatial), *first, *crop_steps(spatial.crop)]
    if spatial.flip_probability:
        steps.append(Flip(spatial.flip_probability, mirrored_labels(spatial), flow=flow))
    return [*steps, *color_steps(spatial)]


def normalization_of(normalize):
    """The step that a `Normalize` of `keras_video.zoo` describes; `None` for none."""
    return normalize and Normalize(normalize.mean, normalize.std, normalize.to_bgr)


def erasing_steps(spatial):
    """What is erased of normalized frames, at most one step."""
    erasing = spatial.random_erasing
    if erasing is None:
        return []
    ranges = (erasing.area_range, erasing.aspect_ratio_range)
    return [RandomErasing(erasing.probability, erasing.noise, *ranges)]


def resize_steps(spatial):
    """Resizing before the crop, at most one step."""
    if spatial.resize is not None:
        return [Resize(within=spatial.resize)]
    if spatial.size is not None:
        return [Resize(size=spatial.size)]
    if spatial.short_side is not None:
        return [Resize(short_side=spatial.short_side)]
    if spatial.short_side_range is not None:
        return [RandomRescale(spatial.short_side_range)]
    return []


def crop_steps(crop):
    """The crop, at most one step."""
    if crop is None:
        return []
    size = crop.size
    if crop.kind == "multi_scale":
        gap, places = crop.max_wh_scale_gap, crop.num_fixed_crops
        return [MultiScaleCrop(size, crop.scales, gap, num_fixed_crops=places)]
    if crop.kind == "random_resized":
        return [RandomResizedCrop(size, crop.area_range, crop.aspect_ratio_range)]
    plain = {"random": RandomCrop, "center": CenterCrop, "three": ThreeCrop, "ten": TenCrop}
    return [plain[crop.kind](size)]


def color_steps(spatial):
    """What is done to the cropped frames besides mirroring: rotation, dropout, colours, mixing."""
    steps = []
    if spatial.rotate is not None:
        steps.append(Rotate(spatial.rotate))
    if spatial.pixel_dropout is not None:
        steps.append(PixelDropout(spatial.pixel_dropout))
    if spatial.color_jitter is not None:
        jitter = spatial.color_jitter
        strengths = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
        steps.append(ColorJitter(*strengths))
    if spatial.rand_augment is not None and not spatial.rand_augment.before_crop:
        steps.append(rand_augment_step(spatial.rand_augment))
    if spatial.aug_mix is not None:
        mix = spatial.aug_mix
        _check_origin("aug_mix", mix.origin, ("pytorchvideo",))
        steps.append(AugMix(width=mix.width, magnitude=mix.magnitude, alpha=mix.alpha))
    return steps


def rand_augment_step(settings):
    """RandAugment with the operations of the library that a row names."""
    _check_origin("rand_augment", settings.origin, ("imgaug", "pytorchvideo", "timm"))
    strengths = (settings.layers, settings.magnitude, settings.max_magnitude)
    if settings.origin == "imgaug":
        return RandAugment.imgaug(*strengths)
    if settings.origin == "timm":
        return RandAugment.timm(*strengths)
    return RandAugment(PYTORCHVIDEO, *strengths)


def _check_origin(name, origin, known):
    if origin not in known:
        raise ValueError(f"{name}: received origin={origin!r}, expected one of {', '.join(known)}")


def mirrored_labels(spatial):
    """`{class: class in the mirror}` of the pairs that change places, or `None`."""
    pairs = spatial.flip_labels
    return {**dict(pairs), **{b: a for a, b in pairs}} if pairs else None
