"""Constructor arguments from a checkpoint's configuration: files next to it, or text inside it."""

import json
import math
import re
from pathlib import Path

from absl import logging

from keras_video.weights.checkpoint import read_settings

MAX_CONFIG_BYTES = 1 << 24
# Names of constructor arguments in Hugging Face configurations.
NUMBERS = {"num_attention_heads": "num_heads", "layer_norm_eps": "epsilon"}
FRAMES = ("num_frames", "frames_per_clip")
SIDES = ("image_size", "crop_size")

# Keys in Python (`key=value`) and YAML (`KEY: value`) configurations, by constructor argument.
PYTHON = {"tau": "resample_rate", "alpha": "speed_ratio", "segments": "num_segments"}
YAML = {"alpha": "ALPHA"}


def facts_of(path, inside=True):
    """The constructor arguments that a checkpoint's configuration states, `{argument: value}`.

    Reads the `config.json` next to the file, and the configurations that MMAction2 and the
    SlowFast repository store in their checkpoints.

    Args:
        inside: whether to read the checkpoint itself, which is slow and only needed if arguments
            are still undetermined.
    """
    return {**(facts_inside(path) if inside else {}), **facts_beside(path)}


def facts_beside(path):
    """The arguments in the `config.json` next to a file, by their names in this package."""
    config = read_json(path.with_name("config.json"))
    facts = {ours: config[theirs] for theirs, ours in NUMBERS.items() if theirs in config}
    shape = clip_shape(config)
    return {**facts, "input_shape": shape} if shape else facts


def clip_shape(config):
    """`(frames, height, width, channels)` of a Hugging Face configuration, or `None`."""
    channels = config.get("num_channels", config.get("in_chans", 3))
    video_size = config.get("video_size")
    if isinstance(video_size, list) and len(video_size) == 3:
        return (*video_size, channels)
    frames = next((config[name] for name in FRAMES if name in config), None)
    side = next((config[name] for name in SIDES if name in config), None)
    if not all(isinstance(number, int) for number in (frames, side, channels)):
        return None
    return (frames, side, side, channels)


def facts_inside(path):
    """The arguments in a checkpoint's own configuration, by their names in this package."""
    facts = {}
    for text in read_settings(path):
        for pattern, names in ((r"\b{}\s*=\s*(\d+)\b", PYTHON), (r"^\s*{}:\s*(\d+)\s*$", YAML)):
            for ours, theirs in names.items():
                values = {*re.findall(pattern.format(theirs), text, re.MULTILINE)}
                if len(values) == 1:
                    facts[ours] = int(values.pop())
        if "alpha" in facts and re.search(r"^\s*ALPHA:", text, re.MULTILINE):
            # In these configurations the fast pathway receives every frame of the clip.
            facts["tau"] = facts["alpha"]
        if modes := {*re.findall(r"non_local_cfg=dict\([^)]*mode=['\"](\w+)['\"]", text)}:
            facts["non_local"] = modes.pop() if len(modes) == 1 else None
        if re.search(r"\btype=['\"]C2D['\"]", text) or re.search(r"^\s*ARCH: c2d\s*$", text, re.M):
            facts["temporal_pool"] = True
        elif re.search(r"\btype=['\"]Recognizer2D['\"]", text) or "ARCH: c2d_nopool" in text:
            facts["temporal_pool"] = False
    return {name: value for name, value in facts.items() if value is not None}


def class_names_beside(path, classes):
    """The class names in the `config.json` next to a file, or `None`."""
    names = read_json(path.with_name("config.json")).get("id2label")
    if not isinstance(names, dict) or {*names} != {str(number) for number in range(classes)}:
        return None
    names = [str(names[str(number)]) for number in range(classes)]
    # Placeholders that Hugging Face writes if the classes have no names.
    return None if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names


def normalization_beside(path):
    """`(mean, std)` for pixels from 0 to 255 from the `preprocessor_config.json` next to a file.

    `None` if there is no such file, or it describes anything else.
    """
    config = read_json(path.with_name("preprocessor_config.json"))
    scale = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    offset = 1.0 if config.get("offset") else 0.0
    if not config.get("do_normalize", True):
        mean, std = [0.0] * 3, [1.0] * 3
    else:
        mean, std = config.get("image_mean"), config.get("image_std")
    numbers = [mean, std, [scale]]
    if not all(isinstance(values, list) and values for values in numbers):
        return None
    if not all(isinstance(x, int | float) and math.isfinite(x) for v in numbers for x in v):
        return None
    if scale <= 0 or min(std) <= 0:
        return None
    return [(value + offset) / scale for value in mean], [value / scale for value in std]


def adopt(model, path, *, names=True):
    """Sets a model's class names and normalization from the configurations next to its checkpoint.

    Args:
        names: whether the model has the outputs of the checkpoint.
    """
    if names and model.class_names is None:
        model.class_names = class_names_beside(path, model.outputs[0].shape[-1])
    stated, preprocessing = normalization_beside(path), model.preprocessing
    if stated is None or preprocessing is None or preprocessing.get("normalize") is None:
        return
    mean, std = stated
    old = preprocessing["normalize"]
    if not all(
        math.isclose(new, previous, rel_tol=1e-3, abs_tol=1e-3)
        for new, previous in zip([*mean, *std], [*old["mean"], *old["std"]], strict=False)
    ):
        logging.warning(
            "preprocessor_config.json states mean %s and std %s, which replace %s and %s.",
            mean, std, old["mean"], old["std"],
        )  # fmt: skip
        preprocessing["normalize"] = {**old, "mean": mean, "std": std}
        model.preprocessing = preprocessing


def read_json(path):
    """The object in a JSON file; empty if there is no file.

    Raises:
        ValueError: if the file holds anything else, or is too large.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ValueError(f"{path}: expected at most {MAX_CONFIG_BYTES} bytes")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON: {error}") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(facts).__name__}")
    return facts
