"""Small annotation files of the same two spans in every format, as its tool writes them."""

import json
import textwrap

FPS = 10.0
# The content of all files: a video "talk.mp4", 30 s long or without a stated duration.
SPANS = [("wave", 1.0, 2.5), ("nod", 2.0, 4.0)]


def write(folder):
    """Writes the files; returns `{format: path}`."""
    texts = {
        "csv": ("spans.csv", CSV),
        "activitynet": ("activity.json", json.dumps(ACTIVITYNET, indent=1)),
        "cvat": ("annotations.xml", CVAT),
        "label_studio": ("project-1.json", json.dumps(LABEL_STUDIO, indent=1)),
        "osl": ("osl.json", json.dumps(OSL, indent=1)),
        "via": ("via_project.json", json.dumps(VIA, indent=1)),
        "elan": ("talk.eaf", ELAN),
    }
    paths = {}
    for name, (file, text) in texts.items():
        paths[name] = folder / file
        paths[name].write_text(text, encoding="utf-8")
    paths["thumos"] = folder / "thumos"
    paths["thumos"].mkdir()
    (paths["thumos"] / "wave_val.txt").write_text("talk  1.0 2.5\n")
    (paths["thumos"] / "nod_val.txt").write_text("talk  2.0 4.0\n")
    return paths


CSV = "video,label,start,end\ntalk.mp4,nod,2,4\ntalk.mp4,wave,0:01,0:02.5\n"

ACTIVITYNET = {
    "version": "VERSION 1.3",
    "taxonomy": [{"nodeName": "Root", "nodeId": 0, "parentName": None, "parentId": None}],
    "database": {
        "talk": {
            "duration": 30.0,
            "subset": "training",
            "resolution": "320x240",
            "url": "https://example.org/talk",
            "annotations": [
                {"segment": [1.0, 2.5], "label": "wave"},
                {"segment": [2, 4], "label": "nod"},
            ],
        }
    },
}

CVAT = textwrap.dedent(
    """\
    <?xml version="1.0" encoding="utf-8"?>
    <annotations>
      <version>1.1</version>
      <meta>
        <task>
          <id>7</id>
          <name>first task</name>
          <size>300</size>
          <mode>interpolation</mode>
          <start_frame>0</start_frame>
          <stop_frame>299</stop_frame>
          <frame_filter></frame_filter>
          <labels>
            <label><name>wave</name><color>#33ddff</color><attributes></attributes></label>
            <label><name>nod</name><color>#ff3355</color><attributes></attributes></label>
          </labels>
          <original_size><width>320</width><height>240</height></original_size>
          <source>talk.mp4</source>
        </task>
        <dumped>2026-01-01 10:00:00.000000+00:00</dumped>
      </meta>
      <track id="0" label="wave" source="manual">
        <box frame="10" keyframe="1" outside="0" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"/>
        <box frame="11" keyframe="0" outside="0" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"/>
        <box frame="25" keyframe="1" outside="1" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"/>
      </track>
      <track id="1" label="nod" source="manual">
        <polygon frame="20" keyframe="1" outside="0" occluded="0" points="1,2;3,4;5,6"/>
        <polygon frame="39" keyframe="1" outside="0" occluded="0" points="1,2;3,4;5,6"/>
      </track>
    </annotations>
    """
)

LABEL_STUDIO = [
    {
        "id": 5,
        "data": {"video": "/data/upload/1/3d3ad63e-talk.mp4"},
        "annotations": [
            {
                "id": 8,
                "was_cancelled": False,
                "ground_truth": False,
                "result": [
                    {
                        "id": "r1",
                        "type": "timelinelabels",
                        "from_name": "timeline",
                        "to_name": "video",
                        "value": {
                            "ranges": [{"start": 11, "end": 25}],
                            "timelinelabels": ["wave"],
                        },
                    },
                    {
                        "id": "r2",
                        "type": "videorectangle",
                        "from_name": "box",
                        "to_name": "video",
                        "value": {
                            "framesCount": 300,
                            "duration": 30.0,
                            "labels": ["nod"],
                            "sequence": [
                                {"frame": 21, "time": 2.0, "enabled": True, "x": 1, "y": 2},
                                {"frame": 40, "time": 3.9, "enabled": False, "x": 3, "y": 2},
                            ],
                        },
                    },
                    {
                        "id": "r3",
                        "type": "choices",
                        "from_name": "quality",
                        "to_name": "video",
                        "value": {"choices": ["good"]},
                    },
                ],
            }
        ],
        "predictions": [],
    }
]

OSL = {
    "version": "2.0",
    "date": "2026-05-19",
    "dataset_name": "demo",
    "modalities": ["video"],
    "labels": {"action": {"type": "single_label", "labels": ["wave", "nod"]}},
    "data": [
        {
            "id": "talk",
            "inputs": [{"type": "video", "path": "talk.mp4", "fps": 10.0}],
            "events": [
                {"head": "action", "label": "wave", "start_ms": 1000, "end_ms": 2500},
                {"head": "action", "label": "nod", "start_ms": 2000, "end_ms": 4000},
            ],
        }
    ],
}

VIA = {
    "project": {"pid": "__VIA_PROJECT_ID__", "pname": "demo", "data_format_version": "3.1.1"},
    "config": {"file": {"loc_prefix": {"1": ""}}},
    "attribute": {
        "1": {
            "aname": "TEMPORAL-SEGMENTS",
            "anchor_id": "FILE1_Z2_XY0",
            "type": 4,
            "desc": "",
            "options": {"w": "wave", "n": "nod"},
            "default_option_id": "",
        }
    },
    "file": {"1": {"fid": "1", "fname": "talk.mp4", "type": 4, "loc": 1, "src": ""}},
    "metadata": {
        "1_aaaaaaaa": {"vid": "1", "flg": 0, "z": [1.0, 2.5], "xy": [], "av": {"1": "w"}},
        "1_bbbbbbbb": {"vid": "1", "flg": 0, "z": [2.0, 4.0], "xy": [], "av": {"1": "n"}},
        "1_cccccccc": {"vid": "1", "flg": 0, "z": [3.0], "xy": [2, 1, 1, 5, 5], "av": {}},
    },
    "view": {"1": {"fid_list": ["1"]}},
}

ELAN = textwrap.dedent(
    """\
    <?xml version="1.0" encoding="UTF-8"?>
    <ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T10:00:00+00:00" FORMAT="3.0" VERSION="3.0">
        <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
            <MEDIA_DESCRIPTOR MEDIA_URL="file:///home/me/talk.wav" MIME_TYPE="audio/x-wav"/>
            <MEDIA_DESCRIPTOR MEDIA_URL="file:///home/me/talk.mp4" MIME_TYPE="video/mp4"
                RELATIVE_MEDIA_URL="./talk.mp4"/>
        </HEADER>
        <TIME_ORDER>
            <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
            <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000"/>
            <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2500"/>
            <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
        </TIME_ORDER>
        <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="gesture">
            <ANNOTATION>
                <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts3">
                    <ANNOTATION_VALUE>wave</ANNOTATION_VALUE>
                </ALIGNABLE_ANNOTATION>
            </ANNOTATION>
        </TIER>
        <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="head">
            <ANNOTATION>
                <ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4">
                    <ANNOTATION_VALUE>nod</ANNOTATION_VALUE>
                </ALIGNABLE_ANNOTATION>
            </ANNOTATION>
        </TIER>
    </ANNOTATION_DOCUMENT>
    """
)
