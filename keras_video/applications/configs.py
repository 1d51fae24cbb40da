"""What configurations say of a checkpoint's network: files beside it, and texts inside of it."""

import json
import math
import re
from pathlib import Path

from absl import logging

from keras_video.weights.checkpoint import read_settings

LARGEST_CONFIG = 1 << 24
# What configurations of Hugging Face call arguments of constructors.
NUMBERS = {"num_attention_heads": "num_heads", "layer_norm_eps": "epsilon"}
FRAMES = ("num_frames", "frames_per_clip")
SIDES = ("image_size", "crop_size")

# `key=value` of Python and `KEY: value` of YAML, by the argument that it is.
PYTHON = {"tau": "resample_rate", "alpha": "speed_ratio", "segments": "num_segments"}
YAML = {"alpha": "ALPHA"}


def facts_of(path, inside=True):
    """What is known of the arguments of a checkpoint's constructor, `{argument: value}`.

    Read are the `config.json` beside the file, and the configurations that MMAction2 and the
    SlowFast repository write into their files.

    Args:
        inside: whether the file itself is read, which is worth it where something is not known.
    """
    return {**(facts_inside(path) if inside else {}), **facts_beside(path)}


def facts_beside(path):
    """What the `config.json` of a file's folder says, by the names of arguments here."""
    config = read_json(path.with_name("config.json"))
    facts = {ours: config[theirs] for theirs, ours in NUMBERS.items() if theirs in config}
    shape = clip_shape(config)
    return {**facts, "input_shape": shape} if shape else facts


def clip_shape(config):
    """`(frames, height, width, channels)` of a configuration of Hugging Face, or `None`."""
    channels = config.get("num_channels", config.get("in_chans", 3))
    whole = config.get("video_size")
    if isinstance(whole, list) and len(whole) == 3:
        return (*whole, channels)
    frames = next((config[name] for name in FRAMES if name in config), None)
    side = next((config[name] for name in SIDES if name in config), None)
    if not all(isinstance(number, int) for number in (frames, side, channels)):
        return None
    return (frames, side, side, channels)


def facts_inside(path):
    """What a checkpoint's own configuration says, by the names of arguments here."""
    facts = {}
    for text in read_settings(path):
        for pattern, names in ((r"\b{}\s*=\s*(\d+)\b", PYTHON), (r"^\s*{}:\s*(\d+)\s*$", YAML)):
            for ours, theirs in names.items():
                values = {*re.findall(pattern.format(theirs), text, re.MULTILINE)}
                if len(values) == 1:
                    facts[ours] = int(values.pop())
        if "alpha" in facts and re.search(r"^\s*ALPHA:", text, re.MULTILINE):
            # There the fast pathway sees every frame of the clip.
            facts["tau"] = facts["alpha"]
        if modes := {*re.findall(r"non_local_cfg=dict\([^)]*mode=['\"](\w+)['\"]", text)}:
            facts["non_local"] = modes.pop() if len(modes) == 1 else None
        if re.search(r"\btype=['\"]C2D['\"]", text) or re.search(r"^\s*ARCH: c2d\s*$", text, re.M):
            facts["temporal_pool"] = True
        elif re.search(r"\btype=['\"]Recognizer2D['\"]", text) or "ARCH: c2d_nopool" in text:
            facts["temporal_pool"] = False
    return {name: value for name, value in facts.items() if value is not None}


def class_names_beside(path, classes):
    """The names of the classes in the `config.json` of a file's folder, or `None`."""
    names = read_json(path.with_name("config.json")).get("id2label")
    if not isinstance(names, dict) or {*names} != {str(number) for number in range(classes)}:
        return None
    names = [str(names[str(number)]) for number in range(classes)]
    # What is written where nobody named the classes.
    return None if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names


def normalization_beside(path):
    """`(mean, deviation)` for pixels from 0 to 255 in a file's `preprocessor_config.json`.

    `None` where there is none, or it says something else.
    """
    config = read_json(path.with_name("preprocessor_config.json"))
    scale = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    offset = 1.0 if config.get("offset") else 0.0
    if not config.get("do_normalize", True):
        mean, deviation = [0.0] * 3, [1.0] * 3
    else:
        mean, deviation = config.get("image_mean"), config.get("image_std")
    numbers = [mean, deviation, [scale]]
    if not all(isinstance(values, list) and values for values in numbers):
        return None
    if not all(isinstance(x, int | float) and math.isfinite(x) for v in numbers for x in v):
        return None
    if scale <= 0 or min(deviation) <= 0:
        return None
    return [(one + offset) / scale for one in mean], [one / scale for one in deviation]


def adopt(model, path, *, names=True):
    """Gives a model the class names and the normalization that configurations beside it state.

    Args:
        names: whether the model's outputs are the checkpoint's.
    """
    if names and model.class_names is None:
        model.class_names = class_names_beside(path, model.outputs[0].shape[-1])
    stated, known = normalization_beside(path), model.preprocessing
    if stated is None or known is None or known.get("normalize") is None:
        return
    mean, deviation = stated
    old = known["normalize"]
    if not all(
        math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)
        for one, other in zip([*mean, *deviation], [*old["mean"], *old["std"]], strict=False)
    ):
        logging.warning(
            "preprocessor_config.json states mean %s and deviation %s, which are taken in place "
            "of %s and %s.", mean, deviation, old["mean"], old["std"],
        )  # fmt: skip
        known["normalize"] = {**old, "mean": mean, "std": deviation}
        model.preprocessing = known


def read_json(path):
    """The object in a JSON file; empty where there is no file.

    Raises:
        ValueError: if the file holds something else.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_CONFIG:
        raise ValueError(f"{path}: expected at most {LARGEST_CONFIG} bytes")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON: {error}") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(facts).__name__}")
    return facts
