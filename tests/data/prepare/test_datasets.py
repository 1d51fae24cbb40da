"""Lists of every dataset, from annotation files written as the datasets write them."""

import json

import pytest

from keras_video.data import frame_lines, offset_lines, read_annotations
from keras_video.data.annotations.records import AnnotationError
from keras_video.data.prepare import datasets
from keras_video.data.prepare.lists import Entry
from tests.cli.running import call
from tests.data.sources.test_raw_frames import write_flow, write_frames
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
        return tmp_path

    return write


def test_kinetics(write):
    head = "label,youtube_id,time_start,time_end,split\n"
    write(
        "kinetics_train.csv",
        f'{head}"tying knot (not on a tie)",-a_b,3,13,train\nabseiling,xy,0,10,t\n',
    )
    folder = write("kinetics_val.csv", f"{head}abseiling,zz,100,110,val\n")
    listing = datasets.kinetics(folder)
    assert listing.class_names == ["abseiling", "tying knot (not on a tie)"]
    assert listing.splits["train"][0] == Entry("-a_b_000003_000013", (1,))
    assert listing.splits["val"] == [Entry("zz_000100_000110", (0,))]


def test_ucf101(write):
    write("classInd.txt", "1 ApplyEyeMakeup\n2 Archery\n")
    write("trainlist02.txt", "Archery/v_Archery_g08_c01.avi 2\n")
    folder = write("testlist02.txt", "ApplyEyeMakeup/v_A_g01_c01.avi\n")
    listing = datasets.ucf101(folder, split=2)
    assert listing.splits["train"] == [Entry("Archery/v_Archery_g08_c01.avi", (1,))]
    assert listing.splits["val"] == [Entry("ApplyEyeMakeup/v_A_g01_c01.avi", (0,))]
    write("testlist02.txt", "Archery/a.avi\nDancing/b.avi\n")
    with pytest.raises(AnnotationError, match=r"testlist02.txt:2: received class 'Dancing'"):
        datasets.ucf101(folder, split=2)


def test_hmdb51(write):
    write("brush_hair_test_split1.txt", "one.avi 1 \ntwo.avi 2 \nthree.avi 0 \n")
    folder = write("cartwheel_test_split1.txt", "four.avi 1 \n")
    listing = datasets.hmdb51(folder)
    assert listing.class_names == ["brush_hair", "cartwheel"]
    assert listing.splits["train"] == [
        Entry("brush_hair/one.avi", (0,)),
        Entry("cartwheel/four.avi", (1,)),
    ]
    assert listing.splits["val"] == [Entry("brush_hair/two.avi", (0,))]


@pytest.mark.parametrize(
    "name,read",
    [("something-something-v1", datasets.something_something_v1), ("jester-v1", datasets.jester)],
)
def test_something_something_v1_and_jester(name, read, write):
    write(f"{name}-labels.csv", "Closing something\nApproaching something, slowly\n")
    write(f"{name}-train.csv", "12;Approaching something, slowly\n")
    folder = write(f"{name}-validation.csv", "7;Closing something\n")
    listing = read(folder)
    assert listing.splits == {"train": [Entry("12", (1,))], "val": [Entry("7", (0,))]}


def test_something_something_v2(write):
    write(
        "something-something-v2-labels.json", {"Putting something": "1", "Holding something": "0"}
    )
    write("something-something-v2-train.json", [{"id": "78", "template": "Putting [something]"}])
    folder = write(
        "something-something-v2-validation.json", [{"id": "9", "template": "Holding [something]"}]
    )
    listing = datasets.something_something_v2(folder)
    assert listing.class_names == ["Holding something", "Putting something"]
    assert listing.splits == {"train": [Entry("78", (1,))], "val": [Entry("9", (0,))]}


def test_diving48(write):
    write("Diving48_vocab.json", [["Back", "15som", "NoTwis", "FREE"], ["Back", "25som"]])
    write("Diving48_V2_train.json", [{"vid_name": "abc_1", "label": 1, "start_frame": 0}])
    folder = write("Diving48_V2_test.json", [{"vid_name": "abc_2", "label": 0}])
    listing = datasets.diving48(folder)
    assert listing.class_names[1] == "Back_25som"
    assert listing.splits == {"train": [Entry("abc_1", (1,))], "val": [Entry("abc_2", (0,))]}


def test_moments_in_time(write):
    write("moments_categories.txt", "clapping,1\nadult+male+singing,0\n")
    write("trainingSet.csv", "clapping/a_1.mp4,clapping,3,0\n")
    folder = write("validationSet.csv", "adult+male+singing/b.mp4,adult+male+singing,3,0\n")
    listing = datasets.moments_in_time(folder)
    assert listing.class_names == ["adult+male+singing", "clapping"]
    assert listing.splits["train"] == [Entry("clapping/a_1.mp4", (1,))]


def test_activitynet(write):
    surfing = {"segment": [2.0, 12.0], "label": "Surfing"}
    baking = {"segment": [15.0, 25.0], "label": "Baking"}
    video = {"duration": 20.0, "annotations": [surfing, baking]}
    base = {"a-b": {**video, "subset": "training"}, "c": {**video, "subset": "testing"}}
    folder = write("activity_net.v1-3.min.json", {"database": base})
    whole = datasets.activitynet(folder)
    assert whole.class_names == ["Baking", "Surfing"]
    assert whole.splits == {"train": [Entry("v_a-b", (1,))], "val": []}
    clips = datasets.activitynet(folder, clips=True)
    assert clips.splits["train"] == [
        Entry("v_a-b", (1,), (0.1, 0.6)),
        Entry("v_a-b", (0,), (0.75, 1)),
    ]


def test_gym(write):
    write(
        "gym99_categories_v1.1.txt",
        "Clabel: 0; set: 1; Glabel: 1; (VT) round-off\nClabel: 1; set: 2; x; jump\n",
    )
    write("gym99_train_element_v1.1.txt", "A0_E_1_2_A_0001_0003 1\n")
    folder = write("gym99_val_element.txt", "B_E_1_2_A_0001_0003 0\n")
    listing = datasets.gym(folder)
    assert listing.class_names == ["(VT) round-off", "jump"]
    assert listing.splits["train"] == [Entry("A0_E_1_2_A_0001_0003", (1,))]


def test_folder_without_annotations(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected it to hold a file \*.csv"):
        datasets.kinetics(tmp_path)


class TestTheScript:
    """`prepare_lists.py` on videos and frames laid out like those of the datasets."""

    def lists(self, tmp_path, *flags):
        out = tmp_path / "lists"
        call("prepare lists", "--annotations", tmp_path, "--out", out, *flags)
        return out

    def test_videos(self, write, tmp_path):
        write("classInd.txt", "1 A\n2 B\n")
        write("trainlist01.txt", "A/v_1.avi 1\nB/v_2.avi 2\n")
        write("testlist01.txt", "B/v_3.avi\n")
        for name in ("A/v_1.avi", "B/v_3.avi"):
            (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
            write_video(tmp_path / "videos" / name, moving_gradient(3), "mpeg4")
        root = tmp_path / "videos"
        out = self.lists(tmp_path, "--dataset", "ucf101", "--data_root", root)
        assert (out / "train.txt").read_text() == "A/v_1.avi 0\n"
        assert (out / "val.txt").read_text() == "B/v_3.avi 1\n"
        assert (out / "class_names.txt").read_text() == "A\nB\n"
        assert (out / "missing.txt").read_text() == "B/v_2.avi\n"

    def test_segments_of_frames(self, write, tmp_path):
        segment = [{"segment": [2.0, 12.0], "label": "Surfing"}]
        video = {"duration": 20.0, "annotations": segment, "subset": "validation"}
        write("activity_net.v1-3.min.json", {"database": {"abc": video}})
        write_frames(tmp_path / "frames" / "v_abc", moving_gradient(40), "img_{:05}.png")
        flags = ("--dataset", "activitynet", "--clips", "--source", "rawframes")
        flags += ("--template", "img_{:05}.png", "--data_root", tmp_path / "frames")
        out = self.lists(tmp_path, *flags)
        (record,) = read_annotations(out / "val.txt", annotation_format=offset_lines)
        assert (record.path, record.offset, record.total_frames) == ("v_abc", 4, 20)

    def test_flow(self, write, tmp_path):
        for split in ("train", "validation"):
            write(f"jester-v1-{split}.csv", "12;Wave\n")
        write("jester-v1-labels.csv", "Wave\n")
        write_flow(tmp_path / "flow" / "12")
        flags = ("--dataset", "jester", "--source", "flow", "--template", "{}_{:05d}.png")
        out = self.lists(tmp_path, *flags, "--data_root", tmp_path / "flow")
        (record,) = read_annotations(out / "train.txt", annotation_format=frame_lines)
        assert (record.path, record.total_frames, record.labels) == ("12", 9, (0,))
