"""`keras_video.save_to_hub`: uploads a model and its card to the Hugging Face Hub."""

import json
import tempfile
from pathlib import Path

from keras_video import zoo
from keras_video.weights.hub import hub_address, is_hub_address, upload

FILE = "model.keras"
MAX_LISTED_CLASSES = 1000


def save_to_hub(
    model, address, *, license=None, private=None, message=None, text="", language=None
):
    """Uploads a model with its class names and protocol, and a model card that explains its use.

    `keras_video.load(address)` loads the model again.

    Args:
        model: a `keras_video.applications.model.VideoModel`, such as a trained one.
        address: `hf://user/name[@revision]`. The repository is created if it does not exist.
        license: license of the weights, as an SPDX identifier such as "apache-2.0". If not given,
            the license of the row that the protocol comes from, if known and if the model has the
            row's classes.
        private: whether a new repository is private; the account's default if not given.
        message: commit message.
        text: introduction of the card, in Markdown.
        language: language of the class names, such as "en".

    Returns:
        The URL of the commit.

    Raises:
        ValueError: if the address is not a repository, or the model is not a `VideoModel`.
        FetchError: if the Hub rejects the upload, or cannot be reached.
        ImportError: if `huggingface_hub` is not installed: pip install keras-video[hub].
    """
    from keras_video.applications.model import VideoModel

    if not isinstance(model, VideoModel):
        raise ValueError(f"received a {type(model).__name__}, expected a VideoModel")
    repository = hub_address(address) if is_hub_address(str(address)) else None
    if repository is None or repository.file is not None:
        raise ValueError(f"received {address!r}, expected hf://user/name[@revision]")
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / FILE
        model.save(saved, include_optimizer=False)
        card = model_card(model, repository, license=license, text=text, language=language)
        (Path(folder) / "README.md").write_text(card, encoding="utf-8")
        message = message or f"Upload {model.name} with keras_video"
        return upload(repository, Path(folder), message=message, private=private)


def model_card(model, address, *, license=None, text="", language=None):
    """The text of a model card, starting with the metadata that the Hub reads."""
    row = row_of(model)
    license = license or (row.license if row is not None else None)
    metadata = [
        "library_name: keras-video",
        "pipeline_tag: video-classification",
        "tags:\n- keras\n- video-classification\n- action-recognition",
    ]
    if license:
        metadata.append(f"license: {json.dumps(license.lower())}")
    if language:
        metadata.append(f"language: {json.dumps(language)}")
    parts = [
        "---\n" + "\n".join(metadata) + "\n---",
        f"# {address.repository.partition('/')[2]}",
        *([text.strip()] if text.strip() else []),
        loading_section(model, address),
        input_section(model),
        *protocol_section(model, row),
        *classes_section(model),
        f"## License\n\n{license or 'The license of the weights is unknown.'}",
    ]
    return "\n\n".join(parts) + "\n"


def row_of(model):
    """The row with a model's protocol and classes, or `None`."""
    identity = (model.preprocessing or {}).get("row")
    row = zoo.catalog.names().get(identity)
    if row is None or row.classes != model.outputs[0].shape[-1]:
        return None
    same = model.class_names is None or row.class_names in (None, tuple(model.class_names))
    return row if same else None


def loading_section(model, address):
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


def input_section(model):
    shape, classes = model.inputs[0].shape[1:], model.outputs[0].shape[-1]
    sizes = " x ".join("any" if size is None else str(size) for size in shape)
    return (
        f"Network `{model.name}` with {model.count_params():,} parameters. Its input is a "
        f"normalized clip, `(frames, height, width, channels)` {sizes}; its output has {classes} "
        "values."
    )


def protocol_section(model, row):
    """The preprocessing of a video; empty if the model has no protocol."""
    if model.preprocessing is None:
        return []
    protocol = zoo.Protocol.read(model.preprocessing)
    lines = [f"- frames: {protocol.sampling}"]
    if protocol.spatial is not None:
        lines.append(f"- pixels: {protocol.spatial}")
    if protocol.normalize is not None:
        lines.append(f"- mean {protocol.normalize.mean}, std {protocol.normalize.std}")
    if protocol.audio is not None:
        lines.append(f"- audio: {protocol.audio}")
    lines.append(f"- score average over views: {protocol.score_average}")
    if row is not None:
        lines.append(f"- these are the settings of `{row.name}` ({row.id}), {row.origin}")
        if row.reported.top1 is not None:
            lines.append(f"- published accuracy on {row.dataset}: top-1 {row.reported.top1}")
    return ["## Protocol\n\n" + "\n".join(lines)]


def classes_section(model):
    names = model.class_names
    if not names:
        return []
    listed = "\n".join(
        f"{number}. {name}" for number, name in enumerate(names[:MAX_LISTED_CLASSES])
    )
    rest = (
        f"\n\nand {len(names) - MAX_LISTED_CLASSES} more" if len(names) > MAX_LISTED_CLASSES else ""
    )
    return [f"## Classes\n\n{listed}{rest}"]
