"""`keras_video.save_to_hub`: a model and its card in a repository of the Hugging Face Hub."""

import json
import tempfile
from pathlib import Path

from keras_video import zoo
from keras_video.weights.hub import hub_address, is_hub_address, upload

FILE = "model.keras"
SHOWN_CLASSES = 1000


def save_to_hub(
    model, address, *, license=None, private=None, message=None, text="", language=None
):
    """Uploads a model with its classes and protocol, and a card that says how to use it.

    `keras_video.load(address)` gives the model back.

    Args:
        model: a `keras_video.applications.model.VideoModel`, such as a training leaves it.
        address: `hf://user/name[@revision]`. The repository is made if there is none.
        license: of the weights, as an SPDX identifier such as "apache-2.0"; that of the row
            which the protocol is of if not given, where one is known and the classes are the
            row's.
        private: whether a new repository is private; as the account has it if not given.
        message: of the commit.
        text: what the card begins with, in Markdown.
        language: of the classes' names, such as "en".

    Returns:
        The address of the commit's page.

    Raises:
        ValueError: for an address that is none of a repository, or a model that is no `VideoModel`.
        FetchError: if the Hub refuses, or cannot be reached.
        ImportError: if `huggingface_hub` is not installed: pip install keras-video[hub].
    """
    from keras_video.applications.model import VideoModel

    if not isinstance(model, VideoModel):
        raise ValueError(f"received a {type(model).__name__}, expected a VideoModel")
    place = hub_address(address) if is_hub_address(str(address)) else None
    if place is None or place.file is not None:
        raise ValueError(f"received {address!r}, expected hf://user/name[@revision]")
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / FILE
        model.save(saved, include_optimizer=False)
        card = model_card(model, place, license=license, text=text, language=language)
        (Path(folder) / "README.md").write_text(card, encoding="utf-8")
        message = message or f"Upload {model.name} with keras_video"
        return upload(place, Path(folder), message=message, private=private)


def model_card(model, address, *, license=None, text="", language=None):
    """The text of a model's card, with the facts that the Hub reads at its beginning."""
    row = row_of(model)
    license = license or (row.license if row is not None else None)
    facts = [
        "library_name: keras-video",
        "pipeline_tag: video-classification",
        "tags:\n- keras\n- video-classification\n- action-recognition",
    ]
    if license:
        facts.append(f"license: {json.dumps(license.lower())}")
    if language:
        facts.append(f"language: {json.dumps(language)}")
    parts = [
        "---\n" + "\n".join(facts) + "\n---",
        f"# {address.repository.partition('/')[2]}",
        *([text.strip()] if text.strip() else []),
        how_to_load(model, address),
        what_it_takes(model),
        *protocol_section(model, row),
        *classes_section(model),
        f"## License\n\n{license or 'Nobody stated the license of the weights.'}",
    ]
    return "\n\n".join(parts) + "\n"


def row_of(model):
    """The row whose protocol and classes a model has, or `None`."""
    identity = (model.preprocessing or {}).get("row")
    row = zoo.catalog.names().get(identity)
    if row is None or row.classes != model.outputs[0].shape[-1]:
        return None
    same = model.class_names is None or row.class_names in (None, tuple(model.class_names))
    return row if same else None


def how_to_load(model, address):
    prediction = "" if model.preprocessing is None else (
        '\nscores = keras_video.predict_video(model, "video.mp4")'
    )  # fmt: skip
    return f"""## How to load

```sh
pip install "keras-video[hub]"
```

```python
import keras_video

model = keras_video.load("{address}"){prediction}
```"""


def what_it_takes(model):
    shape, classes = model.inputs[0].shape[1:], model.outputs[0].shape[-1]
    sizes = " x ".join("any" if size is None else str(size) for size in shape)
    return (
        f"Network `{model.name}` with {model.count_params():,} parameters. Its input is a "
        f"normalized clip, `(frames, height, width, channels)` {sizes}; its output has {classes} "
        "values."
    )


def protocol_section(model, row):
    """How a video is looked at; nothing where the model does not know it."""
    if model.preprocessing is None:
        return []
    facts = zoo.Protocol.read(model.preprocessing)
    lines = [f"- frames: {facts.sampling}"]
    if facts.spatial is not None:
        lines.append(f"- pixels: {facts.spatial}")
    if facts.normalize is not None:
        lines.append(f"- mean {facts.normalize.mean}, deviation {facts.normalize.std}")
    if facts.audio is not None:
        lines.append(f"- audio: {facts.audio}")
    lines.append(f"- views are averaged as {facts.score_average}")
    if row is not None:
        lines.append(f"- these are the settings of `{row.name}` ({row.id}), {row.origin}")
        if row.reported.top1 is not None:
            lines.append(f"- published accuracy on {row.dataset}: top-1 {row.reported.top1}")
    return ["## Protocol\n\n" + "\n".join(lines)]


def classes_section(model):
    names = model.class_names
    if not names:
        return []
    listed = "\n".join(f"{number}. {name}" for number, name in enumerate(names[:SHOWN_CLASSES]))
    rest = f"\n\nand {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    return [f"## Classes\n\n{listed}{rest}"]
