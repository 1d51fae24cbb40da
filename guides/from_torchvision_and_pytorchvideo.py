"""Coming from torchvision and PyTorchVideo

Weights of both projects load without PyTorch, published ones by the name of a row, your own from a
file:

```python
import keras_video
from keras_video import zoo

model = zoo.row("torchvision/r3d_18/KINETICS400_V1").model(weights=True)
model = zoo.row("pytorchvideo/kinetics/SLOWFAST_8x8_R50").model(weights=True)
model = keras_video.load("my_x3d.pyth")
```

The network is identified by the names and shapes in the file; tests compare the logits with those
of the originals. This page lists the counterpart of each part.
"""

# %% [markdown]
# ## Models
#
# | torchvision | constructor here | PyTorchVideo (hub name) | constructor here |
# | --- | --- | --- | --- |
# | `r3d_18`, `mc3_18` | `applications.VideoResNet(kind=)` | `slow_r50` | `applications.SlowOnly(depth=)` |
# | `r2plus1d_18` | `applications.VideoResNet(kind=)` | `slowfast_r50`, `slowfast_r101` | `applications.SlowFast(slow_depth=)` |
# | `s3d` | `applications.S3D` | `x3d_xs` to `x3d_l` | `applications.X3D(gamma_d=)` |
# | `mvit_v1_b`, `mvit_v2_s` | `applications.MViT` | `mvit_base_16x4`, `mvit_base_32x3` | `applications.MViT` |
# | `swin3d_t`, `swin3d_s`, `swin3d_b` | `applications.Swin3D` | `csn_r101` | `applications.CSN` |
# | | | `i3d_r50`, `c2d_r50` | `applications.I3D`, `applications.C2D` |
# | | | `r2plus1d_r50` | `applications.R2Plus1D` |

# %%
from keras_video import data, zoo

for origin in ("torchvision", "pytorchvideo"):
    rows = [row for row in zoo.rows() if row.id.startswith(f"{origin}/")]
    print(f"{origin}: {len(rows)} rows")
    for row in rows[:3]:
        print(" ", row)

# %% [markdown]
# ## Clips
#
# | | torchvision, PyTorchVideo | here |
# | --- | --- | --- |
# | layout of a batch | `(batch, channels, frames, height, width)` | `(batch, frames, height, width, channels)` |
# | pixels | 0 to 1, then mean and standard deviation on that scale | 0 to 255, mean and standard deviation on that scale: `data.Normalize(mean=, std=)` |
# | SlowFast's input | a list of two clips (`PackPathway`) | one clip: the slow pathway selects its frames itself |
# | several views | your own loop | an axis `(batch, views, ...)`, averaged by the model |
#
# ## Transforms
#
# Transforms work on whole clips, with the same random parameters for all frames.
#
# | torchvision, PyTorchVideo | here |
# | --- | --- |
# | `VideoClassification(crop_size=, resize_size=)`, the presets of weights | `data.row_transforms(row=, phase=)`, `model.protocol` |
# | `UniformTemporalSubsample(n)` | `data.SampleFrames(clip_len=, num_clips=)` with `clip_len=1` |
# | `RandomClipSampler`, `UniformClipSampler` | `data.SampleFrames(clip_len=, frame_interval=, num_clips=)` |
# | `ConstantClipsPerVideoSampler` | `data.SampleFrames(num_clips=)`, `zoo.with_views(row=, clips=, crops=)` |
# | `ShortSideScale(256)` | `data.Resize(short_side=)` |
# | `RandomShortSideScale(256, 320)` | `data.RandomRescale(short_side=)` |
# | `RandomResizedCrop` | `data.RandomResizedCrop(size=, area_range=, aspect_ratio_range=)` |
# | `CenterCropVideo`, `RandomCropVideo`, `UniformCropVideo` | `data.CenterCrop`, `data.RandomCrop`, `data.ThreeCrop` |
# | `RandomHorizontalFlipVideo` | `data.Flip(probability=)` |
# | `NormalizeVideo`, `Div255` | `data.Normalize(mean=, std=)` |
# | `AugMix`, `RandAugment` | `data.AugMix(width=, alpha=)`, `data.RandAugment` |
# | `MixUp`, `CutMix`, `MixVideo` | `data.MixUp(classes=, alpha=)`, `data.CutMix(classes=, alpha=)`, `data.MixUpOrCutMix` |
# | `RandomErasing` | `data.RandomErasing(probability=)` |
#
# ## Datasets
#
# | torchvision, PyTorchVideo | here |
# | --- | --- |
# | `Kinetics`, `LabeledVideoDataset` | `data.video_dataset(annotation_file=, root=)`, `data.row_dataset(row=, what=, phase=)` |
# | `LabeledVideoPaths.from_directory` | `data.video_dataset_from_directory(folder=)` |
# | `LabeledVideoPaths.from_csv` | `data.video_dataset`: the lines are `path label` too |
# | `UCF101`, `HMDB51` | `keras-video prepare lists --dataset --annotations` |
# | `read_video`, `EncodedVideo.get_clip` | `data.open_video(path=)`, `data.frames_in_order(path=)` |
# | `VideoReader` | `data.frames_in_order(path=)`, `data.live_frames(source=)` |
# | `write_video` | `data.VideoWriter(path=, rate=)` |

# %% [markdown]
# torchvision's preset for its ResNets, as stored in the row:

# %%
row = zoo.row("torchvision/r3d_18/KINETICS400_V1")
print(data.row_sampling(row, "test"))
for transform in data.row_transforms(row, "test"):
    print(transform)
mean = (0.43216, 0.394666, 0.37645)  # as torchvision states it, of pixels from 0 to 1
assert data.row_transforms(row, "test")[-1].mean == tuple(round(255 * value, 5) for value in mean)

# %% [markdown]
# ## A small model, to see the shapes

# %%
import numpy as np

small = zoo.row("r2plus1d_18_8x2x1_moving_shapes_torchvision").model(classes=4)
shape = tuple(size or 32 for size in small.input_shape[1:])
torch_clip = np.zeros((2, shape[3], *shape[:3]), "float32")  # (batch, channels, frames, h, w)
clip = torch_clip.transpose(0, 2, 3, 4, 1)
print(torch_clip.shape, "->", clip.shape, "->", small.predict(clip, verbose=0).shape)

# %% [markdown]
# ## The loop
#
# | PyTorch | here |
# | --- | --- |
# | `model.eval(); with torch.no_grad()` | `model.predict(clips)`, `model(clips, training=False)` |
# | `model.blocks[-1].proj = nn.Linear(...)` | `row.model(weights=True, classes=10)`: a new classifier |
# | `for p in model.parameters(): p.requires_grad = False` | `model.freeze_until("fc_cls")` |
# | `torch.save(model.state_dict())` | `model.save("model.keras")`, or `save_weights` |
# | `torch.jit.script`, `torch.onnx.export` | `inference.export_model(model=, path=, format=)` |
# | `DistributedDataParallel` | `keras-video train`: all devices, `TF_CONFIG` for machines |
# | `torch.optim.SGD` | `training.SGD(learning_rate=, momentum=)`, which computes the same |
