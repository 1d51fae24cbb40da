"""Coming from MMAction2

The 195 rows of MMAction2's recognition tables are available under the names of their configs, with
the settings of these configs as typed data, and their checkpoints load without PyTorch:

```python
import keras_video
from keras_video import zoo

row = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
model = row.model(weights=True)
model = keras_video.load("work_dirs/tsn/epoch_100.pth")  # your own checkpoint
```

An unchanged config is therefore a row, and a changed one is a row with a few flags. The tables
below list the counterpart of each field.
"""

# %% [markdown]
# ## A config, read back

# %%
from keras_video import data, training, zoo

row = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
print(row.sampling.train)
print(row.spatial.train)
print(row.optimizer.learning_rate, row.schedule.policy, row.schedule.steps, row.epochs)
print(row.batch_size_per_device, row.gpus, row.gradient_clip)

# %% [markdown]
# The training pipeline of this config written out, as the row builds it:

# %%
transforms = [
    data.Resize(short_side=256),
    data.MultiScaleCrop(224, (1, 0.875, 0.75, 0.66)),
    data.Flip(0.5),
    data.Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
]
assert data.row_sampling(row, "train") == data.SampleFrames(clip_len=1, num_clips=3)
assert data.row_transforms(row, "train") == transforms

# %% [markdown]
# ## The training
#
# | MMAction2 0.x, 1.x | row | `keras-video train` |
# | --- | --- | --- |
# | `videos_per_gpu`, `train_dataloader.batch_size` | `row.batch_size_per_device` | `--batch_size` (all devices) |
# | `total_epochs`, `train_cfg.max_epochs` | `row.epochs` | `--epochs` |
# | `optimizer.lr` | `row.optimizer.learning_rate` | `--learning_rate` (of the row's batch size; scaled as by `auto_scale_lr`) |
# | `optimizer.paramwise_cfg` of TSM | `row.optimizer.grouped`, `training.tsm_multipliers(fc_lr5=)` | |
# | `optimizer_config.grad_clip.max_norm` | `row.gradient_clip` | |
# | `optimizer_config` of `GradientCumulativeOptimizerHook` | | `--accumulate` |
# | `lr_config`, `param_scheduler` | `row.schedule.policy`, `row.schedule.steps`, `row.schedule.warmup` | |
# | `load_from`, `pretrained` | `row.initial_weights` | `--weights` |
# | `resume_from`, `resume` | | `--resume` (automatic) |
# | `work_dir` | | `--work_dir` |
# | `checkpoint_config`, `evaluation.save_best` | | every epoch and the best one are kept |
# | `evaluation.interval`, `val_interval` | `row.evaluation_interval` | `--validate` |
# | `evaluation.metrics` | | the usual ones: `training.score_report(scores=, labels=)` |
# | `seed`, `randomness` | | `--seed`, `--deterministic` |
# | `fp16`, `AmpOptimWrapper` | | `--mixed_precision` |
# | `EMAHook` | `row.ema` | `--ema` |
# | `precise_bn` | `row.precise_bn` | `training.PreciseBatchNorm(iterations=, interval=)` |
# | `multigrid` | `row.multigrid` | `training.fit_multigrid` |
# | `train_cfg.aux_info`, `omnisource` | `row.joint` | `--joint_lists`, `--joint_roots` |
# | `blending` (`MixupBlending`, `CutmixBlending`) | `row.mixup_alpha`, `row.cutmix_alpha` | `data.MixUp(classes=, alpha=)`, `data.CutMix(classes=, alpha=)` |
# | `dist_params`, `--launcher` | | all devices; `TF_CONFIG` for several machines |
#
# ## The model
#
# | MMAction2 | here |
# | --- | --- |
# | `Recognizer2D`, `Recognizer3D`, `AudioRecognizer` | no separate classes: `row.constructor`, `row.arguments` |
# | `backbone.depth` | `applications.SlowOnly(depth=)`, `applications.TSN(backbone=)` |
# | `backbone.num_segments` | `applications.TSM(segments=)`, or the frames of `input_shape` |
# | `backbone.frozen_stages` | `training.freeze_stages(model=, stages=)` |
# | `backbone.norm_eval`, `partial_bn` | `row.norm.eval_mode`, `row.norm.partial`, `training.freeze_batch_norm(model=, except_first=)` |
# | `SyncBN` | `row.norm.synchronized` |
# | `cls_head.num_classes` | `applications.TSN(classes=)` |
# | `cls_head.dropout_ratio` | `applications.TSN(dropout=)` |
# | `cls_head.loss_cls` | `row.loss.kind`, `training.row_loss` |
# | `test_cfg.average_clips`, `cls_head.average_clips` | `row.score_average` |
# | `test_cfg.max_testing_views` | `row.max_views`, `training.evaluate_views(max_views=)` |
# | `fcn_test` | whole crops: views larger than the model's input are scored unchanged |
# | `data_preprocessor.mean`, `img_norm_cfg` | `row.normalize` |
# | `input_format` (`NCHW`, `NCTHW`) | always `(batch, frames, height, width, channels)` |
#
# ## Data
#
# | MMAction2 | here |
# | --- | --- |
# | `VideoDataset` | `data.video_dataset(annotation_file=, root=)`, `data.Videos()` |
# | `RawframeDataset`, `filename_tmpl`, `start_index` | `data.RawFrames(template=, start_index=)` |
# | `RawframeDataset` with `modality='Flow'` | `data.FlowFrames(template=)` |
# | `with_offset` | `data.offset_lines` |
# | `multi_class` | `data.video_dataset(multi_label=)` |
# | `ann_file`, `data_prefix`, `data_root` | `data.row_dataset(what=, root=)` |
# | `AudioDataset`, `AudioVisualDataset` | `data.audio_dataset`, `data.audiovisual_dataset` |
# | `ImageDataset`, `HVUDataset` | `data.Images(frames=)`, `data.TaggedJson(categories=)` |
# | `RepeatDataset` | `data.repeated(records=, times=)` |
# | `ClassBalanced...`, `power` | `data.ClassBalanced(power=)` |
# | `workers_per_gpu` | `data.video_dataset(num_parallel_calls=)` |
#
# ## Pipelines
#
# | MMAction2 | here |
# | --- | --- |
# | `DecordInit`, `PyAVInit`, `DecordDecode` | the reader opens and decodes; `data.Videos(decoder=)` |
# | `SampleFrames` | `data.SampleFrames(clip_len=, frame_interval=, num_clips=, twice_sample=)` |
# | `out_of_bound_opt` | `data.SampleFrames(out_of_bound=)` |
# | `DenseSampleFrames` | `data.DenseSampleFrames(sample_range=, num_sample_positions=)` |
# | `UntrimmedSampleFrames` | `data.UntrimmedSampleFrames(clip_len=, frame_interval=)` |
# | `Resize(scale=(-1, 256))` | `data.Resize(short_side=)` |
# | `RandomRescale` | `data.RandomRescale(short_side=)` |
# | `RandomCrop`, `CenterCrop`, `ThreeCrop`, `TenCrop` | `data.RandomCrop`, `data.CenterCrop`, `data.ThreeCrop`, `data.TenCrop` |
# | `RandomResizedCrop` and `Resize(keep_ratio=False)` | `data.RandomResizedCrop(size=, area_range=, aspect_ratio_range=)` |
# | `MultiScaleCrop` | `data.MultiScaleCrop(scales=, max_wh_scale_gap=, num_fixed_crops=)` |
# | `Flip(flip_ratio, flip_label_map)` | `data.Flip(probability=, label_map=)` |
# | `ColorJitter`, `Imgaug` | `data.ColorJitter(brightness=)`, `data.RandAugment.imgaug` |
# | `PytorchVideoWrapper` | `data.RandAugment`, `data.AugMix(width=, alpha=)` |
# | `Normalize(mean, std, to_bgr)` | `data.Normalize(mean=, std=, to_bgr=)` |
# | `FormatShape`, `Collect`, `ToTensor` | nothing: clips are ready for the model |
#
# ## Tools
#
# | MMAction2 | here |
# | --- | --- |
# | `tools/train.py` | `keras-video train --row` |
# | `tools/test.py --eval` | `keras-video evaluate --row --list` |
# | `demo/demo.py`, `demo/long_video_demo.py` | `keras-video predict --window --stride --out` |
# | `demo/webcam_demo.py` | `keras-video webcam --camera` |
# | `demo/demo_gradcam.py` | `keras-video gradcam --out` |
# | `tools/analysis/get_flops.py` | `keras-video summary --row --layers` |
# | `tools/analysis/analyze_logs.py` | `keras-video plot --columns` |
# | `tools/analysis/report_accuracy.py` | `keras-video fuse --coefficients` |
# | `tools/analysis/benchmark.py` | `keras-video benchmark --row` |
# | `tools/misc/clip_feature_extraction.py` | `keras-video features --list --out` |
# | `tools/deployment/pytorch2onnx.py` | `keras-video export --format` |
# | `tools/data/build_rawframes.py` | `keras-video prepare frames --videos --out`, `keras-video prepare flow` |
# | `tools/data/build_file_list.py` | `keras-video prepare lists --dataset --annotations` |
# | `tools/analysis/check_videos.py` | `keras-video check --list` |
#
# ## What is the same, and what is not
#
# - The tests compare the logits of the published checkpoints with those of MMAction2, and samplers,
#   crops, losses, optimizers and schedules with values computed by MMAction2 and PyTorch.
# - Spatio-temporal detection, localization and skeletons are out of scope: this package is for
#   classification.
# - Config files are not read. Write a script (`recipes/train_tsn.py` is one), or a row (see
#   [Contributing](../CONTRIBUTING.md)).
# - Learning rates are for the batch size of the row, and `keras-video train` scales them. In your
#   own script, `training.LearningRateScaling` does.

# %%
scaling = training.LearningRateScaling(row.batch_size, 16)
print(f"published for batches of {row.batch_size}: {row.optimizer.learning_rate}")
optimizer = training.row_optimizer(row, steps_per_epoch=100, epochs=10)
print(type(optimizer).__name__, type(optimizer._learning_rate).__name__)

# %% [markdown]
# ## The same model, a few flags changed
#
# ```sh
# keras-video train --row tsn_r50_1x1x3_100e_kinetics400_rgb --weights imagenet \
#     --train_list train.txt --val_list val.txt --data_root videos \
#     --epochs 50 --batch_size 64 --work_dir runs/tsn
# ```
#
# is a config with `_base_`, another `data`, `total_epochs` and `videos_per_gpu`.

# %%
changed = zoo.with_views(zoo.resized(row, 112), 5, 1)
print(changed.input_shape, changed.views)
