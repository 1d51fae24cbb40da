import struct

import numpy as np
import pytest
import tensorflow as tf

from keras_video.data import DecodeError
from keras_video.data.decoding.images import (
    apply_orientation,
    decode_image,
    decode_jpegs,
    exif_orientation,
    jpeg_size,
    jpeg_window,
    read_image,
)
from tests.images import write_image
from tests.videos import moving_gradient

pytestmark = pytest.mark.unit

(PICTURE,) = moving_gradient(1, 30, 42)


def with_orientation(path, number, order="<"):
    """Inserts EXIF data with this orientation after the first marker of a JPEG."""
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, number, 0)
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    block = b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)
    data = path.read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    path.write_bytes(data[:2] + segment + data[2:])
    return path


def test_png_is_read_exactly(tmp_path):
    path = write_image(tmp_path / "a.png", PICTURE)
    np.testing.assert_array_equal(read_image(path), PICTURE)
    gray = write_image(tmp_path / "gray.png", PICTURE[..., :1])
    np.testing.assert_array_equal(read_image(gray, channels=1), PICTURE[..., :1])
    np.testing.assert_array_equal(read_image(gray), np.repeat(PICTURE[..., :1], 3, axis=-1))


def test_other_formats(tmp_path):
    height, width = PICTURE.shape[:2]
    rows = np.pad(PICTURE[::-1, :, ::-1].reshape(height, -1), ((0, 0), (0, -3 * width % 4)))
    header = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 54 + rows.size, 0, 54, 40, width, height, 1,
                         24, 0, rows.size, 0, 0, 0, 0)  # fmt: skip
    (tmp_path / "a.bmp").write_bytes(header + rows.tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), PICTURE)
    gray = read_image(tmp_path / "a.bmp", channels=1)
    assert gray.shape == (height, width, 1) and gray.std() > 5


def test_jpeg_equals_opencv(tmp_path):
    opencv = pytest.importorskip("cv2")
    path = write_image(tmp_path / "a.jpg", PICTURE, quality=60)
    np.testing.assert_array_equal(read_image(path), opencv.imread(str(path))[..., ::-1])
    gray = opencv.imread(str(path), opencv.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(read_image(path, channels=1)[..., 0], gray)
    for number in range(1, 9):
        with_orientation(write_image(path, PICTURE, quality=60), number)
        np.testing.assert_array_equal(read_image(path), opencv.imread(str(path))[..., ::-1])


@pytest.mark.parametrize("order", "<>")
def test_orientation(order, tmp_path):
    path = with_orientation(write_image(tmp_path / "a.jpg", PICTURE), 6, order)
    assert exif_orientation(path.read_bytes()) == 6
    plain = read_image(path, turn=False)
    # Orientation 6: the left column of the stored image is the top of the scene.
    np.testing.assert_array_equal(read_image(path), np.rot90(plain, -1))
    assert exif_orientation(write_image(path, PICTURE).read_bytes()) == 1


def test_every_orientation_has_its_own_rotation():
    results = [apply_orientation(PICTURE, number) for number in range(1, 9)]
    assert len({image.tobytes() for image in results}) == 8
    np.testing.assert_array_equal(apply_orientation(PICTURE, 3), np.rot90(PICTURE, 2))
    np.testing.assert_array_equal(apply_orientation(PICTURE, 8), np.rot90(PICTURE))
    np.testing.assert_array_equal(apply_orientation(PICTURE, 2), PICTURE[:, ::-1])


def test_damaged_files_are_named(tmp_path):
    good = write_image(tmp_path / "a.jpg", PICTURE).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(good[: len(good) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    problems = {"cut": "no intact", "empty": "is empty", "text": "no intact", "none": "No such"}
    for name, problem in problems.items():
        path = next(tmp_path.glob(f"{name}.*"), tmp_path / "none.jpg")
        with pytest.raises(DecodeError, match=f"{path.name}: .*{problem}"):
            read_image(path)
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(DecodeError, match="folder.jpg"):
        read_image(tmp_path / "folder.jpg")


def test_damaged_bytes_never_crash(tmp_path):
    good = write_image(tmp_path / "a.jpg", PICTURE).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(good)
        for place in random.integers(2, len(good), 5):
            data[place] = random.integers(256)
        (tmp_path / "a.jpg").write_bytes(bytes(data))
        try:
            assert read_image(tmp_path / "a.jpg").dtype == np.uint8
        except DecodeError as error:
            assert "a.jpg" in str(error)


def test_reads_inside_a_graph(tmp_path):
    path = write_image(tmp_path / "a.png", PICTURE)
    dataset = tf.data.Dataset.range(1).map(
        lambda _: tf.numpy_function(lambda _: read_image(path), [0], tf.uint8)
    )
    np.testing.assert_array_equal(next(iter(dataset)), PICTURE)


def encoded(picture, **options):
    return tf.io.encode_jpeg(picture, quality=80, **options).numpy()


@pytest.mark.parametrize("options", [{}, {"chroma_downsampling": False}, {"format": "grayscale"}])
@pytest.mark.parametrize("progressive", [False, True])
def test_windows_of_jpegs_equal_the_pixels_of_the_full_image(options, progressive):
    height, width = 61, 83
    (picture,) = moving_gradient(1, height, width)
    picture = picture[..., :1] if options.get("format") else picture
    data = encoded(picture, progressive=progressive, **options)
    whole = decode_image(data)
    generator = np.random.default_rng(0)
    for _ in range(60):
        box = [int(n) for n in (*generator.integers(1, 61, 2), *generator.integers(1, 83, 2))]
        top, bottom, left, right = *sorted(box[:2]), *sorted(box[2:])
        bottom, right = bottom + 1, right + 1
        window, inner = jpeg_window((top, left, bottom - top, right - left), width)
        part = decode_image(data, window=window)
        cut = part[inner[0] : inner[0] + inner[2], inner[1] : inner[1] + inner[3]]
        np.testing.assert_array_equal(cut, whole[top:bottom, left:right])
        np.testing.assert_array_equal(decode_jpegs([data, data], window), [part, part])


def test_windows_of_other_images_are_cropped():
    data = tf.io.encode_png(PICTURE).numpy()
    np.testing.assert_array_equal(decode_image(data, window=(3, 5, 7, 9)), PICTURE[3:10, 5:14])


def test_jpegs_are_decoded_together_unless_one_is_damaged():
    data = encoded(PICTURE)
    np.testing.assert_array_equal(decode_jpegs([data, data]), [decode_image(data)] * 2)
    assert decode_jpegs([data, data[: len(data) // 2]]) is None
    assert decode_jpegs([data, data[: len(data) // 2]], (0, 0, 8, 8)) is None


def test_the_stated_size_of_a_jpeg(tmp_path):
    data = encoded(PICTURE)
    assert jpeg_size(data) == PICTURE.shape[:2]
    assert jpeg_size(encoded(PICTURE, progressive=True)) == PICTURE.shape[:2]
    turned_file = with_orientation(write_image(tmp_path / "a.jpg", PICTURE), 6)
    assert jpeg_size(turned_file.read_bytes()) == PICTURE.shape[:2]
    for other in (b"", data[:30], tf.io.encode_png(PICTURE).numpy()):
        assert jpeg_size(other) is None
