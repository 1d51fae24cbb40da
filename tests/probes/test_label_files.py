import csv
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from keras_video.probes.label_files import labeling_config, write_export, write_list
from keras_video.probes.selection import Candidate

NAMES = ("a<b", 'say "c"')
CHOSEN = [Candidate(0, 0.75, np.array([0.2, 0.8])), Candidate(1, 0.5, np.array([0.6, 0.4]))]


def videos(root):
    return [str(root / "one, two.mp4"), str(root / "sub" / "ü #1.mp4")]


def test_a_list_has_a_path_per_line(tmp_path):
    write_list(tmp_path / "next.txt", ["a.mp4", "b c.mp4"])
    assert (tmp_path / "next.txt").read_text() == "a.mp4\nb c.mp4\n"
    with pytest.raises(ValueError, match=r"a\\nb.mp4"):
        write_list(tmp_path / "next.txt", ["a\nb.mp4"])


def test_a_table(tmp_path):
    out = tmp_path / "next.txt"
    path = write_export("csv", out, videos(tmp_path), CHOSEN, NAMES, root=tmp_path)
    assert path.name == "next.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["video"] for row in rows] == videos(tmp_path)
    assert rows[0]["label"] == NAMES[1] and float(rows[0]["probability"]) == 0.8
    assert [row["rank"] for row in rows] == ["1", "2"]


def test_tasks_of_label_studio(tmp_path):
    out = tmp_path / "next.txt"
    path = write_export("label-studio", out, videos(tmp_path), CHOSEN, NAMES, root=tmp_path)
    tasks = json.loads(path.read_text())
    assert tasks[0]["data"]["video"] == "/data/local-files/?d=one%2C%20two.mp4"
    assert tasks[1]["data"]["video"] == "/data/local-files/?d=sub/%C3%BC%20%231.mp4"
    (prediction,) = tasks[0]["predictions"]
    (result,) = prediction["result"]
    assert result["value"] == {"choices": [NAMES[1]]} and prediction["score"] == 0.8
    config = ET.fromstring(labeling_config(NAMES))
    choices = config.find("Choices")
    assert config.find("Video").get("value") == "$video"
    assert (choices.get("name"), choices.get("toName")) == (result["from_name"], result["to_name"])
    assert [choice.get("value") for choice in choices] == list(NAMES)


def test_without_labels_there_are_no_predictions(tmp_path):
    unknown = [Candidate(0, 1.0, None)]
    arguments = (tmp_path / "n.txt", [str(tmp_path / "x.mp4")], unknown, None)
    options = {"root": tmp_path, "url_prefix": "https://files/"}
    path = write_export("label-studio", *arguments, **options)
    (task,) = json.loads(path.read_text())
    assert task == {"data": {"video": "https://files/x.mp4", "score": 1.0}}
    assert write_export("csv", *arguments, root=tmp_path).read_text().endswith(",1,1,,\n")


def test_addresses_are_of_videos_inside_the_folder(tmp_path):
    arguments = (tmp_path / "n.txt", ["/elsewhere/x.mp4"], [Candidate(0, 1.0, None)], None)
    with pytest.raises(ValueError, match="outside of .*--url_root"):
        write_export("label-studio", *arguments, root=tmp_path)
