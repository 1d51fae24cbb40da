"""Long videos and cameras

A clip classifier gives one answer for a whole video. This page is about videos whose content
changes: sliding windows over hours of video, networks that carry a state from frame to frame, and
cameras.
"""

# %% [markdown]
# ## A longer video
#
# Three synthetic videos in a row, and a model that is trained briefly to tell them apart.

# %%
import itertools

import numpy as np

from keras_video import applications, data, inference, training, zoo

data.make_moving_shapes("made", videos_per_class=8, val_videos_per_class=1, frames=16, size=64)
row = zoo.resized(zoo.row("tsn_r18_1x1x4_moving_shapes"), 48)
train = data.row_dataset(row, "made/train", "train")
model = row.model(classes=train.class_names, input_shape=row.input_shape)
model.compile(training.SGD(0.01), "sparse_categorical_crossentropy")
model.fit(train, epochs=4, verbose=2)

parts = [f"made/val/{name}/0000.mp4" for name in ("red_circle", "green_square", "red_circle")]
with data.VideoWriter("long.mp4", data.frame_rate(parts[0])) as writer:
    for part in parts:
        for _, image in data.frames_in_order(part):
            writer.write(image)

# %% [markdown]
# ## Sliding windows
#
# Windows of `window` seconds, `stride` seconds apart. The video is decoded once, and only the
# frames of the current windows are kept, so memory does not grow with its length. Windows are
# measured in seconds, so variable frame rates work too.

# %%
windows = inference.predict_windows(model, "long.mp4", window=0.4, stride=0.2)
for start, end, scores in zip(windows.starts, windows.ends, windows.scores, strict=True):
    print(f"{start:5.2f} to {end:5.2f} s: {model.class_names[scores.argmax()]}")

# %% [markdown]
# `smoothed` smooths noisy scores, `at` returns the scores at a time, `mean` those of the video.

# %%
calm = windows.smoothed(0.5)
print(calm.at(1.0).round(2), calm.mean().round(2))

# %% [markdown]
# ## When something happens
#
# Times at which the best class changes, measured at the middles of the windows.

# %%
best = calm.scores.argmax(-1)
middles = (calm.starts + calm.ends) / 2
for label, group in itertools.groupby(range(len(best)), key=lambda number: best[number]):
    members = list(group)
    print(f"{middles[members[0]]:.2f} to {middles[members[-1]]:.2f} s: {model.class_names[label]}")

# %% [markdown]
# The same as a command, which draws the scores under the frames and keeps the audio of the video
# (`--out` needs the extra `keras-video[plots]`):
#
# ```sh
# keras-video predict long.mp4 --model model.keras --window 3 --stride 1 --out scores.mp4
# ```

# %%
inference.draw_scores("scores.mp4", "long.mp4", windows, model.class_names, top=2, verbose=0)
print(data.open_video("scores.mp4").total_frames)

# %% [markdown]
# ## Frame by frame, with a state
#
# Causal networks need no window: TSM in its online form (`online=True`) and MoViNet's streams
# (`stream=True`) take the next frame and keep what they need of earlier ones. A step costs one
# frame.

# %%
online = applications.MoViNet(variant="a0", stream=True, classes=4, input_shape=(8, 64, 64, 3))
stream = inference.Stream(online)
frames = data.open_video("long.mp4").read(range(8)).astype("float32") / 255
for frame in frames:
    scores = stream(frame)
np.testing.assert_allclose(scores, online.predict(frames[None], verbose=0)[0], atol=1e-5)
print(stream.frames, scores.round(3))

# %% [markdown]
# A file of any length goes through such a network frame by frame. Intermediate scores are
# reported at an interval; the last are those of the whole video, as for one clip of all its frames.
#
# ```sh
# keras-video predict long.mp4 --row movinet_a0_stream --stream --every 2
# ```

# %%
online.protocol = zoo.row("movinet_a0_stream_8x2x1_moving_shapes").protocol()
for update in inference.stream_video(online, "long.mp4", every=2):
    print(f"after {update.end:.2f} s: {update.scores.round(3)}")

# %% [markdown]
# The state can be saved and restored, `numpy.savez("state.npz", **stream.state)`, and
# `inference.export_stream` writes one step to a file that runs without Keras.

# %%
inference.export_stream(online, "step.tflite", "litert")
exported = inference.load_exported_stream("step.tflite")
for frame in frames:
    exported_scores = exported(frame)
np.testing.assert_allclose(exported_scores, scores, atol=1e-4)

# %% [markdown]
# ## Cameras
#
# `keras-video webcam` shows the first camera in a browser, with the best classes drawn into the
# image; `--camera` takes a number, a device, an address (`rtsp://...`) or a file, which plays at
# its own frame rate. In Python, `LatestFrames` drops frames that arrive while the model is busy, so
# that the scores are always of the latest frame.

# %%
live = inference.LiveModel(model)
with data.LatestFrames(data.live_frames("long.mp4")) as camera:
    for update in inference.live_scores(live, camera, rate=8):
        label = model.class_names[update.scores.argmax()]
        print(f"{label}, {1000 * update.latency:.0f} ms after the frame arrived")

# %% [markdown]
# ## Features of many videos
#
# For search, or to train a small model on: `keras-video features videos --model model.keras --out
# features` writes one array per video, and resumes where it stopped when started again. In Python:

# %%
features = inference.feature_model(model)
clip = next(iter(train))[0]
print(np.shape(features(clip)))
