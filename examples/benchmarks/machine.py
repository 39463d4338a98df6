"""The conditions of a measurement: the machine, its clock, temperature and load."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crnn_edge.benchmark import machine

_CPU = Path("/sys/devices/system/cpu/cpu0")
_PI = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_STAT = Path("/proc/stat")
_BUSY_S = 1.0  # of processor time, below which nothing is said: a system is never quite idle


@dataclass(frozen=True)
class Conditions:
    """The state of the system at one moment; None or empty where it is unknown.

    Attributes:
        machine: Board or processor, architecture, cores.
        python: Version.
        system: Kernel.
        governor: The policy of the processor's clock.
        clock_mhz: Its frequency.
        temperature_c: Of the hottest sensor.
        throttled: How often, or (on a Raspberry Pi) for which reasons, the clock was lowered.
        load: Load average of the last minute.
        stolen_s: Processor seconds that a host gave to other guests since it started.
        others_s: Processor seconds that other programs took since it started: all but this process
            and those children of it that have ended.
    """

    machine: str
    python: str
    system: str
    governor: str
    clock_mhz: float | None
    temperature_c: float | None
    throttled: str
    load: float | None
    stolen_s: float | None
    others_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def describe(self, after: Conditions | None = None) -> str:
        """One line of text; with the conditions after the measurement, what changed."""
        last = after or self
        parts = [self.machine, f"Python {self.python}", self.system]
        parts.append(f"governor {self.governor or 'unknown'}")
        if self.clock_mhz and last.clock_mhz:
            parts.append(_change("", self.clock_mhz, last.clock_mhz, "MHz"))
        if self.temperature_c and last.temperature_c:
            parts.append(_change("", self.temperature_c, last.temperature_c, "°C"))
        else:
            parts.append("temperature unknown")
        if last.throttled:
            parts.append(f"throttled {self.throttled} before, {last.throttled} after")
        else:
            parts.append("throttling unknown")
        if self.load is not None and last.load is not None:
            parts.append(_change("load ", self.load, last.load, "", 1))
        for what, before, now in (
            ("taken by other programs", self.others_s, last.others_s),
            ("stolen by other guests", self.stolen_s, last.stolen_s),
        ):
            if before is not None and now is not None and now - before > _BUSY_S:
                parts.append(f"{now - before:.0f} s of processor time {what}")
        return ", ".join(parts)


def _change(what: str, before: float, after: float, unit: str, decimals: int = 0) -> str:
    a, b = f"{before:.{decimals}f}", f"{after:.{decimals}f}"
    return f"{what}{a if a == b else f'{a} → {b}'} {unit}".rstrip()


def conditions() -> Conditions:
    """The conditions now."""
    temperatures = [_number(path) for path in Path("/sys/class/thermal").glob("*/temp")]
    known = [t / 1e3 for t in temperatures if t]
    khz = _number(_CPU / "cpufreq" / "scaling_cur_freq")
    return Conditions(
        machine=machine(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        governor=_text(_CPU / "cpufreq" / "scaling_governor"),
        clock_mhz=khz / 1e3 if khz else _clock_mhz(),
        temperature_c=max(known) if known else None,
        throttled=_text(_PI) or _text(_CPU / "thermal_throttle" / "core_throttle_count"),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        stolen_s=_stolen_s(),
        others_s=_others_s(),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None


def _clock_mhz() -> float | None:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("cpu MHz"):
            return float(line.partition(":")[2])
    return None


def _stolen_s() -> float | None:
    fields = _ticks()
    return fields[7] if len(fields) > 7 else None


def _others_s() -> float | None:
    fields = _ticks()
    if len(fields) < 7:
        return None
    user, nice, system, _, _, interrupts, soft_interrupts = fields[:7]
    return user + nice + system + interrupts + soft_interrupts - sum(os.times()[:4])


def _ticks() -> list[float]:
    """Processor seconds by what they went into, of all cores; empty where there is no `/proc`."""
    fields = _text(_STAT).partition("\n")[0].split()
    return [float(field) / os.sysconf("SC_CLK_TCK") for field in fields[1:]]
