"""Command lines of the commands that train: parsers are made from the dataclasses of settings."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from crnn_edge.errors import ModelFileError
from model.json_config import ConfigError, to_jsonable
from model.network.safetensors_header import read_metadata
from model.training.config import TrainConfig
from model.training.options import Option, flag_name, options_of

STATE_FILE = "last.safetensors"
"""The training state in a run's folder, from which `--resume` continues."""

_RUNNING = ("device", "threads", "workers", "eval_every", "save_every")
"""Options of `TrainConfig` that the help shows as a group of their own."""


def add_options(
    group: Any,
    config: Any,
    names: Sequence[str] | None = None,
) -> None:
    """Add the options of a config's fields to a parser or a group of one.

    Options that are not given leave no attribute, so that only what is given is known.

    Args:
        group: The parser or group.
        config: An instance, whose values are the defaults that the help shows.
        names: The fields; None for all that are options.
    """
    for name, declared in options_of(config).items():
        if names is None or name in names:
            group.add_argument(
                flag_name(name),
                dest=name,
                default=argparse.SUPPRESS,
                **_keywords(declared, getattr(config, name)),
            )


def _keywords(declared: Option, default: Any) -> dict[str, Any]:
    shown = declared.help
    if default is not None and not declared.flag and not declared.repeatable:
        # In place of a default that the help states because it depends on other options.
        shown = f"{shown.partition(' (default:')[0]} (default: {default})"
    if declared.flag:
        return {"action": "store_true", "help": shown}
    keywords: dict[str, Any] = {"help": shown, "type": argument_type(declared.parse)}
    if declared.choices:
        keywords["choices"] = declared.choices
    if declared.metavar:
        keywords["metavar"] = declared.metavar
    if declared.repeatable:
        keywords["action"] = "append"
    return keywords


def argument_type(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A `type` of argparse that reports a ConfigError with its own message."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    convert.__name__ = parse.__name__  # argparse: invalid float value
    return convert


def build_parser(
    defaults: TrainConfig, *, prog: str, usage: str, description: str, epilog: str, init: bool
) -> argparse.ArgumentParser:
    """The parser of a command that trains.

    Args:
        defaults: The settings that the command has when none are given.
        prog: The command.
        usage: Its usage in one line: an error must not print some forty options.
        description: What it does.
        epilog: Examples.
        init: Whether it has the options of `InitConfig`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the run's files"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out exactly where it stopped"
    )
    if init:
        add_options(parser.add_argument_group("network"), defaults.init)
    add_options(parser.add_argument_group("data"), defaults.data)
    optimization = parser.add_argument_group("optimization")
    add_options(optimization, defaults.optim)
    add_options(optimization, defaults, ("teacher", "distill_weight", "amp", "seed"))
    add_options(parser.add_argument_group("running"), defaults, _RUNNING)
    return parser


def config_from(options: argparse.Namespace, defaults: TrainConfig) -> TrainConfig:
    """The settings that a command line asks for, or those of the run that it resumes.

    Args:
        options: Of a parser by `build_parser`; attributes are what was given.
        defaults: The settings that the command has when none are given.

    Raises:
        ConfigError: If settings are out of range or contradict each other or the resumed run; if
            there is no run to resume, or one that is not to be overwritten.
    """
    given = {name: _frozen(value) for name, value in vars(options).items() if name != "resume"}
    processes = int(os.environ.get("WORLD_SIZE", 1))  # set by torchrun
    state = options.out / STATE_FILE
    if options.resume:
        if options.out.exists() and not options.out.is_dir():
            raise ConfigError(f"--out {options.out} is a file: expected the folder of a run")
        saved = read_config(state)
        _check_same_run(saved, given, defaults.command, processes, options.out)
        return with_options(saved, given)
    if state.exists():
        raise ConfigError(
            f"{options.out} already contains a run: continue it with --resume, or choose another "
            "--out"
        )
    return dataclasses.replace(with_options(defaults, given), processes=processes).resolve()


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def with_options(config: TrainConfig, given: dict[str, Any]) -> TrainConfig:
    """The settings with some fields, of any section, replaced.

    Raises:
        ConfigError: If a number is out of range.
    """

    def changed(section: Any) -> Any:
        names = options_of(section)
        return dataclasses.replace(section, **{k: v for k, v in given.items() if k in names})

    main: TrainConfig = changed(config)
    return dataclasses.replace(
        main,
        init=changed(config.init),
        data=changed(config.data),
        optim=changed(config.optim),
    )


def read_config(state: Path) -> TrainConfig:
    """The settings of the run whose training state this is.

    Raises:
        ConfigError: If the file is missing, damaged, or not a training state.
    """
    try:
        metadata = read_metadata(state)
    except ModelFileError as error:
        raise ConfigError(f"no run to resume in {state.parent}: {error}") from None
    if "settings" not in metadata:
        raise ConfigError(f"{state} is not a training state: expected the {STATE_FILE} of a run")
    return TrainConfig.from_json(metadata["settings"], f"the settings in {state}")


def _check_same_run(
    saved: TrainConfig, given: dict[str, Any], command: str, processes: int, out: Path
) -> None:
    """Refuse to resume a run as another one.

    Raises:
        ConfigError: If the command, the number of processes or a setting that changes the result
            differs.
    """
    if saved.command != command:
        raise ConfigError(f"{out} contains a run of `{saved.command}`: resume it with that command")
    if saved.processes != processes:
        raise ConfigError(
            f"the run in {out} has {saved.processes} process{'es' * (saved.processes > 1)}, not "
            f"{processes}, and would get other batches: start it with torchrun --nproc-per-node "
            f"{saved.processes}"
        )
    for section in (saved, saved.init, saved.data, saved.optim):
        for name, declared in options_of(section).items():
            if name not in given or declared.changeable:
                continue
            before = getattr(section, name)
            if _comparable(name, given[name]) != _comparable(name, before):
                raise ConfigError(
                    f"{flag_name(name)} {_shown(given[name])} contradicts the run in {out}, which "
                    f"has {_shown(before)}: omit it, or start a new run with --finetune"
                )


def _comparable(name: str, value: Any) -> Any:
    if name == "charset" and value and value != "@" and value.startswith("@"):
        return f"@{Path(value[1:]).absolute()}"
    return to_jsonable(value)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(_shown(item) for item in value)
    return str(getattr(value, "path", value))
