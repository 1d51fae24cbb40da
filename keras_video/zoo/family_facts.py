"""The text of model cards: what a family is, when to choose it, and how to cite it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes:
        title: name of the method.
        constructor: in `keras_video.applications`.
        arxiv: arXiv number of the paper.
        paper: its title.
        authors: as they are cited.
        year: of the paper.
        what: what the network is, in a few sentences.
        when: what it is a good choice for, and what it is not.
    """

    title: str
    constructor: str
    arxiv: str
    paper: str
    authors: str
    year: int
    what: str
    when: str


FAMILIES = {
    "audio": Family(
        "Audio ResNet",
        "AudioResNet",
        "2001.08740",
        "Audiovisual SlowFast Networks for Video Recognition",
        "Fanyi Xiao and Yong Jae Lee and Kristen Grauman and Jitendra Malik and Christoph "
        "Feichtenhofer",
        2020,
        "A residual network over the log-mel spectrogram of a video's audio, treated as a "
        "single-channel image. With `factorized=True` it is the audio pathway of audiovisual "
        "SlowFast: its early convolutions are split into one over time and one over frequency.",
        "Audio alone is weak on Kinetics; fused with the scores of an image network it adds about "
        "a point. It costs next to nothing to run. `AVSlowFast`, of the same paper, trains "
        "it jointly with a SlowFast on the frames (`keras-video train --row x_avslowfast`); no "
        "weights are published for it.",
    ),
    "c2d": Family(
        "C2D",
        "C2D",
        "1711.07971",
        "Non-local Neural Networks",
        "Xiaolong Wang and Ross Girshick and Abhinav Gupta and Kaiming He",
        2017,
        "An image ResNet applied to every frame of a clip, the baseline of non-local networks. "
        "Frames are combined by max pooling over pairs after the first stage "
        "(`temporal_pool=True`) and by the mean at the end.",
        "As a baseline without motion modeling, at the clip length and cost of SlowOnly. TSN does "
        "the same for frames sampled across a whole video.",
    ),
    "c3d": Family(
        "C3D",
        "C3D",
        "1412.0767",
        "Learning Spatiotemporal Features with 3D Convolutional Networks",
        "Du Tran and Lubomir Bourdev and Rob Fergus and Lorenzo Torresani and Manohar Paluri",
        2014,
        "Eight 3x3x3 convolutions and two dense layers, without batch norm, over 16 frames of 112 "
        "pixels.",
        "As a baseline, or if C3D features are required. Later families are more accurate.",
    ),
    "csn": Family(
        "CSN",
        "CSN",
        "1904.02811",
        "Video Classification with Channel-Separated Convolutional Networks",
        "Du Tran and Heng Wang and Lorenzo Torresani and Matt Feiszli",
        2019,
        "A 3-D bottleneck ResNet whose 3x3x3 convolutions are depthwise: channels are mixed by "
        "1x1x1 convolutions only. `ir` drops the interaction between channels there, `ip` keeps it "
        "with a further 1x1x1 convolution.",
        "The most accurate convolutional rows of the zoo, when pretrained on IG-65M. Clips of 32 "
        "frames and 30 views make testing slow. Batch norms stay frozen in fine-tuning.",
    ),
    "i3d": Family(
        "I3D",
        "I3D",
        "1705.07750",
        "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset",
        "Joao Carreira and Andrew Zisserman",
        2017,
        "An ImageNet ResNet-50 inflated over time: every other block has a temporal kernel size "
        "of 3. Non-local blocks (arXiv:1711.07971) relate all positions of a clip.",
        "A solid, well-known 3-D network and a good source of features. It starts from image "
        "weights, so it needs less video than networks trained from scratch.",
    ),
    "mvit": Family(
        "MViT",
        "MViT",
        "2112.01526",
        "MViTv2: Improved Multiscale Vision Transformers for Classification and Detection",
        "Yanghao Li and Chao-Yuan Wu and Haoqi Fan and Karttikeya Mangalam and Bo Xiong and "
        "Jitendra Malik and Christoph Feichtenhofer",
        2022,
        "A transformer whose patch grid gets smaller and its channels wider from stage to stage. "
        "Attention pools queries, keys and values first, so early blocks can use a fine grid. "
        "Version 1 (arXiv:2104.11227) adds position embeddings to the patches; version 2 has "
        "relative position tables in every attention layer.",
        "The small network of version 2 is the most accurate of its cost on Kinetics, from random "
        "weights too. Relative position tables are tied to a clip size and are interpolated "
        "for others.",
    ),
    "movinet": Family(
        "MoViNet",
        "MoViNet",
        "2103.11511",
        "MoViNets: Mobile Video Networks for Efficient Video Recognition",
        "Dan Kondratyuk and Liangzhe Yuan and Yandong Li and Li Zhang and Mingxing Tan and Matthew "
        "Brown and Boqing Gong",
        2021,
        "Small networks of inverted bottlenecks found by search, A0 to A5. The base form runs "
        "on clips; the stream form is causal and runs frame by frame, with a state of fixed "
        "size and the scores of the whole clip.",
        "The first choice for phones, small devices and cameras: take the stream form of A0 to A2 "
        "with `keras_video.inference.Stream`, or as a LiteRT file from `export_stream`. Trained "
        "from scratch on Kinetics-600, which takes many epochs: fine-tune it.",
    ),
    "r2plus1d": Family(
        "R(2+1)D",
        "R2Plus1D",
        "1711.11248",
        "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
        "Du Tran and Heng Wang and Lorenzo Torresani and Jamie Ray and Yann LeCun and Manohar "
        "Paluri",
        2017,
        "A ResNet-34 whose 3-D convolutions are factorized into one over space and one over time, "
        "with a nonlinearity between them.",
        "Trained from scratch on Kinetics. Easier to train than full 3-D convolutions; for "
        "short clips SlowOnly is more accurate at half the cost.",
    ),
    "s3d": Family(
        "S3D",
        "S3D",
        "1712.04851",
        "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video "
        "Classification",
        "Saining Xie and Chen Sun and Jonathan Huang and Zhuowen Tu and Kevin Murphy",
        2017,
        "An Inception network whose 3-D convolutions are factorized into one over space and one "
        "over time, each with batch norm and a ReLU.",
        "Eight million parameters and long clips: its published weights take 128 frames, eight "
        "seconds, at a time and need a single view. A common video-text feature extractor.",
    ),
    "slowfast": Family(
        "SlowFast",
        "SlowFast",
        "1812.03982",
        "SlowFast Networks for Video Recognition",
        "Christoph Feichtenhofer and Haoqi Fan and Jitendra Malik and Kaiming He",
        2018,
        "Two pathways: a wide one over few frames for appearance, and a thin one over many frames "
        "for motion, fused after every stage.",
        "A good choice for accuracy on Kinetics from random weights, if its videos are available "
        "for training. For small datasets fine-tune it, or take SlowOnly.",
    ),
    "slowonly": Family(
        "SlowOnly",
        "SlowOnly",
        "1812.03982",
        "SlowFast Networks for Video Recognition",
        "Christoph Feichtenhofer and Haoqi Fan and Jitendra Malik and Kaiming He",
        2018,
        "SlowFast's slow pathway on its own: a ResNet over 4 or 8 frames of a long clip, whose "
        "last two stages have a temporal kernel size of 3. There are RGB and optical flow rows.",
        "The usual choice for fine-tuning a 3-D network: simple, accurate for its cost, with "
        "weights for many datasets.",
    ),
    "swin3d": Family(
        "Video Swin",
        "Swin3D",
        "2106.13230",
        "Video Swin Transformer",
        "Ze Liu and Jia Ning and Yue Cao and Yixuan Wei and Zheng Zhang and Stephen Lin and Han Hu",
        2021,
        "A Swin transformer over clips: patches of 2 x 4 x 4 attend to each other within windows "
        "of 8 x 7 x 7, which every other block shifts. Height and width are halved three times.",
        "Cost grows linearly with the clip, and no weight depends on its size: a good choice for "
        "large or long clips, and for dense features. The large network is among the "
        "most accurate here, and slow.",
    ),
    "tanet": Family(
        "TANet",
        "TANet",
        "2005.06803",
        "TAM: Temporal Adaptive Module for Video Recognition",
        "Zhaoyang Liu and Limin Wang and Wayne Wu and Chen Qian and Tong Lu",
        2020,
        "An image network whose blocks weight frames and filter over time with kernels "
        "generated from the clip itself.",
        "A little better than TSM on Kinetics and Something-Something V1, for a third more "
        "multiplications. The number of frames is part of the weights.",
    ),
    "timesformer": Family(
        "TimeSformer",
        "TimeSformer",
        "2102.05095",
        "Is Space-Time Attention All You Need for Video Understanding?",
        "Gedas Bertasius and Heng Wang and Lorenzo Torresani",
        2021,
        "A vision transformer over the patches of 8 frames, with attention over time and then over "
        "space, over both at once, or over space alone.",
        "Accurate with few views of a video, and quick to fine-tune from ImageNet-21K weights. It "
        "has about 120 million parameters and needs a GPU.",
    ),
    "tin": Family(
        "TIN",
        "TIN",
        "2001.06499",
        "Temporal Interlacing Network",
        "Hao Shao and Shengju Qian and Yu Liu",
        2020,
        "TSM with learned shifts: a quarter of the channels moves along time by offsets "
        "computed from the clip.",
        "For Something-Something at the cost of an image network. TSM is simpler and has more "
        "weights; the number of frames is part of TIN's.",
    ),
    "tpn": Family(
        "TPN",
        "TPN",
        "2004.03548",
        "Temporal Pyramid Network for Action Recognition",
        "Ceyuan Yang and Yinghao Xu and Jianping Shi and Bo Dai and Bolei Zhou",
        2020,
        "A pyramid over the last two stages of SlowOnly or TSM, each at its own temporal rate. A "
        "second classifier adds a loss in training.",
        "On TSM it adds several points on Something-Something V1, for three times the parameters. "
        "On SlowOnly and Kinetics it pays off only with ImageNet weights.",
    ),
    "trn": Family(
        "TRN",
        "TRN",
        "1711.08496",
        "Temporal Relational Reasoning in Videos",
        "Bolei Zhou and Alex Andonian and Aude Oliva and Antonio Torralba",
        2017,
        "An image network for every frame, and small dense networks over ordered tuples of frames.",
        "If only the order of a few frames matters and the image network is fixed. TSM "
        "is better on the same datasets. Tuples are drawn with a fixed seed, so scores repeat.",
    ),
    "tsm": Family(
        "TSM",
        "TSM",
        "1811.08383",
        "TSM: Temporal Shift Module for Efficient Video Understanding",
        "Ji Lin and Chuang Gan and Song Han",
        2018,
        "An image network in whose blocks an eighth of the channels comes from the next frame and "
        "an eighth from the frame before. The shift has no weights and costs nothing.",
        "The first choice where motion and order matter and time is short: the cost of an image "
        "network, weights for many datasets, MobileNetV2 for small devices, and a form that runs "
        "frame by frame (`online=True`).",
    ),
    "tsn": Family(
        "TSN",
        "TSN",
        "1608.00859",
        "Temporal Segment Networks: Towards Good Practices for Deep Action Recognition",
        "Limin Wang and Yuanjun Xiong and Zhe Wang and Yu Qiao and Dahua Lin and Xiaoou Tang and "
        "Luc Van Gool",
        2016,
        "An image network receives one frame of every segment of a video; the mean of the features "
        "is classified. Any Keras image model can be the backbone. There are rows of RGB, of "
        "optical flow, of several labels, and of joint training on web data (OmniSource, "
        "arXiv:2003.13042).",
        "If single frames identify the class: simple, quick to train, any number of frames. It "
        "does not model the order of frames.",
    ),
    "video_resnet": Family(
        "VideoResNet",
        "VideoResNet",
        "1711.11248",
        "A Closer Look at Spatiotemporal Convolutions for Action Recognition",
        "Du Tran and Heng Wang and Lorenzo Torresani and Jamie Ray and Yann LeCun and Manohar "
        "Paluri",
        2017,
        "Residual networks of basic blocks over 16 frames of 112 pixels: of 3-D convolutions "
        '(`kind="r3d"`), of 3-D ones in the first stage alone (`"mc3"`), or factorized into '
        'space and time (`"r2plus1d"`). These are torchvision\'s networks, and R(2+1)D-34 as it '
        "was trained on 65 million videos of Instagram (IG-65M, arXiv:1905.00561).",
        "Small frames make them quick, and the weights of torchvision are known everywhere. For "
        "features and for fine-tuning on little data take R(2+1)D-34 of IG-65M. `R2Plus1D` is the "
        "network of MMAction2, whose stem and shortcuts differ.",
    ),
    "uniformer": Family(
        "UniFormer",
        "UniFormer",
        "2201.04676",
        "UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning",
        "Kunchang Li and Yali Wang and Peng Gao and Guanglu Song and Yu Liu and Hongsheng Li and "
        "Yu Qiao",
        2022,
        "Convolutions in the first two stages, where local context suffices, and attention among "
        "all positions of the clip in the last two.",
        "Accurate with few views of a video for its cost, and needs no position table. "
        "Attention over a whole clip makes large clips expensive.",
    ),
    "uniformer_v2": Family(
        "UniFormerV2",
        "UniFormerV2",
        "2211.09552",
        "UniFormerV2: Spatiotemporal Learning by Arming Image ViTs with Video UniFormer",
        "Kunchang Li and Yali Wang and Yinan He and Yizhuo Li and Yi Wang and Limin Wang and Yu "
        "Qiao",
        2022,
        "The image transformer of CLIP over every frame. After each of its last layers a learned "
        "query gathers the tokens of all frames.",
        "The most accurate rows of the zoo on Kinetics, from weights of images and text. The large "
        "network has 354 million parameters and needs a GPU.",
    ),
    "videomae": Family(
        "VideoMAE",
        "VideoMAE",
        "2203.12602",
        "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video "
        "Pre-Training",
        "Zhan Tong and Yibing Song and Jue Wang and Limin Wang",
        2022,
        "A plain vision transformer over tubelets of two frames and 16 x 16 pixels with fixed "
        "positions, pretrained by reconstructing masked tubelets. VideoMAE V2 (arXiv:2303.16727) "
        "is the same network, trained with more data, and small ones distilled from a giant one.",
        "The most accurate small and base rows of the zoo, from 22 million parameters on. It needs "
        "a GPU: attention is among all 1568 tubelets of a clip. With `rematerialize=True` a step "
        "of the large size on one clip takes 4.9 GB in place of 19.5, as JAX's compiler plans it. "
        "`keras-video pretrain` trains a network on videos without labels, to be fine-tuned by "
        "`keras-video train --weights encoder.keras`. Mind the licenses of the weights; those for "
        "non-commercial use are loaded only by the name of their row.",
    ),
    "vivit": Family(
        "ViViT",
        "ViViT",
        "2103.15691",
        "ViViT: A Video Vision Transformer",
        "Anurag Arnab and Mostafa Dehghani and Georg Heigold and Chen Sun and Mario Lučić and "
        "Cordelia Schmid",
        2021,
        "A plain vision transformer over tubelets and a class token, with one learned position for "
        "each: the paper's unfactorized model.",
        "If you have ViViT weights: `keras_video.load` opens Hugging Face files. "
        "VideoMAE is more accurate at the same cost.",
    ),
    "vjepa2": Family(
        "V-JEPA 2",
        "VJEPA2",
        "2506.09985",
        "V-JEPA 2: Self-Supervised Video Models Enable Understanding, Prediction and Planning",
        "Mido Assran and Adrien Bardes and David Fan and Quentin Garrido and others",
        2025,
        "A vision transformer with rotary positions over tubelets, trained to predict the features "
        "of masked ones, and an attentive probe that classifies.",
        "As a frozen source of features, where motion matters: the probe is trained on them. "
        "`keras_video.load` opens Hugging Face files and encoders of the repository. From 300 "
        "million parameters on.",
    ),
    "x3d": Family(
        "X3D",
        "X3D",
        "2004.04730",
        "X3D: Expanding Architectures for Efficient Video Recognition",
        "Christoph Feichtenhofer",
        2020,
        "A small network of inverted bottlenecks with depthwise 3x3x3 convolutions and "
        "squeeze-and-excitation, expanded step by step in every direction.",
        "The best accuracy for its parameters (3.8 million) and multiplications. Depthwise "
        "convolutions keep devices less busy than their count suggests.",
    ),
}
