"""What the invented people do: joint angles of activities, each varied without end.

An activity is a table: a mean for each angle, how far it strays by itself, and up to four moves,
sets of angles that change together (a crouch deepens in hips, knees and back at once; a walk
goes through its cycle). Arms are drawn from a list of the activity's own, each side its own
way or both alike, and half of all poses are mirrored. Angles in these tables are in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Table = dict[str, float]  # angle (a side's name alone means both sides) -> degrees


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One kind of activity."""

    name: str
    share: float  # of all poses, relative to the others'
    mean: Table = field(default_factory=dict)
    strays: Table = field(default_factory=dict)  # in place of STRAYS
    moves: tuple[Table, ...] = ()  # each times a number of its own in -1 to 1; of a cycle, times
    cyclic: bool = False  # its sine, cosine, and those of twice its phase
    arms: tuple[str, ...] = ("own",)  # of ARMS; "own" leaves what mean and moves say


STRAYS: Table = {
    "pitch": 3, "lean": 3, "bow": 9, "bend": 8, "wring": 10, "nod": 16, "tilt": 10, "look": 28,
    "shrug": 6, "protract": 8, "plane": 15, "lift": 8, "turn": 14, "elbow": 14, "hip": 6,
    "spread": 6, "twist": 9, "knee": 8,
}  # fmt: skip
ARMS: dict[str, tuple[Table, Table]] = {  # mean, strays
    "hang": (
        {"plane": 25, "lift": 10, "turn": 10, "elbow": 18},
        {"plane": 50, "lift": 9, "turn": 30, "elbow": 18},
    ),
    "hip": (
        {"plane": -12, "lift": 40, "turn": 76, "elbow": 96},
        {"plane": 12, "elbow": 10, "turn": 8},
    ),
    "phone": ({"plane": 62, "lift": 42, "turn": 18, "elbow": 140}, {"plane": 18, "lift": 16}),
    "gesture": (
        {"plane": 50, "lift": 28, "turn": 25, "elbow": 82},
        {"plane": 40, "lift": 22, "turn": 45, "elbow": 45},
    ),
    "folded": ({"plane": 62, "lift": 30, "turn": 70, "elbow": 98}, {"turn": 12}),
    "ahead": (
        {"plane": 80, "lift": 82, "turn": 0, "elbow": 25},
        {"plane": 45, "lift": 38, "turn": 50, "elbow": 35},
    ),
    "aside": (
        {"plane": 8, "lift": 78, "turn": 0, "elbow": 25},
        {"plane": 40, "lift": 38, "turn": 60, "elbow": 35},
    ),
    "up": (
        {"plane": 45, "lift": 148, "turn": 0, "elbow": 25},
        {"plane": 50, "lift": 30, "turn": 50, "elbow": 40},
    ),
    "wave": (
        {"plane": 22, "lift": 82, "turn": -72, "elbow": 90},
        {"plane": 30, "lift": 35, "turn": 20, "elbow": 45},
    ),
    "down": (
        {"plane": 82, "lift": 70, "turn": 5, "elbow": 16},
        {"plane": 25, "lift": 40, "turn": 30, "elbow": 22},
    ),
    "lap": (
        {"plane": 70, "lift": 26, "turn": 22, "elbow": 55},
        {"plane": 25, "lift": 14, "turn": 22, "elbow": 28},
    ),
    "face": (
        {"plane": 68, "lift": 45, "turn": 28, "elbow": 125},
        {"plane": 22, "lift": 20, "turn": 20, "elbow": 18},
    ),
    "behind": (
        {"plane": -40, "lift": 24, "turn": 25, "elbow": 30},
        {"plane": 18, "lift": 14, "turn": 35, "elbow": 30},
    ),
    "propped": ({"plane": -50, "lift": 38, "turn": -20, "elbow": 10}, {"lift": 16, "elbow": 12}),
    "flat": (
        {"plane": 2, "lift": 60, "turn": -20, "elbow": 40},
        {"plane": 6, "lift": 60, "turn": 60, "elbow": 45},
    ),
    "prone": (
        {"plane": 2, "lift": 85, "turn": -80, "elbow": 60},
        {"plane": 4, "lift": 65, "turn": 8, "elbow": 50},
    ),
    "before": (
        {"plane": 88, "lift": 58, "turn": 4, "elbow": 55},
        {"plane": 6, "lift": 40, "turn": 8, "elbow": 50},
    ),
    "any": (
        {"plane": 45, "lift": 75, "turn": 0, "elbow": 60},
        {"plane": 100, "lift": 100, "turn": 110, "elbow": 95},
    ),
}  # fmt: skip
_EASY = ("hang", "hang", "hip", "gesture", "folded", "phone", "behind", "face", "any")

ACTIVITIES = (
    Activity(
        name="stand", share=10,
        mean={"hip": 2, "spread": 4, "twist": 8, "knee": 4},
        moves=(
            {"lean": 5, "bend": -9, "left_knee": 14, "left_hip": 9, "right_knee": -2},
            {"spread": 9},
        ),
        arms=_EASY,
    ),
    Activity(
        name="talk", share=9,
        mean={"hip": 3, "spread": 3, "twist": 8, "knee": 6},
        moves=(
            {"pitch": 5, "hip": 5, "bow": 8}, {"wring": 16, "look": 16},
            {"left_hip": 14, "right_hip": -8},
        ),
        arms=("gesture", "gesture", "ahead", "aside", "face", "wave", "any"),
    ),
    Activity(
        name="walk", share=16, cyclic=True,
        mean={
            "pitch": 4, "hip": 10, "knee": 27, "spread": 1, "twist": 4, "lift": 4, "plane": 72,
            "elbow": 26, "turn": 12, "bow": 3,
        },
        strays={"plane": 12, "lift": 6},
        moves=(
            {
                "left_hip": 27, "right_hip": -27, "left_knee": -4, "right_knee": 4,
                "left_lift": -24, "right_lift": 24, "left_elbow": -9, "right_elbow": 9, "wring": 7,
                "spin": -5,
            },
            {"left_knee": 24, "right_knee": -24, "left_hip": 6, "right_hip": -6, "lean": 2},
            {"knee": 4}, {"knee": -8, "hip": 2},
        ),
        arms=("own", "own", "own", "own", *_EASY[2:], "ahead"),
    ),
    Activity(
        name="run", share=5, cyclic=True,
        mean={
            "pitch": 11, "hip": 26, "knee": 55, "lift": -4, "plane": 70, "elbow": 88, "turn": 20,
            "bow": 6,
        },
        moves=(
            {
                "left_hip": 42, "right_hip": -42, "left_lift": -38, "right_lift": 38, "wring": 10,
                "spin": -7, "left_knee": 12, "right_knee": -12,
            },
            {"left_knee": 42, "right_knee": -42, "left_hip": 9, "right_hip": -9}, {}, {"knee": -10},
        ),
        arms=("own", "own", "own", "any"),
    ),
    Activity(
        name="reach", share=8,
        mean={"hip": 8, "spread": 6, "twist": 6, "knee": 10},
        moves=(
            {"pitch": 14, "hip": 20, "bow": 14, "nod": -10}, {"wring": 28, "spin": 10},
            {"bend": 18, "lean": 6, "left_spread": 8, "right_spread": -4},
            {"left_hip": 18, "right_hip": -12, "left_knee": 14},
        ),
        arms=("ahead", "aside", "up", "down", "hang", "any"),
    ),
    Activity(
        name="raise", share=6,
        mean={"hip": 3, "spread": 6, "twist": 8, "knee": 5, "nod": -8},
        moves=({"bow": -14, "nod": -12}, {"bend": 16}, {"spread": 10}),
        arms=("up", "up", "wave", "aside", "any"),
    ),
    Activity(
        name="bend", share=6,
        mean={"pitch": 42, "hip": 48, "knee": 16, "bow": 32, "spread": 6, "twist": 6},
        moves=(
            {"pitch": 28, "hip": 30, "bow": 18}, {"knee": 18, "hip": 12, "pitch": -4},
            {"wring": 24, "bend": 10}, {"left_hip": 14, "right_hip": -14},
        ),
        arms=("down", "down", "ahead", "lap", "any"),
    ),
    Activity(
        name="crouch", share=6,
        mean={"pitch": 24, "hip": 92, "knee": 104, "bow": 26, "spread": 14, "twist": 10},
        moves=(
            {"pitch": 4, "hip": 34, "knee": 46, "bow": 6}, {"spread": 14, "twist": 10},
            {"wring": 20, "look": 15},
            {"left_hip": 10, "right_hip": -10, "left_knee": -8, "right_knee": 14},
        ),
        arms=("down", "lap", "gesture", "ahead", "face", "any"),
    ),
    Activity(
        name="lunge", share=4,
        mean={
            "pitch": 10, "left_hip": 66, "left_knee": 62, "right_hip": -6, "right_knee": 30,
            "bow": 8, "spread": 5,
        },
        moves=(
            {"left_hip": 26, "left_knee": 30, "right_hip": -8}, {"pitch": 14, "hip": 14, "bow": 10},
            {"right_knee": 22, "right_hip": 6}, {"wring": 26},
        ),
        arms=(*_EASY, "ahead", "down"),
    ),
    Activity(
        name="kneel", share=4,
        mean={"pitch": 2, "hip": 6, "knee": 94, "spread": 6},
        moves=(
            {"hip": 2, "knee": 4}, {"pitch": 10, "hip": 10, "bow": 14},
            {"left_hip": 44, "left_knee": -2}, {"left_hip": 40, "left_knee": 4, "wring": 14},
        ),
        arms=(*_EASY, "ahead", "down", "lap"),
    ),
    Activity(
        name="kick", share=4,
        mean={
            "pitch": -4, "left_hip": 55, "left_knee": 34, "right_hip": 2, "right_knee": 12,
            "bow": 8, "lift": 30, "elbow": 40,
        },
        moves=(
            {"left_hip": 55, "pitch": -8, "right_hip": -6}, {"left_knee": 42, "left_hip": 8},
            {"left_spread": 28, "lean": 10, "left_twist": 20}, {"wring": 20, "right_knee": 12},
        ),
        arms=("aside", "hang", "ahead", "gesture", "any"),
    ),
    Activity(
        name="dance", share=6,
        mean={"hip": 18, "knee": 26, "spread": 10, "twist": 10},
        strays={
            "pitch": 14, "lean": 10, "bow": 22, "bend": 20, "wring": 24, "hip": 40, "spread": 26,
            "twist": 28, "knee": 45, "look": 40,
        },
        arms=("any", "any", "aside", "up", "wave"),
    ),
    Activity(
        name="sit", share=14,
        mean={"pitch": -4, "hip": 84, "knee": 86, "spread": 8, "twist": 4, "bow": 12},
        strays={"spread": 12, "twist": 14, "knee": 18, "hip": 8},
        moves=(
            {"pitch": 22, "hip": 22, "bow": 10, "nod": -6}, {"knee": -30},
            {"wring": 22, "look": 20, "bend": 8},
            {"left_hip": 12, "left_spread": -12, "left_twist": 16, "left_knee": -10},
        ),
        arms=("lap", "lap", "gesture", "face", "phone", "folded", "ahead", "down", "hang", "any"),
    ),
    Activity(
        name="sit on the floor", share=3,
        mean={"pitch": -12, "hip": 106, "knee": 58, "spread": 10, "twist": 5, "bow": 22},
        strays={"spread": 14, "hip": 3, "knee": 5},
        moves=(
            {"knee": 52, "hip": 26, "bow": 8}, {"pitch": 12, "hip": 12, "bow": 10},
            {"left_knee": 20, "left_hip": 10, "right_knee": -20, "right_hip": -10},
            {"wring": 20, "look": 20},
        ),
        arms=("lap", "lap", "propped", "gesture", "face", "ahead", "any"),
    ),
    Activity(
        name="sit cross-legged", share=2,
        mean={"pitch": -8, "hip": 111, "knee": 124, "spread": 42, "twist": 52, "bow": 24},
        strays={"hip": 4, "knee": 8, "twist": 5},
        moves=({"pitch": 8, "hip": 8, "bow": 12}, {"wring": 20, "look": 20}),
        arms=("lap", "lap", "gesture", "face", "folded", "ahead", "any"),
    ),
    Activity(
        name="lie on the back", share=2,
        mean={"pitch": -90, "hip": 32, "knee": 52, "spread": 8},
        strays={"pitch": 2, "spin": 10, "lean": 0, "nod": 14, "bow": 6, "hip": 5, "knee": 8},
        moves=({"hip": 24, "knee": 46}, {"left_hip": 24, "left_knee": 30}, {"left_spread": 12}),
        arms=("flat", "flat", "face", "folded", "lap"),
    ),
    Activity(
        name="lie on the front", share=1.5,
        mean={"pitch": 90, "hip": 0, "knee": 16, "spread": 8, "nod": -26, "bow": -8},
        strays={"pitch": 2, "spin": 6, "lean": 0, "hip": 5, "knee": 14},
        moves=({"bow": -16, "nod": -10}, {"left_knee": 50, "knee": 12}, {"left_spread": 20}),
        arms=("prone",),
    ),
    Activity(
        name="lie on the side", share=1.5,
        mean={"pitch": -90, "spin": 88, "hip": 42, "knee": 60, "spread": 0, "twist": 0},
        strays={"pitch": 2, "lean": 0, "spin": 14, "hip": 22, "knee": 30, "bend": 5, "spread": 4},
        moves=({"hip": 24, "knee": 30, "bow": 14}, {"right_hip": 20, "right_spread": 6}),
        arms=("before",),
    ),
    Activity(
        name="crawl", share=3,
        mean={
            "pitch": 80, "hip": 82, "knee": 91, "bow": 4, "nod": -24, "lift": 84, "plane": 88,
            "elbow": 8,
        },
        strays={"lift": 4, "elbow": 6, "bow": 6, "hip": 4, "turn": 30},
        moves=(
            {"left_hip": 16, "right_hip": -16}, {"left_lift": -12, "right_lift": 12},
            {"bow": 10, "pitch": -5, "hip": -5}, {"look": 30},
        ),
        arms=("own", "own", "own", "ahead"),
    ),
)  # fmt: skip
NAMES = tuple(activity.name for activity in ACTIVITIES)
