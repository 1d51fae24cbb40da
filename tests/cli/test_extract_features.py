"""`keras-video features`, run as by a user, on generated videos and a model with random weights."""

import h5py
import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import TSN
from tests.cli.running import start
from tests.videos import moving_gradient, write_video

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    (folder / "deep").mkdir()
    for number, name in enumerate(("one.mp4", "deep/two.mp4")):
        write_video(folder / name, moving_gradient(14, 72, 80, seed=number))
    return folder


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3))
    model.preprocessing = ROW.preprocessing().facts()
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


@pytest.mark.slow
def test_every_view_has_features_and_finished_ones_are_kept(videos, model_file, tmp_path):
    flags = [f"--model={model_file}", f"--out={tmp_path}/f", "--layer=layer4_1_conv1_conv"]
    run = start("features", videos / "deep", *flags)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "1 videos, 0 of them already done" in run.stdout
    features = np.load(tmp_path / "f" / "two.mp4.npy")
    clip = data.open_video(videos / "deep" / "two.mp4")
    frames = clip.read(data.row_sampling(ROW, "test")(14, training=False).ravel())
    views = np.asarray(data.apply_transforms(data.row_transforms(ROW, "test"), frames))
    model = keras.models.load_model(model_file)
    body = keras.Model(model.inputs, model.get_layer("layer4_1_conv1_conv").output)
    expected = keras.ops.convert_to_numpy(body(views)).reshape(10, -1, 512).mean(1)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4)
    again = start("features", videos / "deep", *flags)
    assert "1 videos, 1 of them already done" in again.stdout


@pytest.mark.slow(every_change=True)
def test_one_hdf5_file_of_a_list(videos, model_file, tmp_path):
    (tmp_path / "bad.mp4").write_text("not a video")
    names = ["one.mp4", "deep/two.mp4", str(tmp_path / "bad.mp4")]
    (tmp_path / "list.txt").write_text("".join(f"{name} 0\n" for name in names))
    run = start(
        "features",
        f"--model={model_file}",
        f"--list={tmp_path}/list.txt",
        f"--data_root={videos}",
        f"--out={tmp_path}/features.h5",
        "--view_features=mean",
        "--on_error=skip",
    )
    assert run.returncode == 1
    assert "bad.mp4 could not be read" in run.stderr
    assert run.stderr.count("mp4 could not be read") == 1
    assert "1 of 3 videos could not be read." in run.stderr
    with h5py.File(tmp_path / "features.h5") as file:
        assert file["one.mp4"].shape == file["deep/two.mp4"].shape == (512,)
        assert np.abs(file["one.mp4"][()] - file["deep/two.mp4"][()]).max() > 1e-4
