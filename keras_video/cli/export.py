r"""Exports a model to SavedModel, ONNX or LiteRT and compares its scores.

    keras-video export --model runs/tsn/model.keras --format onnx --out tsn.onnx
    keras-video export --row x3d_s_13x6x1_facebook_kinetics400_rgb --format litert \
        --out x3d_s.tflite

A file that takes decoded frames of any size, with 8-bit weights and activations calibrated on
videos; the scores are compared on other videos:

    keras-video export --model runs/tsn/model.keras --format litert --out tsn.tflite \
        --pixels --frame_size any --quantize int8 --calibration clips/train --compare clips/val

A row is exported with its published weights, or with `--weights`. The file contains the class names
and the preprocessing, see `keras_video.inference.read_metadata`. `applications/export.md` lists the
results of every family in every format; `applications/serving.md` has programs that run exported
files.
"""

from pathlib import Path

import numpy as np

from keras_video import data, inference
from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.data.annotations.parsing import require_files
from keras_video.inference.file_clips import FileClips
from keras_video.progress import progress_bar

# Relative to the largest score; resized pixels may round to the next gray level.
TOLERANCE, RESIZED_TOLERANCE = 1e-4, 1e-3
ANY = "any"


def define(flags):
    define_model_flags(flags)
    flags.integers("input_shape", "clip shape, with --row: frames,height,width,channels")
    flags.group("File")
    flags.choice("format", "onnx", inference.EXPORT_FORMATS, "file format")
    flags.string("out", None, "*.onnx or *.tflite file, or SavedModel folder", required=True)
    flags.integer("batch_size", None, "fixed batch size; dynamic if not given", 1)
    flags.switch("fold", True, "fold batch norms into the convolutions first")
    flags.group("Pixels")
    flags.switch("pixels", False, "take uint8 frames and normalize them in the exported graph")
    flags.string(
        "frame_size",
        None,
        "height,width of the input frames, resized and cropped in the graph; or any",
    )
    flags.group("Quantization")
    flags.choice(
        "quantize", None, ["float16", "int8"], "quantize the weights; litert: both, onnx: int8"
    )
    flags.string(
        "calibration", None, "list or folder of videos, to quantize activations too (litert int8)"
    )
    flags.integer(
        "calibration_clips", 100, "number of videos to take from --calibration, evenly spaced", 1
    )
    flags.group("Comparison")
    flags.switch("check", True, "run the exported file and compare its scores with Keras")
    flags.string("compare", None, "list or class folders of the videos to compare scores on")
    flags.string("data_root", None, "folder that the paths of lists are relative to")


def run(options, _):
    frame_size = parsed_size(options.frame_size)
    if options.compare and not options.check:
        raise ValueError(f"--compare={options.compare}: has no effect with --nocheck.")
    for name, needed in (("calibration_clips", "calibration"), ("data_root", None)):
        lists = (options.calibration, options.compare)
        if name in options.given and not (getattr(options, needed) if needed else any(lists)):
            missing = f"--{needed}" if needed else "--calibration or --compare"
            raise ValueError(f"--{name}: has no effect without {missing}.")
    shape = {"input_shape": options.input_shape} if options.input_shape else {}
    model = chosen_model(options, **shape)
    takes = {"pixels": options.pixels, "frame_size": frame_size}
    calibration = options.calibration and calibration_clips(options, model, takes)
    compared = options.compare and compared_clips(options, model, takes)
    exported = inference.fold_batch_norm(model) if options.fold else model
    path = inference.export_model(
        exported,
        options.out,
        options.format,
        batch_size=options.batch_size,
        quantize=options.quantize,
        calibration=calibration,
        **takes,
    )
    print(f"Wrote {path} ({options.format}, {size_of(path) / 1e6:.1f} MB).")
    clips = compared or calibration
    if options.check and clips:
        agreement = inference.compare_exported(path, model, with_progress(clips))
        print(f"Compared with Keras: {agreement}")
    elif options.check:
        check(model, path, options.quantize)


def parsed_size(text):
    """Parses `256,340` into two integers and `any` into two `None`s.

    Raises:
        ValueError: for any other text.
    """
    if text is None:
        return None
    if text == ANY:
        return (None, None)
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise ValueError(f"--frame_size={text}: expected height,width such as 256,340, or any.")
    return tuple(int(part) for part in parts)


def calibration_clips(options, model, takes):
    """Clips of `--calibration_clips` videos, evenly spaced over the list or folder."""
    source = Path(options.calibration)
    if source.is_dir():
        records = [data.Record(str(path), ()) for path in data.video_files(source)]
        if not records:
            raise ValueError(f"--calibration={source}: contains no videos.")
    else:
        records = data.read_annotations(source, options.data_root)
    positions = np.linspace(0, len(records) - 1, min(len(records), options.calibration_clips))
    chosen = tuple(records[round(position)] for position in positions)
    require_files(chosen)
    return FileClips(chosen, model, **takes)


def compared_clips(options, model, takes):
    """Clips and labels of a list or class folders."""
    source = Path(options.compare)
    if source.is_dir():
        names = getattr(model, "class_names", None)
        annotation_format = data.ClassFolders(class_names=names and tuple(names))
        records = data.read_annotations(source, annotation_format=annotation_format)
    else:
        classes = model.output_shape[-1]
        records = data.read_annotations(source, options.data_root, classes)
    require_files(records)
    single = all(len(record.labels) == 1 for record in records)
    return FileClips(tuple(records), model, labeled=single, **takes)


def with_progress(clips):
    """Yields the clips with a progress bar."""
    bar = progress_bar(len(clips), "video")
    for clip in clips:
        yield clip
        bar.add(1)


def size_of(path):
    """The size in bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def check(model, path, quantize):
    """Compares the exported file with the model on noise and prints the agreement.

    Raises:
        ValueError: if the scores differ too much. Not raised for quantized models.
    """
    facts = inference.read_metadata(path)
    agreement = inference.compare_exported(path, model, [noise(model, facts["inputs"])])
    print(f"Compared with Keras on noise: {agreement}")
    resized = facts["in_graph"] and facts["in_graph"]["resize"]
    tolerance = RESIZED_TOLERANCE if resized else TOLERANCE
    if not quantize and agreement.largest_difference > tolerance * agreement.largest_score:
        raise ValueError("The scores of the exported file differ from those of the model.")


def noise(model, inputs):
    """Random clips for the inputs in the metadata; two if the batch size is dynamic."""
    rng, clips = np.random.default_rng(0), {}
    sides = [side or 64 for side in model.inputs[0].shape[2:4]]
    for name, spec in inputs.items():
        shape = [
            size or default
            for size, default in zip(spec["shape"], (2, 64, *sides, 3), strict=False)
        ]
        if spec["dtype"] == "uint8":
            clips[name] = rng.integers(256, size=shape).astype("uint8")
        else:
            clips[name] = rng.normal(size=shape).astype(spec["dtype"])
    return clips if len(clips) > 1 else next(iter(clips.values()))
