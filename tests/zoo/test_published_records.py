"""Published checkpoints of other projects are rows that match what the projects state."""

import json
import math
from pathlib import Path

import keras
import pytest

from keras_video import applications, zoo
from keras_video.applications import videomae, vivit, vjepa2
from keras_video.weights.dialects import DIALECTS
from tests.loops import over

FILE = Path(__file__).parents[1] / "fixtures" / "zoo" / "published_records.json"
RECORDS = {record["id"]: record for record in json.loads(FILE.read_text())}

# No network here, or no readable file: V-JEPA 2.1, probes without their encoder, and Flax.
NOT_ROWS = ("vjepa2/vjepa2_1_", "vjepa2/evals/", "scenic/")
ROWS = tuple(zoo.row(name) for name in RECORDS if not name.startswith(NOT_ROWS))
DATASETS = {"IG-65M": "ig65m", "self-supervised": "self_supervised"}
# Parameters where the published millions are for another network or count other things.
OTHER_COUNTS = {
    "slowfast/MViTv2_L_40x3_k400_f306903192": 213_390_112,
    "vjepa2/vitl": 303_885_312,
    "vjepa2/vith": 631_648_000,
    "vjepa2/vitg": 1_012_173_952,
    "vjepa2/vitg-384": 1_012_173_952,
}


def test_every_record_is_a_row():
    assert len(RECORDS) == 155 and len(ROWS) == 143
    assert [row.id for row in ROWS] == [n for n in RECORDS if not n.startswith(NOT_ROWS)]
    known = {row.id for row in zoo.rows(kind="model")}
    assert not any(name in known for name in RECORDS if name.startswith(NOT_ROWS))


@over(ROWS)
def test_a_row_matches_the_published_record(row):
    record = RECORDS[row.id]
    assert row.dataset == DATASETS.get(record["dataset"], record["dataset"])
    assert (row.classes, row.label_map) == (record["num_classes"], record["label_map"])
    assert (row.reported.top1, row.license) == (record["top1"], record["license"])
    assert row.origin and row.dialect in {dialect.name for dialect in DIALECTS}
    if record["url"] is None or "drive" in (record["file"] or "").lower():
        assert not row.checkpoints and "Google Drive" in row.notes[0]
    else:
        assert row.checkpoint.url == record["url"]
        assert row.checkpoint.sha256_prefix == record["hash_prefix"]
    if record["crop_size"]:
        size = row.spatial.test.crop.size
        assert record["crop_size"] in (size, [size, size])
    if record["clips"] and "here with the middle frames alone" not in " ".join(row.notes):
        assert row.views.clips == record["clips"]
    if record["crops"]:
        assert row.views.crops == record["crops"]


@over(ROWS)
def test_its_parameters_are_the_published_millions(row):
    millions = RECORDS[row.id]["params_m"]
    if row.id in OTHER_COUNTS:
        assert row.parameters == OTHER_COUNTS[row.id]
    elif millions is not None:
        # Printed with one to five decimals, or none, and rounded up or down.
        decimals = len(str(millions).partition(".")[2].rstrip("0"))
        assert abs(row.parameters / 1e6 - millions) <= max(10.0**-decimals, 0.009 * millions)


def architectures():
    """One row per network: its constructor and arguments, and the classes."""
    row_by_network = {}
    for row in ROWS:
        key = json.dumps([row.constructor, dict(row.arguments), row.classes], sort_keys=True)
        row_by_network.setdefault(key + str(clip_shape(row)), row)
    return sorted(row_by_network.values(), key=lambda row: row.id)


def clip_shape(row):
    """The input shape of networks with tables of a fixed size; the smallest for all others."""
    if row.constructor in ("MViT", "ViViT", "TimeSformer"):
        return row.input_shape
    if row.constructor == "UniFormerV2":
        return (2, *row.input_shape[1:])
    patch = row.arguments.get("patch_size", 16)
    frames = {"SlowFast": row.arguments.get("tau", 8), "CSN": 8, "S3D": 16}.get(row.constructor, 4)
    side = 224 if row.constructor == "S3D" else 2 * patch
    return (frames, side, side, 3)


# All blocks of these are equal: networks with one and two of them determine the total.
PLAIN = {"VideoMAE": videomae, "ViViT": vivit, "VJEPA2": vjepa2}


@pytest.mark.slow
@over(architectures())
def test_the_network_of_a_row_has_its_parameters(row):
    if row.constructor not in PLAIN:
        assert count(row) == row.parameters
        return
    default = "large" if row.constructor == "VJEPA2" else "base"
    size = PLAIN[row.constructor].SIZES[row.arguments.get("size", default)]
    shallow, deeper = count(row, num_layers=1), count(row, num_layers=2)
    assert shallow + (size.num_layers - 1) * (deeper - shallow) == row.parameters


def count(row, **changes):
    """Trainable parameters of a row's network."""
    arguments = {**row.arguments, "input_shape": clip_shape(row), **changes}
    if row.classes:
        arguments["classes"] = row.classes
    with keras.StatelessScope():  # variables have shapes but take no memory
        model = getattr(applications, row.constructor)(**arguments)
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def test_class_orders_match_the_projects():
    """VideoMAE V2's repository orders classes differently from MMAction2, torchvision the same."""
    for row in ROWS:
        if row.label_map is None:
            continue
        own = row.dialect == "videomae" and row.dataset != "kinetics400"
        assert row.label_map == (f"{row.dataset}_opengvlab" if own else row.dataset), row.id
    ours, theirs = (zoo.label_map(f"kinetics710{end}") for end in ("", "_opengvlab"))
    assert sum(name != other for name, other in zip(ours, theirs, strict=True)) == 707
    for classes in (600, 700):
        names = zoo.label_map(f"kinetics{classes}_opengvlab")
        assert len({*names}) == len(names) == classes
        assert names != zoo.label_map(f"kinetics{classes}")
