"""What is printed on packages and shown on screens: dates, lots, times, names of buttons."""

from __future__ import annotations

import string

import numpy as np

from model.data.text import text_patterns as notation
from model.data.text.text_patterns import below, listed, pick

_MONTHS = listed("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
_DATES = listed("D/M/Y D/M/y D.M.y D.M.Y Y-M-D M/Y M/y M.Y D_N_y DNy D-N-Y DNY YMD DMy N_Y N_y M-Y")
_BEFORE = listed(
    "EXP EXP. EXP: BB BBE BEST_BEFORE BEST_BY USE_BY MFG MFD MFG. PROD PRD PKD PACKED E: P: BBD "
    "EXP_DATE VAL CAD FAB EXPIRY"
)
_LOTS = listed(
    "L#### L####A L###### LOT_### LOT_A##### LOT:#### L#### L##A LOT_#####A B.NO_#### BATCH_A### "
    "A###### AA#### ######## L:##### #### ##### A##-### ####A ##A## SN######## MRP_Rs.##.00"
)
_BUTTONS = listed(
    "OK Cancel Save Open File Edit View Help Login Sign_in Password User_name Settings Search Next "
    "Back Home Menu Print Close Delete Send Reply Inbox Download Upload Loading... Error Warning "
    "Network Wi-Fi Bluetooth Battery Display Sound Language Continue Submit Start Stop Restart "
    "Update Total Amount Date Time Name Address Status Online Offline Enabled New Share Copy Paste "
    "Undo Insert Format Tools Window Options Properties Desktop Documents Pictures Music Version"
)
_FILES = listed("pdf txt docx png jpg xlsx csv zip exe html py mp4 log json")


def _date(rng: np.random.Generator) -> str:
    month, year = below(rng, 12), 2020 + below(rng, 16)
    parts = {"D": f"{1 + below(rng, 31):02d}", "M": f"{month + 1:02d}", "N": _MONTHS[month]}
    parts |= {"Y": str(year), "y": f"{year % 100:02d}", "_": " "}
    return "".join(parts.get(char, char) for char in pick(rng, _DATES))


def _time(rng: np.random.Generator) -> str:
    seconds = f":{below(rng, 60):02d}" if rng.random() < 0.2 else ""
    return f"{below(rng, 24):02d}:{below(rng, 60):02d}{seconds}"


def _lot(rng: np.random.Generator) -> str:
    sets = {"#": string.digits, "A": "ABCDEFGHJKLMNPRSTUVWXYZ"}
    form = pick(rng, _LOTS)
    # Only what stands for itself is a word: the A of BATCH is none of the letters to choose.
    word, mark, code = form.rpartition("_") if "_" in form else form.rpartition(":")
    filled = "".join(pick(rng, sets[char]) if char in sets else char for char in code)
    return f"{word}{mark}{filled}".replace("_", " ")


def stamped(rng: np.random.Generator) -> str:
    """A date to eat something by, when it was packed, its lot, or two of these."""
    kind = rng.random()
    if kind < 0.25:
        return _date(rng)
    if kind < 0.5:
        return pick(rng, _BEFORE).replace("_", " ") + " " + _date(rng)
    if kind < 0.75:
        return _lot(rng)
    if kind < 0.83:
        return f"{_lot(rng)} {_time(rng)}"
    if kind < 0.91:
        return f"{_date(rng)} {_time(rng)}"
    return _time(rng) if kind < 0.96 else pick(rng, _BEFORE).replace("_", " ")


def shown(rng: np.random.Generator) -> str:
    """What a computer or a telephone shows in one line."""
    kind = rng.random()
    if kind < 0.4:
        words = [pick(rng, _BUTTONS) for _ in range(1 + (rng.random() < 0.2))]
        return " ".join(words).replace("_", " ") + (":" if rng.random() < 0.12 else "")
    if kind < 0.55:
        return notation.number(rng)
    if kind < 0.65:
        return notation.date_or_time(rng)
    if kind < 0.73:
        return f"{pick(rng, _BUTTONS).split('_')[0].rstrip('.')}.{pick(rng, _FILES)}"
    if kind < 0.81:
        return notation.measure(rng)
    if kind < 0.89:
        return notation.code(rng)
    if kind < 0.94:
        return notation.price(rng).replace("£", "$").replace("€", "EUR")
    return f"{below(rng, 256)}.{below(rng, 256)}.{below(rng, 256)}.{below(rng, 256)}"
