import numpy as np
import pytest

from keras_video.inference.score_files import Scores, fuse_scores, read_scores, write_scores

pytestmark = pytest.mark.unit

NAMES = ("a/one.mp4", "a/two.mp4", "b/three.mp4")
SCORES = np.array([[2, 0, 1], [0, 3, 1], [1, 1, 0]], np.float32)
LABELS = np.array([0, 1, 2])


def scores(names=NAMES, values=SCORES, labels=LABELS, class_names=None, source="x.npz"):
    return Scores(names, np.asarray(values, np.float32), labels, class_names, source)


def reordered(order, **changes):
    return scores(tuple(NAMES[i] for i in order), SCORES[order], LABELS[order], **changes)


@pytest.mark.parametrize("labels", [None, LABELS, np.eye(3, dtype="float32")], ids=np.shape)
def test_a_file_is_restored_as_written(tmp_path, labels):
    path = tmp_path / "new" / "scores.npz"
    write_scores(path, ["ü ber.mp4", "b.mp4", "c.mp4"], SCORES, labels, ["x", "y", "z"])
    restored = read_scores(path)
    assert restored.names == ("ü ber.mp4", "b.mp4", "c.mp4")
    assert restored.class_names == ("x", "y", "z")
    assert restored.source == str(path)
    np.testing.assert_array_equal(restored.scores, SCORES)
    if labels is None:
        assert restored.labels is None
    else:
        np.testing.assert_array_equal(restored.labels, labels)
    assert [file.name for file in path.parent.iterdir()] == ["scores.npz"]


def test_fuses_by_name_regardless_of_order():
    fused = fuse_scores([scores(), reordered([2, 0, 1])], [1, 0.5])
    assert fused.names == NAMES
    np.testing.assert_allclose(fused.scores, 1.5 * SCORES)
    np.testing.assert_array_equal(fused.labels, LABELS)


def test_any_number_of_parts_with_default_coefficients_of_one():
    np.testing.assert_allclose(fuse_scores([scores()] * 3).scores, 3 * SCORES)
    np.testing.assert_allclose(fuse_scores([scores()]).scores, SCORES)


def test_softmax_is_applied_to_each_part_before_the_sum():
    other = scores(values=SCORES + 1000)
    fused = fuse_scores([scores(), other], softmax=True)
    expected = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
    np.testing.assert_allclose(fused.scores, 2 * expected, rtol=1e-4)


def test_labels_and_class_names_come_from_the_files_that_have_them():
    named = scores(class_names=("x", "y", "z"))
    fused = fuse_scores([scores(labels=None), named, scores(labels=None)])
    np.testing.assert_array_equal(fused.labels, LABELS)
    assert fused.class_names == ("x", "y", "z")


def test_names_may_be_compared_partially():
    audio = scores(("one.wav", "two.wav", "three.wav"))
    with pytest.raises(ValueError, match="3 videos of x.npz are missing: 'a/one.mp4'"):
        fuse_scores([scores(), audio])
    fused = fuse_scores(
        [scores(), audio], name=lambda name: name.rpartition("/")[2].partition(".")[0]
    )
    assert fused.names == NAMES


BAD_PARTS = {
    "missing": (scores(NAMES[:2], SCORES[:2], LABELS[:2]), "x.npz: 1 videos of first"),
    "extra": (
        scores((*NAMES, "d"), np.zeros((4, 3)), np.zeros(4, int)),
        "first: 1 videos of x.npz are missing: 'd'",
    ),
    "twice": (scores(("a", "b", "b")), "received the video 'b' twice"),
    "classes": (scores(values=np.zeros((3, 2))), "received scores of 2 classes, expected 3"),
    "labels": (scores(labels=np.array([0, 2, 2])), "received label 2 for 'a/two.mp4', expected 1"),
    "multi_label": (scores(labels=np.eye(3)), r"received labels of shape \(3, 3\)"),
    "class_names": (scores(class_names=("x", "z", "y")), "received the name 'z' for class 1"),
    "not_finite": (scores(values=SCORES + [[0], [np.inf], [0]]), "'a/two.mp4' are not finite"),
}


@pytest.mark.parametrize("case", BAD_PARTS)
def test_mismatched_parts_are_named(case):
    other, message = BAD_PARTS[case]
    first = scores(class_names=("x", "y", "z"), source="first")
    with pytest.raises(ValueError, match=message):
        fuse_scores([first, other])


def test_a_coefficient_is_needed_for_every_part():
    with pytest.raises(ValueError, match=r"2 parts and coefficients \[1\]"):
        fuse_scores([scores(), scores()], [1])


def test_files_without_scores_are_named(tmp_path):
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "other.npz", names=np.array(["a"]))
    np.savez(tmp_path / "objects.npz", names=np.array([{}]), scores=SCORES)
    for name in ("text", "objects"):
        with pytest.raises(ValueError, match=f"{name}.npz: expected a score file"):
            read_scores(tmp_path / f"{name}.npz")
    with pytest.raises(ValueError, match=r"other.npz: received arrays \['names'\], expected also"):
        read_scores(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="gone.npz"):
        read_scores(tmp_path / "gone.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], SCORES), "received 1 names"),
        ((NAMES, SCORES[0]), "shape"),
        ((NAMES, SCORES, LABELS[:2]), r"labels of shape \(2,\)"),
        ((NAMES, SCORES, LABELS, ["x"]), "1 class names, expected 3"),
    ],
)
def test_inconsistent_shapes_are_not_written(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_scores(tmp_path / "scores.npz", *arguments)
    with pytest.raises(ValueError, match="ends in .npz"):
        write_scores(tmp_path / "scores.txt", NAMES, SCORES)
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_utf8_are_restored(tmp_path):
    names = ("caf\udce9.mp4", "a\nb.mp4", " c ")
    write_scores(tmp_path / "a.npz", names, np.eye(3), class_names=["\udcff", "b", "c"])
    restored = read_scores(tmp_path / "a.npz")
    assert restored.names == names and restored.class_names == ("\udcff", "b", "c")


def test_columns_of_labels_are_indices(tmp_path):
    write_scores(tmp_path / "a.npz", ("a", "b"), np.eye(2), np.array([[0], [1]]))
    assert read_scores(tmp_path / "a.npz").labels.tolist() == [0, 1]


def test_averaging_a_single_output_preserves_the_threshold_of_one_half():
    parts = [
        Scores(("a", "b"), np.array(values, np.float32), class_names=("no", "yes"))
        for values in ([[0.9], [0.1]], [[0.3], [0.5]])
    ]
    np.testing.assert_allclose(fuse_scores(parts).scores, [[0.6], [0.3]], rtol=1e-6)
    np.testing.assert_allclose(fuse_scores(parts, [3, 1]).scores, [[0.75], [0.2]], rtol=1e-6)
    logits = [Scores(("a",), np.array([[np.log(4)]], np.float32))]
    np.testing.assert_allclose(fuse_scores(logits, softmax=True).scores, [[0.8]], rtol=1e-6)
    with pytest.raises(ValueError, match=r"coefficients \[1, -1\], whose sum is 0"):
        fuse_scores(parts, [1, -1])
