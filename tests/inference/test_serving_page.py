"""The programs of `applications/serving.md`, run without access to `keras_video`."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import av
import keras
import numpy as np
import pytest

from keras_video import inference, zoo
from keras_video.data.decoding.videos import open_video
from keras_video.data.rows.presets import clip_sampler
from keras_video.zoo.clip_settings import Crop, Normalize, Sampling, Spatial
from tests.applications import families
from tests.cli.running import call
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
)

PAGE = Path(__file__).parents[2] / "applications" / "serving.md"
TEXT = PAGE.read_text(encoding="utf-8")
CLASSES = ["jump", "run", "sit", "stand", "walk"]
HAS_ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime"))
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="needs the extra 'onnx'")
PROTOCOL = zoo.Protocol(
    sampling=Sampling(clip_len=4, frame_interval=3, num_clips=2),
    normalize=Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    spatial=Spatial(short_side=36, crop=Crop("center", 32)),
    view_frames=4,
)
# Blocks the import of the package, then runs the program.
RUN = """
import runpy, sys
for name in {blocked}:
    sys.modules[name] = None
sys.path.insert(0, ".")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def blocks():
    """The programs of the page by file name."""
    return dict(re.findall(r"```python (\w+\.py)\n(.*?)```", TEXT, re.S))


def commands():
    """The arguments of the page's commands, by the format that they write."""
    lines = re.search(r"```sh\n(.*?)```", TEXT, re.S).group(1).splitlines()
    parts = [shlex.split(line) for line in lines]
    assert all(words[:2] == ["keras-video", "export"] for words in parts)
    return {words[words.index("--format") + 1]: words[2:] for words in parts}


@pytest.fixture(scope="module")
def model():
    model = families.build("timesformer", classifier_activation="softmax")
    families.randomize(model)
    model.class_names, model.protocol = CLASSES, PROTOCOL
    return model


@pytest.fixture
def folder(model, tmp_path, monkeypatch):
    """A folder with the model, the programs and two videos, one of them shorter than a clip."""
    monkeypatch.chdir(tmp_path)
    model.save("model.keras")
    for name, code in blocks().items():
        Path(name).write_text(code)
    write_video("video.mp4", moving_gradient(40))
    write_video("short.mp4", moving_gradient(7, 50, 40, seed=3))
    return tmp_path


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("format", "program", "blocked"),
    [
        pytest.param("onnx", "serve_onnx.py", ["tensorflow"], marks=needs_onnx),
        ("litert", "serve_litert.py", []),
        ("tf_saved_model", "serve_tensorflow.py", []),
    ],
)
def test_a_program_gets_the_scores_without_the_package(folder, model, format, program, blocked):
    arguments = commands()[format]
    call("export", *arguments, "--nocheck")
    for video in ("video.mp4", "short.mp4"):
        code = RUN.format(blocked=["keras_video", *blocked])
        file = arguments[arguments.index("--out") + 1]
        result = subprocess.run(
            [sys.executable, "-c", code, program, file, video],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=folder,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        )
        assert result.returncode == 0, result.stderr[-3000:]
        lines = (line.split() for line in result.stdout.splitlines())
        scores = {name: float(score) for score, name in lines}
        expected = inference.predict_video(model, video)
        assert sorted(scores) == CLASSES
        np.testing.assert_allclose([scores[name] for name in CLASSES], expected, atol=1e-3)


def test_the_package_cannot_be_imported(folder):
    Path("probe.py").write_text("import keras_video")
    code = RUN.format(blocked=["keras_video"])
    result = subprocess.run(
        [sys.executable, "-c", code, "probe.py"], capture_output=True, text=True
    )
    assert result.returncode == 1 and "ModuleNotFoundError" in result.stderr


@pytest.fixture(scope="module")
def frames():
    """The names of `frames.py`."""
    names = {}
    exec(compile(blocks()["frames.py"], "frames.py", "exec"), names)
    return names


def test_the_programs_support_every_sampling(frames):
    rng = np.random.default_rng(0)
    for _ in range(300):
        settings = Sampling(
            sampler=str(rng.choice(["SampleFrames", "DenseSampleFrames"])),
            clip_len=int(rng.integers(1, 9)),
            frame_interval=int(rng.integers(1, 9)),
            num_clips=int(rng.integers(1, 11)),
            twice_sample=bool(rng.integers(2)),
            out_of_bound=str(rng.choice(["loop", "repeat_last"])),
            sample_range=int(rng.integers(1, 65)),
            num_sample_positions=int(rng.integers(1, 11)),
        )
        total = int(rng.integers(1, 200))
        sampler = clip_sampler(settings)
        indices = frames["frame_indices"](vars(settings), total)
        np.testing.assert_array_equal(indices, sampler(total, training=False), str(settings))


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_frames_are_rotated_as_by_the_decoder(frames, degrees, tmp_path):
    plain = write_video(tmp_path / "plain.mp4", moving_gradient(4))
    with av.open(plain) as opened, av.open(tmp_path / "turned.mp4", "w") as container:
        stream = opened.streams.video[0]
        copy = container.add_stream_from_template(stream)
        if not hasattr(copy, "set_display_rotation"):
            pytest.skip("needs a PyAV that writes rotations")
        copy.set_display_rotation(degrees)
        for packet in opened.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                container.mux(packet)
    facts = {"preprocessing": {"sampling": vars(Sampling(clip_len=4)), "view_frames": None}}
    (clip,) = frames["clips_of"](str(tmp_path / "turned.mp4"), facts)
    expected = open_video(tmp_path / "turned.mp4").read(range(4))
    assert clip.shape[1:3] == ((64, 48) if degrees in (90, -90) else (48, 64))
    np.testing.assert_array_equal(clip, expected)
