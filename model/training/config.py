"""The settings of a training run. They are values: frozen, checked, and JSON in a run's folder."""

# ruff: noqa: RUF009  `option` makes a dataclass field

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.json_config import ConfigError, JsonConfig
from model.network.bundled import find_checkpoint
from model.network.config import CONFIGS
from model.training.migrate import migrate
from model.training.options import (
    FINITE,
    POSITIVE,
    PROBABILITY,
    STRENGTH,
    WEIGHT,
    Bounds,
    check_bounds,
    option,
)
from model.training.schedule import SCHEDULES
from model.training.sources import DataSource, StyleSource

DEFAULT_NETWORK = "crnn-lite"
"""The architecture that is trained by default."""

AMP = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class InitConfig(JsonConfig):
    """What a run trains and which weights it starts from."""

    model: str | None = option(
        None,
        f"network architecture (default: {DEFAULT_NETWORK})",
        metavar="NAME",
        choices=tuple(sorted(CONFIGS)),
    )
    width_mult: float | None = option(
        None,
        "multiply the channels and hidden units of --model by this (default: 1)",
        parse=float,
        metavar="FACTOR",
        bounds=Bounds(0.05, 4, "a factor from 0.05 to 4"),
    )
    backbone: str | None = option(
        None,
        "convolutional part of --model: a module of model/network/backbones/, or a dotted name of "
        "your own module (default: that of --model)",
        metavar="NAME",
    )
    finetune: Path | None = option(
        None,
        "start from the network and the weights of this checkpoint",
        parse=find_checkpoint,
        metavar="CHECKPOINT",
    )
    grow: Path | None = option(
        None,
        "start --model from the weights of this smaller network (Net2Net)",
        parse=find_checkpoint,
        metavar="CHECKPOINT",
    )
    prune: Path | None = option(
        None,
        "start --model from the most important channels of this larger network",
        parse=find_checkpoint,
        metavar="CHECKPOINT",
    )
    charset: str | None = option(
        None,
        "characters to read, or @ and a file with one token a line (default: printable ASCII, or "
        "that of the checkpoint)",
        metavar="CHARS|@FILE",
    )
    tta_threshold: float | None = option(
        None,
        "confidence below which the manifest recommends test-time augmentation; 0 for never "
        "(default: 0, or that of the checkpoint)",
        parse=float,
        metavar="P",
        bounds=PROBABILITY,
    )
    decoder: str | None = option(
        None,
        "decoder that the manifest recommends, such as greedy or lm (default: greedy, or that of "
        "the checkpoint if it is trained on such text again)",
        metavar="NAME",
    )
    reparam: bool | None = option(
        None,
        "train RepVGG blocks: a 1x1 convolution and, where channels allow, an identity beside each "
        "3x3 convolution, fused at export. With --finetune they are added without changing the "
        "output; a checkpoint that has them keeps them in any case",
        flag=True,
    )

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_bounds(self)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that the run starts from."""
        return self.finetune or self.grow or self.prune

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            ConfigError: If there are any.
        """
        if self.finetune and (self.model, self.width_mult, self.backbone) != (None, None, None):
            raise ConfigError(
                "--finetune uses the network of the checkpoint: leave out --model, --width-mult "
                "and --backbone"
            )
        if sum(start is not None for start in (self.finetune, self.grow, self.prune)) > 1:
            raise ConfigError("give only one of --finetune, --grow and --prune")


@dataclass(frozen=True)
class DataConfig(JsonConfig):
    """What a run is trained and evaluated on."""

    synth: float = option(
        1.0,
        "weight of rendered words in the mixture",
        parse=float,
        metavar="WEIGHT",
        bounds=WEIGHT,
    )
    data: tuple[DataSource, ...] = option(
        (),
        "a folder with labels.tsv or labels.csv, or an LMDB, and its weight in the mixture "
        "(default: 1). Characters that its images show and its labels leave out, such as the "
        "dashes of license plates, are named as unlabelled: they are neither rewarded nor "
        "penalized. Repeatable",
        parse=DataSource.parse,
        metavar="DIR[=WEIGHT][,unlabelled=CHARS]",
        repeatable=True,
    )
    splice: float = option(
        0.0,
        "weight of words spliced from the --data crops, which the start checkpoint cuts between "
        "their characters",
        parse=float,
        metavar="WEIGHT",
        bounds=WEIGHT,
    )
    eval: Path | None = option(
        None,
        "labelled crops of the validation set, none of --data (default: 500 rendered words)",
        parse=Path,
        metavar="DIR",
    )
    out_of_charset: str = option(
        "error",
        "what to do about labels with characters outside the charset: stop, or skip these crops",
        choices=("error", "skip"),
    )
    fonts: tuple[Path, ...] = option(
        (),
        "folder of fonts, in addition to the system's. Repeatable",
        parse=Path,
        metavar="DIR",
        repeatable=True,
    )
    style: tuple[StyleSource, ...] = option(
        (),
        "rendered images of a style, such as lcd or plate, and their weight in the mixture "
        "(default: 1); `python -m model.data.synth --style NAME --png SHEET` shows one. Repeatable",
        parse=StyleSource.parse,
        metavar="NAME[=WEIGHT]",
        repeatable=True,
    )
    words: Path | None = option(None, "words to render, one a line", parse=Path, metavar="FILE")
    text_pattern: str | None = option(
        None,
        "render only texts that match, such as [A-Z]{3}-\\d{4}: the pattern language of decoders",
        metavar="PATTERN",
    )
    texts: Path | None = option(
        None, "render only the texts of this file, one a line", parse=Path, metavar="FILE"
    )
    augment: float | None = option(
        None,
        "strength of the augmentation of the --data crops, including padding of some of them; 0 "
        "for none (default: 1)",
        parse=float,
        metavar="STRENGTH",
        bounds=STRENGTH,
    )
    max_width: int = option(
        256,
        "leave out images that are wider than this at the network's height: they would pad their "
        "whole batch",
        parse=int,
        metavar="PX",
        bounds=POSITIVE,
    )

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_bounds(self)

    def check(self, init: InitConfig) -> None:
        """Refuse settings that contradict each other.

        Raises:
            ConfigError: If there are any.
        """
        for source in self.data:
            if self.eval and source.path.resolve() == self.eval.resolve():
                raise ConfigError(
                    f"--eval {self.eval} is also given as --data: accuracy on training data says "
                    "nothing about other images. Split it into two folders, or omit --eval"
                )
        wanted = [self.words, self.text_pattern, self.texts]
        if sum(text is not None for text in wanted) > 1:
            raise ConfigError("give only one of --words, --text-pattern and --texts")
        rendered = self.synth or self.style
        if not rendered and self.eval and (self.fonts or any(wanted)):
            raise ConfigError(
                "--words, --text-pattern, --texts and --fonts need rendered text, but --synth is 0 "
                "and there is no --style"
            )
        if self.augment is not None and not self.data:
            raise ConfigError(
                "--augment applies to --data crops, and none are given. Rendered words are always "
                "augmented"
            )
        if self.splice and not self.data:
            raise ConfigError("--splice needs crops to cut: add --data")
        if self.splice and not init.checkpoint:
            raise ConfigError(
                "--splice needs a trained network to align the crops: add --finetune, --grow or "
                "--prune"
            )


@dataclass(frozen=True)
class OptimizerConfig(JsonConfig):
    """How the weights are updated."""

    steps: int = option(50_000, "optimizer steps", parse=int, bounds=POSITIVE)
    batch: int = option(64, "images a step and process", parse=int, bounds=POSITIVE)
    optimizer: str = option("adamw", "adadelta is the paper's", choices=("adamw", "adadelta"))
    lr: float | None = option(
        None,
        "peak learning rate (default: 0.002; with adadelta 1)",
        parse=float,
        bounds=WEIGHT,
    )
    schedule: str = option("onecycle", "learning rate schedule", choices=SCHEDULES)
    weight_decay: float | None = option(
        None, "weight decay (default: 0.01; with adadelta 0)", parse=float, bounds=WEIGHT
    )
    clip: float = option(
        5.0,
        "maximum gradient norm",
        parse=float,
        bounds=Bounds(1e-6, FINITE, "a gradient norm of at least 1e-6"),
    )
    ema: float = option(
        0.9995,
        "decay of the moving average of the weights",
        parse=float,
        bounds=Bounds(0, 1, "a decay from 0 to 1"),
    )

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_bounds(self)

    def resolve(self) -> OptimizerConfig:
        """The same with the defaults that depend on the optimizer filled in."""
        lr, weight_decay = (2e-3, 1e-2) if self.optimizer == "adamw" else (1.0, 0.0)
        return dataclasses.replace(
            self,
            lr=lr if self.lr is None else self.lr,
            weight_decay=weight_decay if self.weight_decay is None else self.weight_decay,
        )


@dataclass(frozen=True)
class TrainConfig(JsonConfig):
    """All settings of a training run."""

    out: Path = option(Path(), "folder of the run", parse=Path, metavar="DIR", changeable=True)
    init: InitConfig = InitConfig()
    data: DataConfig = DataConfig()
    optim: OptimizerConfig = OptimizerConfig()
    teacher: Path | None = option(
        None,
        "train on the output of this larger network, too (knowledge distillation)",
        parse=find_checkpoint,
        metavar="CHECKPOINT",
    )
    distill_weight: float | None = option(
        None,
        "weight of the distillation loss relative to the CTC loss (default: 1)",
        parse=float,
        metavar="WEIGHT",
        bounds=WEIGHT,
    )
    amp: str = option(
        "auto",
        "precision of the forward and backward pass (automatic mixed precision). auto: bf16 where "
        "the device computes it natively, else fp32",
        choices=AMP,
    )
    seed: int = option(
        1,
        "random seed",
        parse=int,
        bounds=Bounds(0, 2**31 - 1, "a whole number from 0 to 2147483647"),
    )
    device: str = option(
        "auto", "such as cuda:1 (default: cuda if available, else cpu)", changeable=True
    )
    threads: int | None = option(
        None,
        "CPU threads of torch (default: chosen by torch)",
        parse=int,
        bounds=POSITIVE,
        changeable=True,
    )
    workers: int = option(
        1, "processes that make batches", parse=int, bounds=WEIGHT, changeable=True
    )
    eval_every: int = option(
        2000, "steps between evaluations", parse=int, metavar="STEPS", bounds=POSITIVE
    )
    save_every: int = option(
        1000,
        "steps between saved states",
        parse=int,
        metavar="STEPS",
        bounds=POSITIVE,
        changeable=True,
    )
    processes: int = 1
    command: str = "python -m model.train"

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_bounds(self)

    def resolve(self) -> TrainConfig:
        """The settings of a new run: checked, and with all dependent defaults filled in.

        Raises:
            ConfigError: If settings contradict each other.
        """
        self.init.check()
        self.data.check(self.init)
        if self.out.exists() and not self.out.is_dir():
            raise ConfigError(f"--out {self.out} is a file: expected an existing or new folder")
        if self.distill_weight is not None and not self.teacher:
            raise ConfigError("--distill-weight needs a --teacher")
        if self.processes > 1 and ":" in self.device:
            raise ConfigError(
                f"--device {self.device} would be shared by all {self.processes} processes"
            )
        data = self.data
        if data.data and data.augment is None:
            data = dataclasses.replace(data, augment=1.0)
        weight = 1.0 if self.teacher and self.distill_weight is None else self.distill_weight
        return dataclasses.replace(
            self, data=data, optim=self.optim.resolve(), distill_weight=weight
        )

    def to_json(self) -> str:
        """A JSON object; paths are absolute, so that they hold from any working directory."""
        charset = self.init.charset
        if charset and charset != "@" and charset.startswith("@"):
            charset = f"@{Path(charset[1:]).absolute()}"
        init = dataclasses.replace(self.init, charset=charset)
        return JsonConfig.to_json(dataclasses.replace(self, init=init))

    @classmethod
    def from_values(cls, values: Any, source: str = "the settings") -> TrainConfig:
        """Parse an object as `json.loads` returns it; settings of earlier versions are migrated.

        Raises:
            ConfigError: If its fields are unknown, missing or invalid.
        """
        return super().from_values(migrate(values, source), source)
