r"""Visualizes which regions of a video contribute to the score of a class.

    keras-video gradcam clip.mp4 --model runs/tsn/model.keras --out overlay.mp4
    keras-video gradcam clip.mp4 --row i3d_r50_video_32x2x1_100e_kinetics400_rgb \
        --class_name archery --out sheet.png

Uses Grad-CAM (arXiv:1610.02391) for models that pool a feature map, and attention rollout
(arXiv:2005.00928), which is not class-specific, for transformers with global self-attention
(TimeSformer, VideoMAE, ViViT, V-JEPA 2). The frames are those of a single center-cropped clip. A
video plays them in sequence; an image (needs the extra `plots`) shows them side by side.
"""

import math

import numpy as np

from keras_video import data, inference
from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.data.rows.presets import processing_of
from keras_video.inference.attribution import overlay, rolls_out
from keras_video.inference.single_view import single_view
from keras_video.inference.two_classes import both_classes, class_names_of

TAKES_ARGUMENTS = True
SHEET_COLUMNS, SHEET_FRAMES = 4, 16
METHODS = ("auto", "gradcam", "rollout")


def define(flags):
    define_model_flags(flags)
    flags.group("Output")
    flags.string("out", "gradcam.mp4", "video, or *.png image")
    flags.choice("method", "auto", METHODS, "auto selects the method that fits the model")
    flags.string("class_name", None, "class to explain; the top class if not given")
    flags.string("layer", None, "layer whose feature map is weighted; the last if not given")
    flags.number("fps", 4.0, "frame rate of the output video", 0.1)


def run(options, arguments):
    if len(arguments) != 1:
        raise ValueError(f"received the videos {arguments}, expected one.")
    model = chosen_model(options)
    frames, clip = one_view(model, arguments[0])
    names = class_names_of(model)
    if options.class_name is not None and options.class_name not in names:
        raise ValueError(f"--class_name={options.class_name}: the model has no such class.")
    scores = both_classes(inference.predict_views(model, clip[None, None])[0])
    index = scores.argmax() if options.class_name is None else names.index(options.class_name)
    if options.method == "gradcam" and options.layer is None and rolls_out(model):
        raise ValueError(
            f"--method=gradcam: {model.name!r} is a transformer that pools no feature map, "
            "expected --method=rollout, or --layer with a layer whose output has height and width."
        )
    if options.method == "rollout" or (options.method == "auto" and rolls_out(model)):
        reject_class(options)
        maps, title = inference.attention_rollout(model, clip), "attention"
    else:
        # A single output is the score of the second of two classes.
        output = 0 if model.outputs[0].shape[-1] == 1 else int(index)
        maps = inference.gradcam(model, clip, class_index=output, layer=options.layer)
        title = f"{names[index]}, score {scores[index]:.3f}"
    overlays = overlay(frames, maps)
    if options.out.endswith(".png"):
        draw_sheet(options.out, frames, overlays, title)
    else:
        with data.VideoWriter(options.out, options.fps) as video:
            for image in np.concatenate([frames, overlays], axis=2):
                video.write(image)
    print(f"{title}: {options.out}")


def reject_class(options):
    """Rejects flags that have no effect on attention rollout.

    Raises:
        ValueError: naming the first such flag.
    """
    for name in ("class_name", "layer"):
        value = getattr(options, name)
        if value is not None:
            raise ValueError(
                f"--{name}={value}: has no effect on attention rollout, "
                "which is not class-specific."
            )


def one_view(model, path):
    """The frames of a view for display, uint8, and normalized for the model."""
    processing = processing_of(single_view(model))
    video = data.open_video(path)
    indices = processing.sampling(video.total_frames, training=False)
    frames = processing.transformed(video.read(indices.reshape(-1)))
    return frames, processing.normalized(frames)


def draw_sheet(path, frames, overlays, title):
    """Draws up to 16 evenly spaced frames, each with its overlay below it."""
    from matplotlib.figure import Figure

    count = min(len(frames), SHEET_FRAMES)
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
    rows = math.ceil(count / SHEET_COLUMNS)
    height, width = frames.shape[1:3]
    size = (2.4 * SHEET_COLUMNS, 2 * 2.4 * rows * height / width + 0.5)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    figure.suptitle(title, wrap=True)
    grid = figure.subplots(2 * rows, SHEET_COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for position, number in enumerate(chosen):
        row, column = divmod(position, SHEET_COLUMNS)
        grid[2 * row, column].imshow(frames[number])
        grid[2 * row, column].set_title(f"frame {number}", fontsize=8)
        grid[2 * row + 1, column].imshow(overlays[number])
    figure.savefig(path, dpi=110)
