"""Builds samplers, transforms and batch mixing from zoo rows and model protocols."""

from keras_video.data.pipelines.batch_mixing import CutMix, MixUp, MixUpOrCutMix
from keras_video.data.pipelines.processing import Processing
from keras_video.data.rows.audio import row_audio_transforms
from keras_video.data.sampling import DenseSampleFrames, SampleFrames
from keras_video.data.transforms.aug_mix import AugMix
from keras_video.data.transforms.basic import Flip, Normalize, RandomRescale, Resize
from keras_video.data.transforms.color import ColorJitter, PixelDropout
from keras_video.data.transforms.crops import (
    CenterCrop,
    MultiScaleCrop,
    RandomCrop,
    RandomResizedCrop,
    TenCrop,
    ThreeCrop,
)
from keras_video.data.transforms.erasing import RandomErasing
from keras_video.data.transforms.operations import PYTORCHVIDEO
from keras_video.data.transforms.rand_augment import RandAugment
from keras_video.data.transforms.warp import Rotate


def processing_of(protocol, stored_features=False):
    """The `Processing` that a `keras_video.zoo.Protocol` describes.

    Args:
        protocol: a `keras_video.zoo.Protocol`.
        stored_features: whether audio is read as stored features instead of waveforms.
    """
    transforms = audio_transforms = None
    normalize = normalization_of(protocol.normalize)
    if protocol.spatial is not None:
        transforms = tuple(transforms_of(protocol.spatial, flow=protocol.flow))
        if erasing := erasing_transforms(protocol.spatial):
            # Erasing follows normalization, so examples are normalized individually too.
            transforms, normalize = (*transforms, normalize, *erasing), None
    if protocol.audio is not None:
        audio_transforms = row_audio_transforms(protocol, stored_features)
    return Processing(
        clip_sampler(protocol.sampling),
        transforms,
        normalize,
        audio_transforms,
        # For audio, each clip is a view.
        protocol.view_frames if protocol.audio is None else None,
    )


def row_sampling(row, phase):
    """The frame sampler of a row.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
    """
    return clip_sampler(row.sampling.phase(phase))


def row_transforms(row, phase, size=None):
    """The clip transforms of a row, from decoded frames to normalized clips.

    Args:
        row: a `keras_video.zoo.Row`.
        phase: "train", "val" or "test".
        size: crop size in pixels instead of the row's; resizing is scaled with it.

    Raises:
        ValueError: if no settings are published for this phase.
    """
    spatial = row.spatial.phase(phase)
    spatial = spatial if size is None else spatial.scaled(size)
    return clip_transforms(spatial, row.normalize, flow=row.modality == "Flow")


def row_batch_mixing(row, classes=None):
    """The `MixUp`, `CutMix` or `MixUpOrCutMix` of a row's training, or None.

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
    """The sampler for a `Sampling` of `keras_video.zoo`."""
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


def clip_transforms(spatial, normalize, flow=False):
    """The transforms for a `Spatial` and a `Normalize` of `keras_video.zoo`, in order.

    Args:
        flow: whether the frames are optical flow.
    """
    transforms, normalize = transforms_of(spatial, flow), normalization_of(normalize)
    return [*transforms, normalize, *erasing_transforms(spatial)]


def transforms_of(spatial, flow=False):
    """The transforms before normalization for a `Spatial` of `keras_video.zoo`, in order.

    Args:
        flow: whether the frames are optical flow.
    """
    augment, first = spatial.rand_augment, []
    if augment is not None and augment.before_crop:
        first.append(rand_augment_transform(augment))
    transforms = [*resize_transforms(spatial), *first, *crop_transforms(spatial.crop)]
    if spatial.flip_probability:
        transforms.append(Flip(spatial.flip_probability, flipped_labels(spatial), flow=flow))
    return [*transforms, *color_transforms(spatial)]


def normalization_of(normalize):
    """The transform for a `Normalize` of `keras_video.zoo`; `None` for `None`."""
    return normalize and Normalize(normalize.mean, normalize.std, normalize.to_bgr)


def erasing_transforms(spatial):
    """Random erasing of normalized frames, at most one transform."""
    erasing = spatial.random_erasing
    if erasing is None:
        return []
    ranges = (erasing.area_range, erasing.aspect_ratio_range)
    return [RandomErasing(erasing.probability, erasing.noise, *ranges)]


def resize_transforms(spatial):
    """Resizing before the crop, at most one transform."""
    if spatial.resize is not None:
        return [Resize(within=spatial.resize)]
    if spatial.size is not None:
        return [Resize(size=spatial.size)]
    if spatial.short_side is not None:
        return [Resize(short_side=spatial.short_side)]
    if spatial.short_side_range is not None:
        return [RandomRescale(spatial.short_side_range)]
    return []


def crop_transforms(crop):
    """The crop, at most one transform."""
    if crop is None:
        return []
    size = crop.size
    if crop.kind == "multi_scale":
        gap, positions = crop.max_wh_scale_gap, crop.num_fixed_crops
        return [MultiScaleCrop(size, crop.scales, gap, num_fixed_crops=positions)]
    if crop.kind == "random_resized":
        return [RandomResizedCrop(size, crop.area_range, crop.aspect_ratio_range)]
    plain = {"random": RandomCrop, "center": CenterCrop, "three": ThreeCrop, "ten": TenCrop}
    return [plain[crop.kind](size)]


def color_transforms(spatial):
    """Augmentation of cropped frames besides flipping: rotation, dropout, color, AugMix."""
    transforms = []
    if spatial.rotate is not None:
        transforms.append(Rotate(spatial.rotate))
    if spatial.pixel_dropout is not None:
        transforms.append(PixelDropout(spatial.pixel_dropout))
    if spatial.color_jitter is not None:
        jitter = spatial.color_jitter
        strengths = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
        transforms.append(ColorJitter(*strengths))
    if spatial.rand_augment is not None and not spatial.rand_augment.before_crop:
        transforms.append(rand_augment_transform(spatial.rand_augment))
    if spatial.aug_mix is not None:
        mix = spatial.aug_mix
        _check_origin("aug_mix", mix.origin, ("pytorchvideo",))
        transforms.append(AugMix(width=mix.width, magnitude=mix.magnitude, alpha=mix.alpha))
    return transforms


def rand_augment_transform(settings):
    """RandAugment with the operations of the library that a row specifies."""
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


def flipped_labels(spatial):
    """`{class: class after flipping}` of the pairs that swap when flipped, or `None`."""
    pairs = spatial.flip_labels
    return {**dict(pairs), **{b: a for a, b in pairs}} if pairs else None
