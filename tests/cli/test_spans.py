"""`keras-video spans`, on generated videos and a model that distinguishes bright from dark."""

import json

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import ActionFormer
from keras_video.applications.model import VideoModel
from tests.cli.running import call, start
from tests.videos import write_video

NAMES = ["bright", "dark"]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A model of the mean pixel value, with a steep sigmoid per class."""
    clip = keras.Input((4, 64, 64, 3))
    x = keras.layers.GlobalAveragePooling3D()(clip)
    x = keras.layers.Dense(2, name="fc_cls")(x)
    model = VideoModel(clip, keras.layers.Activation("sigmoid", name="predictions")(x))
    kernel = np.full((3, 2), 1.0, "float32") * [5, -5]
    model.get_layer("fc_cls").set_weights([kernel, np.zeros(2, "float32")])
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    model.class_names = NAMES
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Bright videos of 10 s that are dark from 4 to 7 s, with an annotation file."""
    folder = tmp_path_factory.mktemp("videos")
    lines = ["video,label,start,end"]
    for number in range(2):
        levels = [220] * 40 + [20] * 30 + [220] * 30
        frames = [np.full((72, 80, 3), level, np.uint8) for level in levels]
        write_video(folder / f"{number}.mp4", frames, rate=10)
        lines += [f"{number}.mp4,bright,0,4", f"{number}.mp4,dark,4,7", f"{number}.mp4,bright,7,10"]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    return folder


FLAGS = ("--window=0.5", "--stride=0.25")


@pytest.mark.parametrize("ending", ["csv", "json", "srt", "vtt", "otio"])
def test_spans_are_written_in_every_format(model_file, videos, tmp_path, ending, capsys):
    out = tmp_path / f"spans.{ending}"
    arguments = (videos / "0.mp4", f"--model={model_file}", *FLAGS, f"--out={out}")
    assert not call("spans", *arguments)
    assert "0.mp4: 3 spans" in capsys.readouterr().out
    text = out.read_text()
    if ending in ("csv", "json"):
        (record,) = data.read_spans(out)
        spans = [(span.label, span.start, span.end) for span in record.spans]
        for span, (label, start, end) in zip(
            spans, [("bright", 0, 4), ("dark", 4, 7), ("bright", 7, 10)], strict=True
        ):
            assert span[0] == label
            np.testing.assert_allclose(span[1:], (start, end), atol=0.2)
        assert record.duration == pytest.approx(10)
    elif ending == "otio":
        (clip,) = json.loads(text)["tracks"]["children"][0]["children"]
        assert [marker["name"] for marker in clip["markers"]] == ["bright", "dark", "bright"]
    else:
        assert text.count(" --> ") == 3 and "dark (" in text


def test_chapters_and_timeline_are_drawn_and_evaluated(model_file, videos, tmp_path, capsys):
    pytest.importorskip("PIL")
    arguments = ["--truth", videos / "truth.csv", "--data_root", videos, f"--model={model_file}"]
    call("spans", *arguments, *FLAGS, videos / "1.mp4", f"--draw={tmp_path / 'c.mp4'}",
         f"--timeline={tmp_path / 't.png'}")  # fmt: skip
    assert data.open_video(tmp_path / "c.mp4").total_frames == 100
    assert (tmp_path / "t.png").stat().st_size > 500
    assert "mAP@0.5 1.0000" in capsys.readouterr().out
    call("spans", *arguments, *FLAGS, "--out", tmp_path / "both.csv")
    assert len(data.read_spans(tmp_path / "both.csv")) == 2
    call("spans", *arguments, *FLAGS, "--background=dark", "--threshold=0.9")
    assert "0.mp4: 2 spans" in capsys.readouterr().out


def test_settings_are_fitted_and_used(model_file, videos, tmp_path, capsys):
    settings = tmp_path / "fitted.json"
    call("spans", "--fit", videos / "truth.csv", "--data_root", videos, f"--model={model_file}",
         *FLAGS, f"--settings={settings}")  # fmt: skip
    assert "average mAP" in capsys.readouterr().out
    assert set(json.loads(settings.read_text())["threshold"]) == set(NAMES)
    call("spans", videos / "0.mp4", f"--model={model_file}", *FLAGS, f"--settings={settings}")
    assert "0.mp4: 3 spans" in capsys.readouterr().out


def test_spans_of_a_detector(model_file, videos, tmp_path, capsys):
    detector = ActionFormer(input_shape=(None, 3), classes=2, embed_dim=8, num_heads=2,
                            depths=(1, 1, 2), window=5)  # fmt: skip
    detector.class_names = NAMES
    detector.get_layer("cls_head").bias.assign([0.5, -9.0])
    detector.get_layer("offset_head").bias.assign([1.0, 1.0])
    detector.save(tmp_path / "detector.keras")
    arguments = (videos / "0.mp4", f"--model={model_file}", *FLAGS)
    call("spans", *arguments, f"--detector={tmp_path}/detector.keras",
         f"--out={tmp_path}/out.csv")  # fmt: skip
    (record,) = data.read_spans(tmp_path / "out.csv")
    assert record.spans and {span.label for span in record.spans} == {"bright"}
    assert all(span.score >= 0.2 for span in record.spans)
    call("spans", *arguments, f"--detector={tmp_path}/detector.keras", "--threshold=0.99")
    assert "0.mp4: 0 spans" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("a.mp4", "--detector=a", "--min_length=1"),
            "--detector=a and --min_length: expected only one",
        ),
        ((), "received no videos, expected some"),
        (("a.mp4", "--out=spans.doc"), "received spans.doc, expected an extension of .csv"),
        (("--fit=a.csv",), r"--settings=None, expected --settings=FILE"),
        (
            ("a.mp4", "--settings=a", "--threshold=0.5"),
            "--settings=a and --threshold: expected only one",
        ),
        (("a.mp4", "--metric=f1"), "--metric=f1 requires --fit"),
        (("a.mp4", "--data_root=b"), "--data_root requires --fit or --truth"),
    ],
)
def test_flags_that_contradict_each_other(arguments, message):
    with pytest.raises(ValueError, match=message):
        call("spans", *arguments)


def test_single_video_outputs_are_rejected_for_a_folder(model_file, videos):
    with pytest.raises(ValueError, match=r"--out=a.srt holds a single video, received 2"):
        call("spans", videos, f"--model={model_file}", "--out=a.srt")


def test_errors_are_one_line(model_file, videos, tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("video,label,start,end\n0.mp4,dark,7,4\n")
    run = start("spans", videos / "0.mp4", f"--truth={path}", f"--model={model_file}")
    assert run.returncode == 1
    assert run.stderr.strip().startswith("keras-video spans: ")
    assert "truth.csv:2: received a span from 7 to 4 s" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
