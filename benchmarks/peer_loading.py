"""Worker: MMAction2 0.24.1's pipelines (decord, OpenCV, librosa) in a PyTorch DataLoader.

Runs in the environment that peer_environment.py describes; started by loading.py.
"""

import loading_worker
import peer_environment
import torch
import worker
from loading_worker import TEMPLATE

MEAN_AND_STD = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
SHORT_SIDE = {"type": "Resize", "scale": (-1, 256)}
SQUARE = {"type": "Resize", "scale": (224, 224), "keep_ratio": False}
FLIP = {"type": "Flip", "flip_ratio": 0.5}
MULTI_SCALE = {
    "type": "MultiScaleCrop",
    "input_size": 224,
    "scales": (1, 0.875, 0.75, 0.66),
    "random_crop": False,
    "max_wh_scale_gap": 1,
}

NORMALIZE = {"type": "Normalize", **MEAN_AND_STD, "to_bgr": False}
SEGMENTS = {"clip_len": 1, "frame_interval": 1, "num_clips": 8}


def images(reading, sampling, transforms, layout):
    """An image pipeline, from the transforms that open and decode, and the key of its result."""
    opening, decoding = reading
    sampling = {"type": "SampleFrames", **sampling}
    end = [NORMALIZE, {"type": "FormatShape", "input_format": layout}]
    return [*opening, sampling, {"type": decoding}, *transforms, *end], "imgs"


def audio():
    """The audio pipeline, and the key of its result."""
    return [
        {"type": "AudioDecodeInit"},
        {"type": "SampleFrames", "clip_len": 64, "frame_interval": 1, "num_clips": 1},
        {"type": "AudioDecode"},
        {"type": "AudioAmplify", "ratio": 1.5},
        # Its `fixed_length` cuts the axis of bands: more than the number of bands would fail.
        {"type": "MelSpectrogram", "fixed_length": 80},
        {"type": "FormatAudioShape", "input_format": "NCTF"},
    ], "audios"


VIDEO = [{"type": "DecordInit"}], "DecordDecode"
FRAMES = [], "RawFrameDecode"
TSN = (SHORT_SIDE, MULTI_SCALE, SQUARE, FLIP)
CASES = {
    "sparse": images(VIDEO, SEGMENTS, TSN, "NCHW"),
    "dense": images(
        VIDEO,
        {"clip_len": 32, "frame_interval": 2, "num_clips": 1},
        (SHORT_SIDE, {"type": "RandomResizedCrop"}, SQUARE, FLIP),
        "NCTHW",
    ),
    "views": images(
        VIDEO,
        {"clip_len": 8, "frame_interval": 8, "num_clips": 10, "test_mode": True},
        (SHORT_SIDE, {"type": "ThreeCrop", "crop_size": 256}),
        "NCTHW",
    ),
    "frames": images(FRAMES, SEGMENTS, TSN, "NCHW"),
    "audio": audio(),
}
# The keys that identify the input of a pipeline, unless it is a video.
NAMED = {
    "frames": lambda path: {"frame_dir": path, "filename_tmpl": TEMPLATE, "start_index": 1},
    "audio": lambda path: {"audio_path": path},
}


class Clips(torch.utils.data.Dataset):
    """The clips of a list, processed by the pipeline of a case."""

    def __init__(self, entries, case):
        from mmaction.datasets.pipelines import Compose

        self._entries, self._case = entries, case
        transforms, key = CASES[case]
        end = [
            {"type": "Collect", "keys": [key, "label"], "meta_keys": []},
            {"type": "ToTensor", "keys": [key, "label"]},
        ]
        self._pipeline = Compose([*transforms, *end])

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, position):
        path, frames, label = self._entries[position]
        source = NAMED.get(self._case, lambda path: {"filename": path})(path)
        info = {"label": label, "total_frames": frames, "modality": "RGB", "start_index": 0}
        return self._pipeline(info | source)


def prepare(args):
    """Starts the loader's processes; returns `(run, facts)`."""
    import cv2
    import decord

    peer_environment.fill_gaps()
    # As in MMAction2's own tools: every worker process computes in one thread.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    key = CASES[args.case][1]
    workers = args.calls if args.calls > 1 else 0
    loader = torch.utils.data.DataLoader(
        Clips(loading_worker.entries(args.list), args.case),
        batch_size=args.batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def run():
        return [tuple(batch[key].shape) for batch in loader]

    facts = loading_worker.facts_of(run())
    return run, facts | {"decord": decord.__version__, "opencv": cv2.__version__}


if __name__ == "__main__":
    worker.serve(lambda: prepare(loading_worker.parse_arguments()))
