"""Looking up rows and class names."""

import subprocess
import sys

import pytest

from keras_video import zoo

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("tsn_r50_1x1x3_100e_kinetics400_rgb", "t41_r00"),  # shared with t41_r01 and t44_r00
        ("tsm_r50_1x1x8_50e_kinetics400_rgb", "t30_r00"),  # shared by three rows
        ("tsn_r50_320p_1x1x8_100e_kinetics400_rgb", "t41_r07"),  # t41_r06 has another name
        ("tsn_r50_1x1x8_100e_kinetics400_rgb", "t41_r06"),
        ("slowonly_r50_8x8x1_256e_kinetics400_flow", "t10_r10"),  # printed under another name
        ("tsn_r50_320p_1x1x3_kinetics400_twostream", "t41_r05"),
        ("tsn_r50_test_256p_1x1x25_3crop_100e_kinetics400_rgb", "u14"),
        ("t07_r02", "t07_r02"),
    ],
)
def test_row_by_name(name, identity):
    assert zoo.row(name).id == identity


def test_every_id_and_config_is_found():
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted")):
        assert zoo.row(row.id) is row
        assert row.name in (zoo.row(row.name).name, zoo.row(row.name).config)
        if row.config:
            assert row.config in (zoo.row(row.config).name, zoo.row(row.config).config)


def test_rows_without_a_config_have_unique_names():
    names = [row.name for row in zoo.rows()]
    for row in zoo.rows():
        if row.config is None or row.kind != "model":
            assert names.count(row.name) == 1, row.id


def test_an_unknown_row_suggests_close_names():
    with pytest.raises(ValueError, match="tsn_r50_1x1x3_100e_kinetics400_rgb"):
        zoo.row("tsn_r50_1x1x3_100e_kinetic400_rgb")
    with pytest.raises(ValueError, match="is not the name or id of a row"):
        zoo.row(None)


def test_rows_are_filtered_and_in_page_order():
    assert [row.id for row in zoo.rows("tin")] == ["t23_r00", "t24_r00", "t25_r00"]
    assert {row.family for row in zoo.rows(dataset="diving48")} == {"tsm", "tsn", "vjepa2"}
    assert len(zoo.rows("tsn", "hvu", "model")) == 6
    assert zoo.rows("x3d", "ucf101") == ()
    identities = [row.id for row in zoo.rows()]
    assert identities == sorted(identities)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "tns"}, "family='tns'.*Did you mean"),
        ({"dataset": "kinetics"}, "dataset='kinetics'.*kinetics400"),
        ({"kind": "weights"}, "kind='weights'.*test_variant"),
    ],
)
def test_unknown_filters(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.rows(**arguments)


def test_label_maps():
    assert zoo.label_map("kinetics400")[0] == "abseiling"
    assert len(zoo.label_map("activitynet_v1.3")) == 200
    assert len(zoo.label_map("hvu_object")) == 1678
    with pytest.raises(ValueError, match="dataset='kinetics401'.*kinetics400"):
        zoo.label_map("kinetics401")
    with pytest.raises(ValueError, match="has no list of class names"):
        zoo.label_map("../label_maps/kinetics400")


def test_rows_are_read_at_first_use():
    code = "import keras_video.zoo; print(keras_video.zoo.catalog.all_rows.cache_info().currsize)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "0"
