"""MediaPipe's own Python package as a contender of benchmarks/prediction.py.

Run by an interpreter that has `mediapipe`, which needs not be posezoo's: only what both have is
imported. `THREADS PICTURE...` takes turns; `once PICTURE` predicts one and says so.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Be a contender, or predict once."""
    threads, *files = sys.argv[1:]
    if threads != "once":
        # MediaPipe has no option for its threads: its graph and XNNPACK take the cores there are.
        cores = sorted(os.sched_getaffinity(0))[: int(threads)]
        os.sched_setaffinity(0, cores)
    import cv2  # noqa: PLC0415 - after the cores are chosen; mediapipe brings it
    import mediapipe  # noqa: PLC0415

    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)

    def look(file: str) -> object:
        return pose.process(cv2.cvtColor(cv2.imread(file), cv2.COLOR_BGR2RGB)).pose_world_landmarks

    if threads == "once":
        print("nobody" if look(files[0]) is None else "1 person", flush=True)
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        for file in files:
            look(file)
        print(json.dumps((time.perf_counter() - begin) / len(files)), flush=True)


if __name__ == "__main__":
    main()
