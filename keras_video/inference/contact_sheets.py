"""Visualization of clips as a network receives them. Needs Pillow, imported when drawing."""

import base64
import html
import io

import numpy as np

from keras_video import atomic
from keras_video.data.annotations.records import printable
from keras_video.inference.drawing import pillow

_PAPER, _INK = (250, 250, 250), (40, 40, 40)
_CAPTION = 18
_FRAME_MILLISECONDS = 120
_PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px sans-serif;margin:1em}}figure{{display:inline-block;margin:.5em}}
img{{display:block;image-rendering:auto}}figcaption{{max-width:{width}px}}</style>
<h1>{title}</h1>
{figures}
"""


def shown_frames(clip, normalize=None):
    """The frames of a clip of any modality as images.

    Args:
        clip: `(frames, height, width, channels)` of RGB frames or optical flow, or a spectrogram
            `(time, mels, 1)`, as a loader yields them.
        normalize: the `keras_video.zoo.Normalize` that was applied; `None` for pixels.

    Returns:
        uint8 `(frames, height, width, 3)`: flow as gray images, one per channel in turn; a
        spectrogram as one image, low frequencies at the bottom.

    Raises:
        ValueError: for another shape.
    """
    clip = np.asarray(clip, np.float32)
    if clip.ndim == 3 and clip.shape[-1] == 1:
        return _gray(_stretched(clip[None, :, :, 0].transpose(0, 2, 1)[:, ::-1]))
    if clip.ndim != 4 or (clip.shape[-1] != 3 and clip.shape[-1] % 2):
        raise ValueError(
            f"received a clip of shape {clip.shape}, expected (frames, height, width, channels) "
            "or (time, mels, 1)"
        )
    if normalize is not None:
        repeats = clip.shape[-1] // len(normalize.mean)
        clip = clip * np.tile(normalize.std, repeats) + np.tile(normalize.mean, repeats)
        clip = clip[..., ::-1] if normalize.to_bgr else clip
    if clip.shape[-1] == 3:
        return np.clip(np.rint(clip), 0, 255).astype(np.uint8)
    # (frames, height, width, 2 * pairs) -> (frames * 2 * pairs, height, width)
    return _gray(np.moveaxis(clip, -1, 1).reshape(-1, *clip.shape[1:3]))


def contact_sheet(clips, captions, frames=8):
    """One image of several clips: a row of frames for each, under its caption.

    Args:
        clips: sequence of uint8 `(frames, height, width, 3)`, as returned by `shown_frames`.
        captions: one per clip.
        frames: maximum number of frames per clip, evenly spaced.

    Returns:
        uint8 `(height, width, 3)`.
    """
    rows = [
        _row(np.asarray(clip), printable(caption), frames)
        for clip, caption in zip(clips, captions, strict=True)
    ]
    width = max(row.shape[1] for row in rows)
    return np.concatenate([_padded(row, width) for row in rows])


def write_page(path, title, clips, captions):
    """Writes a self-contained page on which the clips play, each above its caption.

    Args:
        path: the HTML file.
        title: of the page.
        clips, captions: see `contact_sheet`.
    """
    figures = "\n".join(
        f'<figure><img src="data:image/gif;base64,{_animation(np.asarray(clip))}">'
        f"<figcaption>{html.escape(printable(caption))}</figcaption></figure>"
        for clip, caption in zip(clips, captions, strict=True)
    )
    width = max(np.shape(clip)[2] for clip in clips)
    text = _PAGE.format(title=html.escape(printable(title)), figures=figures, width=width)
    atomic.write_text(path, text)


def label_caption(label, class_names, least=0.005):
    """The class names of a label, with their weights if several clips were mixed.

    Args:
        label: class index, or one number per class: weights, or 1 for every class that applies.
        class_names: a name per class.
        least: smaller weights are left out.
    """
    label = np.asarray(label)
    if label.ndim == 0:
        return class_names[int(label)]
    order = [index for index in np.argsort(-label, kind="stable") if label[index] > least]
    if all(label[index] == 1 for index in order):
        return ", ".join(class_names[index] for index in order) or "no class"
    return ", ".join(f"{class_names[index]} {label[index]:.2f}" for index in order)


def _gray(images):
    images = np.clip(np.rint(images), 0, 255).astype(np.uint8)
    return np.repeat(images[..., None], 3, axis=-1)


def _stretched(images):
    least, most = images.min(), images.max()
    return (images - least) * (255 / max(most - least, 1e-12))


def _row(clip, caption, frames):
    """A row of frames under its caption: uint8 `(height, width, 3)`."""
    indices = np.unique(np.linspace(0, len(clip) - 1, min(frames, len(clip))).round().astype(int))
    strip = np.concatenate(list(clip[indices]), axis=1)
    image = pillow().Image.new("RGB", (max(strip.shape[1], 8 * len(caption)), _CAPTION), _PAPER)
    pen = pillow().ImageDraw.Draw(image)
    pen.text((3, 3), caption, fill=_INK, font=pillow().ImageFont.load_default(12))
    head = np.asarray(image)
    width = max(head.shape[1], strip.shape[1])
    return np.concatenate([_padded(head, width), _padded(strip, width)])


def _padded(image, width):
    missing = width - image.shape[1]
    return np.pad(image, ((0, 0), (0, missing), (0, 0)), constant_values=_PAPER[0])


def _animation(clip):
    """A clip as a looping GIF, in base64."""
    first, *others = (pillow().Image.fromarray(frame) for frame in clip)
    encoded = io.BytesIO()
    options = {"save_all": True, "append_images": others, "loop": 0}
    first.save(encoded, "GIF", duration=_FRAME_MILLISECONDS, **options)
    return base64.b64encode(encoded.getvalue()).decode("ascii")
