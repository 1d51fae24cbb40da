"""The commands export, gradcam and summary."""

import re
import shlex
import shutil

import matplotlib.image
import pytest

from keras_video import data, zoo
from keras_video.applications import TSN
from keras_video.cli import export
from keras_video.cli.main import main as command
from keras_video.inference import read_metadata
from tests.cli.running import call, start
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


@pytest.mark.slow(every_change=True)
def test_a_model_file_is_exported_and_compared(model_file, tmp_path):
    path = tmp_path / "made" / "model.tflite"
    run = start("export", f"--model={model_file}", "--format=litert", f"--out={path}")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Compared with Keras on noise: 2 clips" in run.stdout
    facts = read_metadata(path)
    assert facts["class_names"] == NAMES
    assert facts["inputs"]["clip"]["shape"] == [None, 4, 64, 96, 3]
    assert facts["preprocessing"]["row"] == zoo.row("tsn_r18_1x1x4_moving_shapes").id


@pytest.mark.slow
def test_a_quantized_file_that_takes_frames_is_calibrated_and_compared(
    square_model_file, tmp_path, monkeypatch, capsys
):
    """Runs the command in the help text, with the folders named there."""
    words = next(
        shlex.split(text.replace("\\\n", " "))
        for text in re.findall(r"^    (keras-video .*(?:\n {8}.*)*)", export.__doc__, re.M)
        if "--calibration" in text
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "tsn").mkdir(parents=True)
    shutil.copy(square_model_file, "runs/tsn/model.keras")
    for part in ("train", "val"):
        for seed, name in enumerate(NAMES):
            folder = tmp_path / "clips" / part / name
            folder.mkdir(parents=True)
            write_video(folder / "clip.mp4", moving_gradient(12, 72, 80 + 8 * seed, seed=seed))
    call("export", *words[2:])
    text = capsys.readouterr().out
    assert "Wrote tsn.tflite (litert, " in text
    assert "3 clips: same best class in" in text and "(model " in text
    facts = read_metadata("tsn.tflite")
    assert facts["inputs"] == {"pixels": {"shape": [None, 4, None, None, 3], "dtype": "uint8"}}
    assert facts["quantize"] == {"weights": "int8", "calibrated": True}


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--pixels", "--frame_size=72"], "--frame_size=72: expected height,width such as 256,340"),
        (["--frame_size=72,96"], "has no effect without pixels=True"),
        (["--calibration=clips"], "clips"),
        (["--compare=clips", "--nocheck"], "--compare=clips: has no effect with --nocheck"),
        (["--calibration_clips=9"], "--calibration_clips: has no effect without --calibration"),
        (["--data_root=clips"], "--data_root: has no effect without --calibration or --compare"),
        (["--format=onnx", "--quantize=float16"], "format='onnx' supports 'int8'"),
    ],
)
def test_flags_without_effect_are_rejected(
    square_model_file, tmp_path, flags, message, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    out = "m.onnx" if "--format=onnx" in flags else "m.tflite"
    flags = flags if "--format=onnx" in flags else [*flags, "--format=litert"]
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)):
        call("export", f"--model={square_model_file}", f"--out={out}", *flags)


@pytest.mark.slow
def test_where_a_model_looks_is_drawn(square_model_file, tmp_path):
    video = write_video(tmp_path / "clip.mp4", moving_gradient(20, 72, 80))
    flags = [f"--model={square_model_file}", "--class_name=square"]
    run = start("gradcam", video, f"--out={tmp_path}/overlay.mp4", *flags)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "square, score" in run.stdout
    drawn = data.open_video(tmp_path / "overlay.mp4")
    assert drawn.total_frames == 4
    assert drawn.read([0]).shape == (1, 64, 128, 3)  # the frames, with the maps next to them
    run = start("gradcam", video, f"--out={tmp_path}/sheet.png", *flags)
    assert run.returncode == 0, run.stderr[-3000:]
    assert matplotlib.image.imread(tmp_path / "sheet.png").std() > 0.05
    run = start("gradcam", video, flags[0], "--class_name=hexagon")
    assert run.returncode != 0
    assert "hexagon" in run.stdout + run.stderr


@pytest.mark.slow
def test_the_cost_of_a_row(tmp_path):
    run = start("summary", "--row=x3d_s_13x6x1_facebook_kinetics400_rgb", "--runs=1", "--layers")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "published" in run.stdout
    assert "layer4_6_conv3_conv" in run.stdout
    assert "clips/s" in run.stdout
    run = start("summary", f"--plot={tmp_path}/zoo.png")
    assert run.returncode == 0, run.stderr[-3000:]
    assert matplotlib.image.imread(tmp_path / "zoo.png").std() > 0.05


@pytest.mark.slow
def test_the_method_of_a_map_can_be_chosen(square_model_file, tmp_path, capsys):
    video = str(write_video(tmp_path / "clip.mp4", moving_gradient(20, 72, 80)))
    model = zoo.row("x_videomae").model()
    model.save(tmp_path / "former.keras")
    out = f"--out={tmp_path}/map.mp4"
    former = ["gradcam", video, f"--model={tmp_path}/former.keras", out]
    assert command(former) == command([*former, "--method=rollout"]) == 0
    assert capsys.readouterr().out.count("attention: ") == 2
    assert data.open_video(tmp_path / "map.mp4").total_frames == 8
    assert command([*former, "--method=gradcam"]) == 1
    assert "--method=gradcam: " in capsys.readouterr().err
    assert command([*former, "--method=gradcam", "--layer=patch_embed_projection"]) == 0
    assert "score" in capsys.readouterr().out
    assert command([*former, "--layer=blocks_0"]) == 1
    assert "--layer=blocks_0: has no effect on attention rollout" in capsys.readouterr().err
    convolutional = ["gradcam", video, f"--model={square_model_file}", out, "--method=rollout"]
    assert command(convolutional) == 1
    assert "has no attention over all tokens; use gradcam" in capsys.readouterr().err
