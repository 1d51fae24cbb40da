"""The recipes that export a model, show where it looks, and say what it costs."""

import matplotlib.image
import pytest

from keras_video import data, zoo
from keras_video.applications import TSN
from keras_video.inference import read_metadata
from tests.cli.running import start
from tests.videos import moving_gradient, write_video

NAMES = ["circle", "square", "triangle"]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 96, 3))
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    model.class_names = NAMES
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def square_model_file(tmp_path_factory):
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3))
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    model.class_names = NAMES
    path = tmp_path_factory.mktemp("square") / "model.keras"
    model.save(path)
    return path


def test_a_model_file_is_exported_and_compared(model_file, tmp_path):
    path = tmp_path / "made" / "model.tflite"
    run = start("export", f"--model={model_file}", "--format=litert", f"--out={path}")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Compared with Keras on noise: 2 clips" in run.stdout
    facts = read_metadata(path)
    assert facts["class_names"] == NAMES
    assert facts["inputs"]["clip"]["shape"] == [None, 4, 64, 96, 3]
    assert facts["preprocessing"]["row"] == zoo.row("tsn_r18_1x1x4_moving_shapes").id


def test_where_a_model_looks_is_drawn(square_model_file, tmp_path):
    video = write_video(tmp_path / "clip.mp4", moving_gradient(20, 72, 80))
    flags = [f"--model={square_model_file}", "--class_name=square"]
    run = start("gradcam", video, f"--out={tmp_path}/overlay.mp4", *flags)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "square, score" in run.stdout
    drawn = data.open_video(tmp_path / "overlay.mp4")
    assert drawn.total_frames == 4
    assert drawn.read([0]).shape == (1, 64, 128, 3)  # the frames, and beside them the maps
    run = start("gradcam", video, f"--out={tmp_path}/sheet.png", *flags)
    assert run.returncode == 0, run.stderr[-3000:]
    assert matplotlib.image.imread(tmp_path / "sheet.png").std() > 0.05
    run = start("gradcam", video, flags[0], "--class_name=hexagon")
    assert run.returncode != 0
    assert "hexagon" in run.stdout + run.stderr


def test_what_a_row_costs(tmp_path):
    run = start("summary", "--row=x3d_s_13x6x1_facebook_kinetics400_rgb", "--runs=1", "--layers")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "zoo states" in run.stdout
    assert "layer4_6_conv3_conv" in run.stdout
    assert "clips a second" in run.stdout
    run = start("summary", f"--plot={tmp_path}/zoo.png")
    assert run.returncode == 0, run.stderr[-3000:]
    assert matplotlib.image.imread(tmp_path / "zoo.png").std() > 0.05
