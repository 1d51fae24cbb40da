"""Worker: videos loaded by decord or torchcodec, PyTorch's operations and a DataLoader.

A typical loader without a framework: the `sparse` and `dense` clips of keras_loading.py, in uint8
until they are normalized. Started by loading.py with `--plain`; needs torch, and decord or
torchcodec.
"""

import random

import loading_worker
import torch
import worker

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SHORT_SIDE, SIZE = 256, 224
SCALES = (1, 0.875, 0.75, 0.66)


def decord_frames(path, indices):
    """Frames of a video: uint8 `(frames, 3, height, width)`."""
    import decord

    decord.bridge.set_bridge("torch")
    frames = decord.VideoReader(path, num_threads=1).get_batch(indices)
    return frames.permute(0, 3, 1, 2).contiguous()


def torchcodec_frames(path, indices):
    """Frames of a video, as `decord_frames` returns them."""
    from torchcodec.decoders import VideoDecoder

    return VideoDecoder(path, num_ffmpeg_threads=1).get_frames_at(indices).data


DECODERS = {"decord": decord_frames, "torchcodec": torchcodec_frames}


def indices_of(case, total):
    """Frame indices of a training clip."""
    if case == "sparse":
        length = total / 8
        return [min(total - 1, int(length * (segment + random.random()))) for segment in range(8)]
    start = random.randrange(max(1, total - 63))
    return [(start + 2 * step) % total for step in range(32)]


def box_of(case, height, width):
    """Top, left, height and width of a random crop."""
    if case == "sparse":
        side = min(height, width)
        high, wide = (int(side * random.choice(SCALES)) for _ in range(2))
    else:
        for _ in range(10):
            area = height * width * random.uniform(0.08, 1.0)
            ratio = random.uniform(3 / 4, 4 / 3)
            high, wide = int((area / ratio) ** 0.5), int((area * ratio) ** 0.5)
            if high <= height and wide <= width:
                break
        else:
            high = wide = min(height, width)
    return random.randint(0, height - high), random.randint(0, width - wide), high, wide


def resize(frames, size):
    """Frames resized with bilinear interpolation."""
    return torch.nn.functional.interpolate(frames, size=size, mode="bilinear")


class Clips(torch.utils.data.Dataset):
    """The clips of a list: float32 `(3, frames, height, width)` and a label."""

    def __init__(self, entries, case, decoder):
        self._entries, self._case, self._decode = entries, case, DECODERS[decoder]
        self._mean = torch.tensor(MEAN)[:, None, None, None]
        self._scale = 1 / torch.tensor(DEVIATION)[:, None, None, None]

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, position):
        path, total, label = self._entries[position]
        frames = self._decode(path, indices_of(self._case, total))
        height, width = frames.shape[-2:]
        scale = SHORT_SIDE / min(height, width)
        frames = resize(frames, (round(height * scale), round(width * scale)))
        top, left, high, wide = box_of(self._case, *frames.shape[-2:])
        clip = resize(frames[..., top : top + high, left : left + wide], (SIZE, SIZE))
        if random.random() < 0.5:
            clip = clip.flip(-1)
        return (clip.transpose(0, 1).float() - self._mean) * self._scale, label


def prepare(args):
    """Starts the loader's processes; returns `(run, facts)`."""
    torch.set_num_threads(1)
    random.seed(0)
    workers = args.calls if args.calls > 1 else 0
    loader = torch.utils.data.DataLoader(
        Clips(loading_worker.entries(args.list), args.case, args.decoder),
        batch_size=args.batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def run():
        return [tuple(clips.shape) for clips, _ in loader]

    facts = loading_worker.facts_of(run())
    return run, facts | {"torch": torch.__version__, "decoder": args.decoder}


if __name__ == "__main__":
    parser = loading_worker.build_parser()
    parser.add_argument("--decoder", choices=DECODERS, required=True)
    arguments = parser.parse_args()
    worker.serve(lambda: prepare(arguments))
