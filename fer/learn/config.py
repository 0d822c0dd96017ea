"""All settings of a training run in one frozen value, and the presets. No torch, because pages import this too."""

import argparse
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TypeVar

T = TypeVar("T")

OPTIMIZERS = ("adam", "sgd", "muon")
PRECISIONS = ("auto", "fp32", "bf16")
SCHEDULES = ("onecycle", "trapezoid")


class ConfigError(ValueError):
    """An invalid training setting; the message names the field, the value and what is allowed."""


def _choice(default: T, help: str, **limits: object) -> T:
    """A dataclass field with its help and its limits: `low`, `high` (inclusive) or `choices`.

    `takes_files` marks a field that also needs files; it is available on the command line but not in a form.
    """
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one run; the defaults are those of the article.

    Created once from the command line, logged first, and stored with the weights.
    Raises ConfigError for a value outside its limits or an invalid combination.
    """

    preset: str = _choice("article", "the preset that the other fields started from")
    seed: int = _choice(0, "initial weights, order of the faces and augmentation all follow from it", low=0, high=10**9)
    epochs: int = _choice(30, "passes over the Training split", low=1, high=10_000)
    batch_size: int = _choice(400, "faces a step", low=2, high=8192)
    width: int = _choice(64, "channels of the first block; 64 is the article's 6.57 M parameters", low=4, high=256)
    groups: int = _choice(
        1, "networks of width / groups side by side that share only the last layer; scripts/join.py", low=1, high=4
    )
    dropout: float = _choice(0.0, "share of the last features zeroed while training", low=0, high=0.9)
    optimizer: str = _choice(
        "adam", "adam; sgd with Nesterov momentum; muon: sgd with orthogonal steps", choices=OPTIMIZERS
    )
    schedule: str = _choice(
        "onecycle",
        "of the learning rate; a trapezoid is level in the middle, so --resume --epochs can move its end",
        choices=SCHEDULES,
    )
    lr_peak: float = _choice(0.001, "peak of the learning rate", low=1e-6, high=10)
    warmup: float = _choice(0.3, "share of the steps before the peak", low=0.001, high=0.99)
    cooldown: float = _choice(0.4, "share of the steps in which a trapezoid falls to 0", low=0.01, high=0.99)
    weight_decay: float = _choice(0.0, "L2 penalty on the weights", low=0, high=1)
    clip_value: float = _choice(0.1, "gradients are clipped to ± this; 0 leaves them", low=0)
    label_smoothing: float = _choice(0.0, "share of the target spread over all classes", low=0, high=0.9)
    votes_weight: float = _choice(
        0.0, "share of the target taken from the FER+ votes of the Training rows", low=0, high=1
    )
    teacher_weight: float = _choice(
        0.0,
        "share of the target taken from trained networks (--teacher): distillation",
        low=0,
        high=1,
        takes_files=True,
    )
    ema_decay: float = _choice(0.0, "per-step decay of the averaged weights that are kept; 0 keeps the last", low=0)
    crop_pad_px: int = _choice(4, "reflect padding for random crops", low=0, high=24)
    flip: float = _choice(0.5, "probability of a horizontal flip", low=0, high=1)
    rotate_deg: float = _choice(0.0, "random rotation up to ± this", low=0, high=180)
    scale: float = _choice(0.0, "random zoom by up to ± this share", low=0, high=0.9)
    shift: float = _choice(0.0, "random shift up to ± this share of the side", low=0, high=0.5)
    erase: float = _choice(0.0, "probability that a random rectangle is greyed out", low=0, high=1)
    mixup: float = _choice(0.0, "probability that a face is blended with another, labels too", low=0, high=1)
    cutmix: float = _choice(0.0, "probability that a square comes from another face, labels too", low=0, high=1)
    precision: str = _choice("auto", "auto takes bf16 where the device gains from it", choices=PRECISIONS)
    compile: bool = _choice(False, "on a GPU: torch.compile and CUDA graphs, a slow start for faster steps")

    def __post_init__(self) -> None:
        for f in fields(self):
            value, limits = getattr(self, f.name), f.metadata
            assert isinstance(f.type, type)
            kinds = (int, float) if f.type is float else (f.type,)
            if not isinstance(value, kinds) or (isinstance(value, bool) and f.type is not bool):
                raise ConfigError(f"{f.name}: expected {f.type.__name__}, got {value!r}")
            if "choices" in limits and value not in limits["choices"]:
                raise ConfigError(f"{f.name}: expected one of {', '.join(limits['choices'])}, got {value!r}")
            if "low" in limits and not value >= limits["low"]:
                raise ConfigError(f"{f.name}: expected at least {limits['low']}, got {value!r}")
            if "high" in limits and not value <= limits["high"]:
                raise ConfigError(f"{f.name}: expected at most {limits['high']}, got {value!r}")
        if self.width % self.groups:
            raise ConfigError(f"width: expected a multiple of groups = {self.groups}, got {self.width}")
        if self.ema_decay >= 1:
            raise ConfigError(f"ema_decay: expected less than 1, got {self.ema_decay}")
        if self.schedule == "trapezoid" and self.warmup + self.cooldown > 1:
            raise ConfigError(
                f"warmup and cooldown: expected at most 1 together, got {self.warmup} and {self.cooldown}"
            )
        if self.mixup + self.cutmix > 1:
            raise ConfigError(f"mixup and cutmix: expected at most 1 together, got {self.mixup} and {self.cutmix}")

    @property
    def affine(self) -> bool:
        """Whether faces are rotated, zoomed or shifted by fractions of a pixel."""
        return bool(self.rotate_deg or self.scale or self.shift)

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> "TrainConfig":
        """Settings from a mapping. Unknown fields of other versions are dropped if 0 or false. Raises ConfigError."""
        if not isinstance(values, dict):
            raise ConfigError(f"expected a mapping of fields, got {type(values).__name__}")
        known = {f.name for f in fields(cls)}
        if unknown := [name for name, value in values.items() if name not in known and value]:
            raise ConfigError(f"unknown fields: {', '.join(sorted(unknown))}")
        return cls(**{name: value for name, value in values.items() if name in known})


FIELDS = [f for f in fields(TrainConfig) if f.name != "preset"]  # what a preset sets

# Takes an hour or two on two CPU cores: narrower, with a stronger recipe for fewer images.
_CPU = TrainConfig(
    preset="cpu",
    epochs=44,
    batch_size=128,
    width=32,
    dropout=0.1,
    optimizer="sgd",
    lr_peak=0.06,
    warmup=0.2,
    weight_decay=5e-4,
    clip_value=0.0,
    label_smoothing=0.1,
    votes_weight=0.4,
    ema_decay=0.999,
    crop_pad_px=0,
    rotate_deg=10,
    scale=0.1,
    shift=0.08,
    erase=0.1,
)

PRESETS = {
    "article": TrainConfig(),
    "cpu": _CPU,
    # The recipe of `cpu` at full width. Neither has run on a GPU yet; `scripts/experiments.py gpu` measures them.
    # CutMix (Yun et al. 2019), because a long training has time to memorise the faces.
    # A low weight of FER+ votes: 0.4 or more pulls fear and sadness towards neutral (benchmarks/votes.md).
    "best": replace(_CPU, preset="best", epochs=150, width=64, dropout=0.2, votes_weight=0.15, cutmix=0.5),
    # Muon does better in short trainings (benchmarks/experiments.md). The batch is four times as large, so the step is
    # twice as large (square root rule) and the average covers a quarter of the steps.
    "fast": replace(
        _CPU,
        preset="fast",
        epochs=36,
        batch_size=512,
        width=64,
        optimizer="muon",
        votes_weight=0.15,
        lr_peak=0.04,
        ema_decay=0.99,
        compile=True,
    ),
    # Trains, validates and exports within a minute on two cores, to check that everything works.
    "smoke": TrainConfig(preset="smoke", epochs=2, batch_size=128, width=8, optimizer="sgd", lr_peak=0.05),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for each field of TrainConfig; if a flag is not given, the value of the preset applies."""
    parser.add_argument("--preset", choices=sorted(PRESETS), default="article", help="where every field starts from")
    group = parser.add_argument_group("fields of the preset")
    for f in FIELDS:
        flag = "--" + f.name.replace("_", "-")
        help_text = f.metadata["help"].replace("%", "%%")
        if f.type is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help_text)
        else:
            group.add_argument(flag, type=f.type, choices=f.metadata.get("choices"), default=None, help=help_text)


def given_fields(arguments: argparse.Namespace) -> dict[str, object]:
    """The fields whose flags were given."""
    return {f.name: getattr(arguments, f.name) for f in FIELDS if getattr(arguments, f.name) is not None}


def from_arguments(arguments: argparse.Namespace) -> TrainConfig:
    """The preset with the given flags applied. Raises ConfigError."""
    return replace(PRESETS[arguments.preset], **given_fields(arguments))  # type: ignore[arg-type]
