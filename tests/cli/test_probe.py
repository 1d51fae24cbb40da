"""The commands probe and label-next, run as by a user, on generated videos."""

import json
import shutil

import pytest

import keras_video
from keras_video.training.saving import save_model
from tests.cli.running import call, start
from tests.probes.test_extraction import small_model
from tests.probes.test_probing import NAMES, shade


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `model.keras`, labeled `clips` and unlabeled ones in `new`."""
    place = tmp_path_factory.mktemp("place")
    save_model(small_model(), place / "model.keras")
    for label, name in enumerate(NAMES):
        for number in range(5):
            shade(place / "clips" / name / f"{number}.mp4", label, number)
        for number in range(3):
            shade(place / "new" / f"{name}{number}.mp4", label, 20 + number)
    shutil.copy(place / "clips" / "dark" / "0.mp4", place / "new" / "known.mp4")
    return place


def flags(place):
    return [f"--model={place}/model.keras", f"--data={place}/clips", f"--cache={place}/cache"]


def test_a_probe_of_class_folders_predicts(place, tmp_path, capsys):
    assert not call("probe", *flags(place), f"--work_dir={tmp_path}", "--folds=3")
    out = capsys.readouterr().out
    assert "accuracy" in out and "of 10 videos (95 % interval" in out and "heads trained in" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["cross_validation"]["videos"] == 10 and report["held_out"] is None
    assert report["cross_validation"]["accuracy"] > 0.7 and report["head"] == "linear"
    assert (tmp_path / "suspects.csv").read_text().startswith("video,label,suggested")
    capsys.readouterr()
    call("predict", place / "new" / "light0.mp4", f"--model={tmp_path}/model.keras")
    assert capsys.readouterr().out.splitlines()[1].endswith("light")
    assert keras_video.load_model(tmp_path / "model.keras").class_names == list(NAMES)


def test_lists_another_head_and_cached_features(place, tmp_path, capsys):
    lines = [f"{name}/{n}.mp4 {label}\n" for label, name in enumerate(NAMES) for n in range(5)]
    (tmp_path / "train.txt").write_text("".join(lines[:4] + lines[5:9]))
    (tmp_path / "val.txt").write_text(lines[4] + lines[9])
    arguments = [
        f"--model={place}/model.keras",
        f"--train_list={tmp_path}/train.txt",
        f"--val_list={tmp_path}/val.txt",
        f"--data_root={place}/clips",
        f"--cache={tmp_path}/cache",
        f"--work_dir={tmp_path}/probe",
    ]
    assert not call("probe", *arguments, "--head=knn", "--neighbors=3")
    report = json.loads((tmp_path / "probe" / "report.json").read_text())
    assert report["held_out"]["videos"] == 2 and report["neighbors"] == 3
    assert report["computed_features"] == 10
    assert not call("probe", *arguments)
    again = json.loads((tmp_path / "probe" / "report.json").read_text())
    assert again["computed_features"] == 0 and again["head"] == "linear"
    assert "Videos of" in capsys.readouterr().out


@pytest.mark.parametrize("strategy", ["margin", "entropy", "core-set"])
def test_the_next_clips_are_unlabeled_ones(strategy, place, tmp_path, capsys):
    out = tmp_path / "next.txt"
    arguments = [*flags(place), f"--strategy={strategy}", "--count=4", f"--out={out}"]
    assert not call("label_next", place / "new", *arguments, "--export=csv,label-studio")
    chosen = out.read_text().splitlines()
    assert len(set(chosen)) == 4 and not any("known" in path for path in chosen)
    assert all(path.startswith(str(place / "new")) for path in chosen)
    assert len((tmp_path / "next.csv").read_text().splitlines()) == 5
    tasks = json.loads((tmp_path / "next.label-studio.json").read_text())
    assert tasks[0]["data"]["video"].startswith("/data/local-files/?d=")
    assert '<Choice value="dark"/>' in (tmp_path / "next.label-studio.xml").read_text()
    assert "1 videos are already labeled" in capsys.readouterr().out


def test_without_labels(place, tmp_path):
    out = tmp_path / "next.txt"
    model, cache = f"--model={place}/model.keras", f"--cache={place}/cache"
    arguments = [model, cache, f"--out={out}"]
    assert not call("label_next", place / "new", *arguments, "--strategy=core-set", "--count=3")
    assert len(out.read_text().splitlines()) == 3
    with pytest.raises(ValueError, match="--strategy=margin: needs labeled videos"):
        call("label_next", place / "new", *arguments)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("probe", ["--neighbors=3"], "--neighbors=3: has no effect with --head=linear"),
        ("label_next", ["--out=x"], "received no unlabeled videos"),
        ("label_next", ["new", "--out=x", "--url_root=y"], "--url_root=y: has no effect"),
        ("label_next", ["new", "--out=x", "--export=xml"], "--export=xml: expected some of csv"),
    ],
    ids=["neighbors", "nothing", "url", "export"],
)
def test_flags_without_effect_are_rejected(command, arguments, message, place, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(command, *arguments, *flags(place))


@pytest.mark.slow(every_change=True)
def test_errors_are_one_line(place, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bad.mp4").write_bytes(b"no video" * 40)
    shutil.copytree(place / "clips" / "dark", tmp_path / "b")
    common = [f"--model={place}/model.keras", f"--data={tmp_path}", f"--cache={tmp_path}/.cache"]
    run = start("probe", *common, f"--work_dir={place}/none")
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "bad.mp4" in run.stderr and "--on_error=skip" in run.stderr
    run = start("probe", *common, f"--work_dir={place}/none", "--on_error=skip")
    assert run.returncode == 1 and "at least two" in run.stderr
