"""The plans for scripts/experiments.py: which trainings to run, and in which order."""

from dataclasses import dataclass, field

Changes = dict[str, float | str]  # changes to a preset, by field


@dataclass(frozen=True)
class Experiment:
    """One row of a plan: a preset, changes to it, its teachers' experiments, and the experiment it starts from.

    Such a start uses the weights of the same seed.
    """

    name: str
    preset: str
    seeds: int = 1
    changes: Changes = field(default_factory=dict)
    teachers: tuple[str, ...] = ()
    start: str = ""

    def __str__(self) -> str:
        teachers = f" distilled from {', '.join(self.teachers)}" if self.teachers else ""
        start = f" starting from {self.start}" if self.start else ""
        return f"{self.name}: preset {self.preset} {self.changes or ''}{teachers}{start}"


# A quarter of the width and eight epochs take minutes on two cores. What helps here may not help a long training.
SHORT: Changes = {"width": 16, "epochs": 8}
MUON: Changes = {"optimizer": "muon", "lr_peak": 0.02}
DISTILLED: Changes = {"teacher_weight": 0.6}
FEWER_VOTES: Changes = {"votes_weight": 0.15}
# For weights that are already good: a smaller peak learning rate, reached sooner.
AGAIN: Changes = {"lr_peak": 0.04, "warmup": 0.1}
# With a teacher: its targets are already smooth and include the votes.
UNVOTED: Changes = {"votes_weight": 0.0, "label_smoothing": 0.0}
PLANS = {
    "cpu": (
        Experiment("cpu", "cpu"),
        Experiment("taught by cpu", "cpu", 1, DISTILLED | UNVOTED | {"epochs": 50}, ("cpu",)),
        Experiment("on from cpu, fewer FER+ votes", "cpu", 1, FEWER_VOTES | AGAIN | {"epochs": 34}, start="cpu"),
        Experiment("wider, shorter, muon 0.02", "cpu", 1, MUON | {"width": 48, "epochs": 30}),
        Experiment("shorter, no FER+ votes", "cpu", 1, {"votes_weight": 0.0, "epochs": 32}),
        Experiment(
            "long, taught by three",
            "cpu",
            1,
            UNVOTED | {"teacher_weight": 0.4, "epochs": 165},
            ("shorter, no FER+ votes", "taught by cpu", "wider, shorter, muon 0.02"),
        ),
        Experiment("short", "cpu", 1, SHORT),
        Experiment("short, no FER+ votes", "cpu", 1, SHORT | {"votes_weight": 0.0}),
        Experiment("short, taught by itself", "cpu", 1, SHORT | DISTILLED, ("short",)),
        Experiment("short, no erasing", "cpu", 1, SHORT | {"erase": 0.0}),
        Experiment("short, no affine", "cpu", 1, SHORT | {"rotate_deg": 0.0, "scale": 0.0, "shift": 0.0}),
        Experiment("short, no averaged weights", "cpu", 1, SHORT | {"ema_decay": 0.0}),
        Experiment("short, muon 0.06", "cpu", 1, SHORT | MUON | {"lr_peak": 0.06}),
        Experiment("short, muon 0.02", "cpu", 1, SHORT | MUON),
        Experiment("short, muon 0.01", "cpu", 1, SHORT | MUON | {"lr_peak": 0.01}),
        Experiment("short, muon, cutmix", "cpu", 1, SHORT | MUON | {"cutmix": 0.5}),
        Experiment("short, muon, mixup", "cpu", 1, SHORT | MUON | {"mixup": 0.5}),
    ),
    # Teachers that differ in width, votes and augmentation, so that their errors differ; then one student of all.
    # Takes one night on two cores; the first three are useful by themselves.
    "teachers": (
        Experiment("teacher, no votes, CutMix", "cpu", 1, {"votes_weight": 0.0, "cutmix": 0.3, "epochs": 60}),
        Experiment("teacher, mixup", "cpu", 1, {"width": 48, "votes_weight": 0.1, "mixup": 0.3, "epochs": 60}),
        Experiment(
            "teacher, erased, turned",
            "cpu",
            1,
            {"width": 48, "votes_weight": 0.2, "erase": 0.4, "rotate_deg": 15.0, "dropout": 0.2, "epochs": 60},
        ),
        Experiment("teacher, narrow, long", "cpu", 1, {"votes_weight": 0.15, "erase": 0.3, "epochs": 140}),
        Experiment(
            "taught by four",
            "cpu",
            1,
            DISTILLED | {"width": 48, "votes_weight": 0.1, "label_smoothing": 0.0, "erase": 0.2, "epochs": 100},
            ("teacher, no votes, CutMix", "teacher, mixup", "teacher, erased, turned", "teacher, narrow, long"),
        ),
    ),
    "gpu": (
        Experiment("article", "article", 3),
        Experiment("fast", "fast", 5),
        Experiment("best", "best", 5),
        Experiment("best, muon 0.02", "best", 3, MUON),
        Experiment("best, muon 0.005", "best", 3, MUON | {"lr_peak": 0.005}),
        Experiment("best, no CutMix", "best", 3, {"cutmix": 0.0}),
        Experiment("best, mixup", "best", 3, {"cutmix": 0.0, "mixup": 0.5}),
        Experiment("best, no FER+ votes", "best", 3, {"votes_weight": 0.0}),
        Experiment("best, 0.4 FER+ votes", "best", 3, {"votes_weight": 0.4}),
        Experiment("best, no label smoothing", "best", 3, {"label_smoothing": 0.0}),
        Experiment("best, no affine", "best", 3, {"rotate_deg": 0.0, "scale": 0.0, "shift": 0.0}),
        Experiment("best, no erasing", "best", 3, {"erase": 0.0}),
        Experiment("best, no averaged weights", "best", 3, {"ema_decay": 0.0}),
        Experiment("best, no weight decay", "best", 3, {"weight_decay": 0.0}),
        Experiment("best, 300 epochs", "best", 3, {"epochs": 300}),
        Experiment("wide", "best", 4, {"width": 96}),
        Experiment("taught by five", "best", 5, DISTILLED, ("best",)),
        Experiment("taught by nine", "best", 5, DISTILLED, ("best", "wide")),
        Experiment("taught by nine, no FER+ votes", "best", 5, DISTILLED | UNVOTED, ("best", "wide")),
        Experiment("taught by nine, 0.9", "best", 5, {"teacher_weight": 0.9}, ("best", "wide")),
    ),
}
