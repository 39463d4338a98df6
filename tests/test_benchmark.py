from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import benchmark
from examples.benchmarks import backends, layers, readme, report, results, rivals, synth
from examples.benchmarks.child import Child, ChildError
from examples.benchmarks.machine import Conditions
from examples.benchmarks.programs.timing import timed
from examples.benchmarks.stats import as_list, from_list, median, ratio
from examples.benchmarks.table import figure, markdown, percent, times
from examples.benchmarks.turns import Reader, against, chunks, take_turns
from runtime import names
from runtime.errors import CrnnError, EngineError
from runtime.metrics import Estimate, proportion

PICTURES = 20


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of nothing, with labels."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(1)
    for k in range(PICTURES):
        noise = rng.integers(0, 256, (32, 64 + 32 * (k % 2)), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{k}.png")
    lines = (f"{k}.png\tword{k}\n" for k in range(PICTURES))
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Write a module that child processes can import; gives its name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, text: str) -> str:
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write


@pytest.fixture(autouse=True)
def one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough of a cold start for a test."""
    monkeypatch.setattr(backends, "_STARTS", 1)


# Child processes


def test_what_a_program_prints_is_no_answer(program: Callable[[str, str], str]) -> None:
    name = program("mine.noisy", "print('hello')\ndef start(a): print(a); return {'twice': twice}\n"
                   "def twice(x): print('working'); return 2 * x\n")  # fmt: skip
    with Child(name, ["argument"]) as child:
        assert [child.ask("twice", x) for x in (1, "ab")] == [2, "abab"]


def test_an_error_in_a_program_is_told_and_it_lives_on(
    program: Callable[[str, str], str],
) -> None:
    name = program("mine.wrong", "def start(): return {'divide': lambda a, b: a / b}\n")
    with Child(name) as child:
        with pytest.raises(ChildError, match="ZeroDivisionError"):
            child.ask("divide", 1, 0)
        assert child.ask("divide", 1, 2) == 0.5


@pytest.mark.parametrize(
    ("death", "told"),
    [
        ("os.abort()", "SIGABRT"),
        ("os._exit(3)", "code 3"),
        ("exec('import no_such_engine')", "no_such_engine"),
    ],
)
def test_a_death_is_told_by_whoever_asks(
    death: str, told: str, program: Callable[[str, str], str]
) -> None:
    name = program("mine.dying", f"import os\ndef start(): {death}\n")
    with Child(name) as child:
        for _ in range(2):
            with pytest.raises(ChildError, match=told):
                child.ask("anything")


def test_a_child_that_hangs_is_given_up(program: Callable[[str, str], str]) -> None:
    name = program("mine.hanging", "import time\ndef start(): time.sleep(60)\n")
    with Child(name, timeout_s=0.1) as child, pytest.raises(ChildError, match="no answer"):
        child.ask("anything")


def test_interrupting_the_parent_leaves_children_alone(
    program: Callable[[str, str], str],
) -> None:
    import os

    name = program("mine.group", "import os\ndef start(): return {'group': os.getpgrp}\n")
    with Child(name) as child:
        assert child.ask("group") != os.getpgrp()


# Figures


def test_the_median_of_known_numbers() -> None:
    found = median([5.0, 1.0, 100.0, 3.0, 4.0, 2.0, 6.0])
    assert found == 4.0
    assert 1 <= found.low <= 4 <= found.high <= 100


@given(st.lists(st.floats(0.001, 1000), min_size=6, max_size=40))
def test_an_interval_encloses_its_median_and_stays_within_the_sample(values: list[float]) -> None:
    found = median(values)
    assert min(values) <= found.low <= found <= found.high <= max(values)


def test_more_rounds_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    few, many = (median(rng.normal(10, 1, n).tolist()) for n in (10, 1000))
    assert many.high - many.low < (few.high - few.low) / 3


def test_too_few_rounds_claim_no_interval() -> None:
    found = median([1.0, 2.0, 3.0])
    assert found == 2.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert times(found) == "2.00×"


def test_a_busy_minute_cancels_out_of_a_ratio() -> None:
    load = [1.0, 1.1, 9.0, 50.0, 1.2, 1.0, 7.0, 2.0]
    found = ratio([3 * x for x in load], load)
    assert as_list(found) == [3.0, 3.0, 3.0]


def test_rounds_that_only_one_side_had_do_not_count() -> None:
    found = against({0: 2.0, 1: 4.0, 2: 100.0}, {0: 1.0, 1: 2.0, 3: 1e-6})
    assert found == 2.0
    assert against({0: 1.0}, {1: 1.0}) is None
    with pytest.raises(ValueError, match="2 rounds"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize("value", [None, median([1.0]), proportion(3, 7)])
def test_estimates_survive_json(value: Estimate | None) -> None:
    there = from_list(json.loads(json.dumps(as_list(value), allow_nan=False)))
    assert as_list(there) == as_list(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.12345, "0.123"), (1.0, "1.00"), (12.34, "12.3"), (1234.5, "1,234"), (0, "0"),
     (0.00012, "0.0001"), (math.nan, "–")],
)  # fmt: skip
def test_three_digits_count(value: float, told: str) -> None:
    assert figure(value) == told


def test_a_percentage_has_its_interval() -> None:
    assert percent(proportion(50, 100)) == "50.0 ± 9.6"


def test_markdown_rows_have_equally_many_cells_whatever_they_hold() -> None:
    lines = markdown(["name", "x"], [["a|b", "1"], ["long name here", "22"]]).splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
    assert [line.replace(r"\|", "").count("|") for line in lines] == [3, 3, 3, 3]


def test_whole_reads_are_timed_by_clock_and_processor() -> None:
    found = timed(str.upper, ["a", "b"])
    assert found["texts"] == ["A", "B"]
    assert np.shape(found["stages_ms"]) == (2, 2)
    assert np.min(found["stages_ms"]) >= 0


def test_conditions_tell_what_changed_and_what_is_unknown() -> None:
    before = Conditions("Board", "3.11", "Linux 6", "", 1000.0, 50.0, "0x0", 0.5, 3.0)
    after = Conditions("Board", "3.11", "Linux 6", "", 1000.0, 80.0, "0x4", 0.5, 10.0)
    told = before.told(after)
    for part in ("governor not told", "1000 MHz", "50 → 80 °C", "0x0 before, 0x4 after", "7 s"):
        assert part in told
    assert "BUSY" not in replace(before, load=0.0).told()
    assert "BUSY" in replace(before, load=1000.0).told()


# Turns


@pytest.mark.parametrize(("count", "at_least", "times_each"), [(20, 1, 1), (20, 45, 3)])
def test_each_picture_is_read_equally_often(count: int, at_least: int, times_each: int) -> None:
    numbers = [i for chunk in chunks(count, 8, at_least) for i in chunk]
    assert sorted(numbers) == sorted(list(range(count)) * times_each)
    assert numbers == [i for chunk in chunks(count, 8, at_least) for i in chunk]
    assert numbers[:count] != list(range(count))


def test_turns_rotate_and_a_failing_reader_is_left_out() -> None:
    readers = [Reader(label) for label in "abc"]
    seen: list[str] = []

    def turn(reader: Reader, number: int, about: str) -> None:
        seen.append(f"{reader.label}{number}{about}")
        if (reader.label, number) == ("b", 1):
            raise ChildError("was ended by SIGSEGV")

    take_turns(readers, ["x", "y", "z"], turn, 60)
    assert seen == ["a0x", "b0x", "c0x", "b1y", "c1y", "a1y", "c2z", "a2z"]
    assert [reader.failure for reader in readers] == ["", "was ended by SIGSEGV", ""]


def test_a_slow_reader_leaves_time_for_the_others() -> None:
    slow, fast = Reader("slow", spent_s=30.0), Reader("fast")
    seen: list[str] = []
    take_turns([slow, fast], range(3), lambda reader, *_: seen.append(reader.label), 60)
    assert seen == ["fast"] * 3


# backends


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = benchmark.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table, head and rule left out."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


CRASHING = """
from runtime.backends.onnx import load as good
import os

class Backend:
    def __init__(self, backend):
        self.manifest, self.backend, self.calls = backend.manifest, backend, 0

    def __call__(self, tensor):
        self.calls += 1
        if self.calls > {calls}:
            os.abort()
        return self.backend(tensor)

def load(path, *, threads, device):
    return Backend(good(path, threads=threads, device=device))
"""


@pytest.mark.parametrize("calls", [0, 10, 20])
def test_a_backend_that_crashes_is_survived_and_told(
    calls: int,  # until the crash: at the start, in a read, in a batch
    tiny_model: Path,
    crops: Path,
    tmp_path: Path,
    program: Callable[[str, str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    crashing = program("mine.crashing", CRASHING.format(calls=calls))
    code, out, _ = run(
        capsys, "backends", "--models", tiny_model, f"{tiny_model}={crashing}",
        f"{tiny_model}=mine.absent", "--threads", 1, "--data", crops, "--widths", 64, 256,
        "--batch", 1, 4, "--json", tmp_path / "a.json", "--png", tmp_path / "a.png",
    )  # fmt: skip
    assert code == 0
    assert rows(out)[0][:4] == ["tiny.onnx", "onnx", "fp32", "1"]
    assert "left out: tiny.onnx, mine.crashing, 1: " in out
    assert "SIGABRT" in out
    assert "left out: tiny.onnx, mine.absent, 1: " in out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    found = results.load(tmp_path / "a.json")
    good = found["rows"][0]
    assert good["score"]["n"] == PICTURES
    assert good["reads"] >= PICTURES
    assert good["size_bytes"] == tiny_model.stat().st_size
    assert set(good["words_per_s"]) == {"1", "4"}
    assert set(good["widths_ms"]) == {"64", "256"}
    assert sum(good["cold_parts_ms"].values()) < good["cold_start_ms"]
    assert 10 < good["peak_rss_mb"] < 1000


def test_an_interrupt_prints_the_table_so_far(
    tiny_model: Path,
    crops: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    read, seen = Reader.read, []

    def interrupted(self: Reader, *arguments: Any) -> None:
        seen.append(self)
        if len(seen) == 2:
            raise KeyboardInterrupt
        read(self, *arguments)

    monkeypatch.setattr(Reader, "read", interrupted)
    code, out, err = run(
        capsys, "backends", "--models", tiny_model, "--threads", 1, "--data", crops
    )
    assert code == 0
    assert "interrupted" in err
    assert rows(out)[0][-1] == "16"  # of 20 pictures


def test_nothing_measured_is_a_failure(
    tiny_model: Path, crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = f"{tiny_model}=mine.absent"
    code, out, _ = run(capsys, "backends", "--models", absent, "--threads", 1, "--data", crops)
    assert code == 1
    assert "nothing was measured" in out


def test_a_batch_that_does_not_scale_is_told() -> None:
    row = result("a.onnx", 1.0) | {"threads": 2, "times_one_thread": {"16": [1.2, 1.1, 1.3]}}
    assert "does not scale: a.onnx (onnx), 16 at once" in report.table(figures(row))
    row["times_one_thread"] = {"16": [1.7, 1.6, 1.8]}
    assert "does not scale" not in report.table(figures(row))


def result(file: str, ms: float, accuracy: float = 0.75) -> dict[str, Any]:
    """A row as `results` has it."""
    quantiles = {"p50_ms": ms, "p95_ms": 2 * ms, "p99_ms": 3 * ms}
    share = [accuracy, accuracy - 0.02, accuracy + 0.02]
    return {
        "file": file, "backend": "onnx", "threads": 1, "label": f"{file}, onnx, 1",
        "precision": "int8", "engine": {"onnxruntime": "1.0"}, "size_bytes": 1_000_000,
        "cold_start_ms": 100.0, "peak_rss_mb": 50.0, "read_ms": quantiles,
        "read_median_ms": [ms, 0.98 * ms, 1.02 * ms],
        "stages_ms": {stage: quantiles for stage in results.STAGES}, "overhead": 0.1,
        "times_baseline": [1.0, None, None], "words_per_s": {"16": [1e3 / ms, None, None]},
        "times_one_thread": {}, "widths_ms": {},
        "score": {"n": 100, "accuracy": share, "exact": share},
    }  # fmt: skip


def figures(*found: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": results.FORMAT, "baseline": found[0]["label"], "rows": list(found),
        "failures": {}, "conditions": "Board, arm64",
        "data": {"folder": "crops", "pictures": 100},
    }  # fmt: skip


def test_a_comparison_finds_what_got_slower_and_what_came_and_went() -> None:
    old = figures(*(result(f, 1.0) for f in ("slower", "faster", "noise", "gone")))
    new = figures(
        result("slower", 1.2), result("faster", 0.8), result("noise", 1.03, 0.8), result("new", 1.0)
    )
    verdicts = {
        cells[0].partition(",")[0]: cells[-1] for cells in rows(report.comparison(old, new))
    }
    assert verdicts == {
        "slower": "slower", "faster": "faster", "noise": "the same", "new": "new", "gone": "gone",
    }  # fmt: skip
    assert rows(report.comparison(old, new))[2][-2] == "+5.0"


def test_wide_intervals_do_not_accuse() -> None:
    assert report.verdict([1.0, 0.5, 2.0], [1.5, 1.0, 2.5]) == "the same"
    assert report.verdict([1.0, None, None], [9.0, None, None]) == "the same"


def test_another_machine_and_other_pictures_are_told_in_a_comparison() -> None:
    old, new = figures(result("a", 1.0)), figures(result("a", 1.0))
    assert "Another machine" not in report.comparison(old, new)
    old["conditions"] = "Another board, arm64"
    assert "Another machine then: Another board" in report.comparison(old, new)
    old["data"] = {"folder": "others", "pictures": 9}
    assert "Other pictures then: 9 pictures of others" in report.comparison(old, new)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 0, "rows": []}', '{"format": 1}'])
def test_comparing_with_a_foreign_file_is_refused_before_anything_is_measured(
    content: str, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text(content)
    code, out, err = run(
        capsys, "backends", "--models", tiny_model, "--compare", tmp_path / "old.json"
    )
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "old.json" in err


def test_an_unknown_baseline_lists_the_rows() -> None:
    reader = Reader("a.onnx, onnx, 1", about={"peak_rss_mb": 1.0})
    with pytest.raises(CrnnError, match=r"'b'.*a\.onnx, onnx, 1"):
        results.figures([reader], [], "b")


def test_a_model_is_a_file_and_perhaps_a_backend(tiny_model: Path) -> None:
    found = backends.models([str(tiny_model), f"{tiny_model}=mine.backend"])
    assert [backend for _, backend in found] == ["", "mine.backend"]
    with pytest.raises(CrnnError, match=r"none\.onnx"):
        backends.models(["none.onnx"])


def test_the_weights_beside_a_file_count_to_its_size(tmp_path: Path) -> None:
    for name, size in (("a.xml", 10), ("a.bin", 100), ("b.onnx", 7), ("b.bin", 1)):
        (tmp_path / name).write_bytes(bytes(size))
    assert backends.size_bytes(tmp_path / "a.xml") == 110
    assert backends.size_bytes(tmp_path / "b.onnx") == 7


# rivals, synth


RIVAL = """
from examples.benchmarks.programs.timing import timed

def start(text):
    about = {"engine": {"rival": "1.0"}, "size_bytes": 2_000_000}
    return {"about": lambda: about, "read": lambda paths: timed(lambda path: text, paths)}
"""


def test_rivals_that_cannot_be_installed_are_told_and_the_others_measured(
    tiny_model: Path,
    crops: Path,
    tmp_path: Path,
    program: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def absent() -> dict[str, Any]:
        raise EngineError("cannot install absent: no network")

    start = partial(Child, program("mine.rival", RIVAL), ["word1"])
    monkeypatch.setattr(
        rivals, "INSTALL", {"absent": absent, "present": lambda: {"Present 5": start}}
    )
    code, out, _ = run(
        capsys, "rivals", "--models", tiny_model, "--data", crops, "--json", tmp_path / "a.json"
    )
    assert code == 0
    assert "left out: absent: cannot install absent: no network" in out
    table = {cells[0]: cells for cells in rows(out)}
    assert set(table) == {"ours: tiny.onnx (onnx)", "Present 5"}
    assert table["Present 5"][1].startswith("5.0 ±")  # one of twenty words
    assert table["Present 5"][-1] == str(PICTURES)
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["rows"][0]["times_ours"][0] == 1.0


TRDG = """
print("imported")

class GeneratorFromDict:
    def __init__(self, path, **settings):
        self.texts, self.number = open(path).read().splitlines(), 0
        self.generator = type("Inner", (), {"fonts": ["a", "b"]})

    def __next__(self):
        self.number += 1
        sum(range(50_000))
        return (object() if self.number % 2 else None), self.texts[self.number]
"""


def test_both_renderers_are_measured_in_the_same_rounds(
    program: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import matplotlib

    program("trdg.generators", TRDG)
    monkeypatch.setattr(synth, "environment", lambda *_: sys.executable)
    monkeypatch.setattr(synth, "_PROBE", 4)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    code, out, _ = run(
        capsys, "synth", "--rounds", 2, "--seconds", 0.1, "--processes", 1, "--fonts", fonts
    )
    assert code == 0
    table = {cells[0]: cells for cells in rows(out)}
    assert set(table) == {"ours", "trdg 1.8.0"}
    assert table["trdg 1.8.0"][1] == "2"
    assert table["trdg 1.8.0"][-2:] == ["1.00×", "1.00×"]
    assert "2 rounds" in out


def test_both_renderers_write_the_same_kinds_of_texts(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("alpha\nbeta\n")
    texts = synth.write_texts(tmp_path / "texts", tmp_path / "words").read_text().splitlines()
    assert all(texts)
    assert sum(text.lower() in ("alpha", "beta") for text in texts) > len(texts) / 4
    assert any(character.isdigit() for text in texts for character in text)


# roofline


@pytest.mark.parametrize("which", ["tiny_model", "tiny_int8_model"])
def test_the_work_of_each_layer_follows_from_its_weights(
    which: str, request: pytest.FixtureRequest
) -> None:
    from tiny import CHANNELS, CHARSET, HEIGHT, HIDDEN, STRIDE

    path = request.getfixturevalue(which)
    found, limits = layers.measure([path], width=128, threads=1, rounds=2)
    _, measured = found[path]
    steps = 128 // STRIDE
    work = {kind: layer.operations for layer in measured for kind in layers.KINDS
            if kind in layer.kind}  # fmt: skip
    assert work == {
        "Conv": pytest.approx(2e-6 * steps * CHANNELS * HEIGHT * STRIDE),
        "LSTM": pytest.approx(2e-6 * steps * 2 * 4 * HIDDEN * (CHANNELS + HIDDEN)),
        "MatMul": pytest.approx(2e-6 * steps * 2 * HIDDEN * CHARSET.num_classes),
    }
    assert [layer.int8 for layer in measured if "LSTM" in layer.kind] == [
        which == "tiny_int8_model"
    ]
    assert all(limit > 0.1 for limit in limits.values())


def test_the_roofline_is_sorted_by_what_is_lost(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "roofline", "--models", tiny_model, "--rounds", 2, "--layers", 4)
    assert code == 0
    lost = [float(cells[-1].replace(",", "")) for cells in rows(out)]
    assert len(lost) == 4
    assert lost == sorted(lost, reverse=True)


# The README's tables


README = """# Title
<!-- table: first --data "a folder" -->
| old |
<!-- end -->
between | stays
<!-- table: second -->
<!-- end -->
the end
"""


def test_only_what_is_between_markers_changes() -> None:
    asked = []

    def output(command: Sequence[str]) -> str:
        asked.append(list(command))
        return f"| {command[0]} |\n"

    found = readme.refreshed(README, output)
    assert sorted(asked) == [["first", "--data", "a folder"], ["second"]]
    assert found == README.replace("| old |\n", "\n| first |\n\n").replace(
        "second -->\n", "second -->\n\n| second |\n\n"
    )
    assert readme.refreshed(found, output) == found


def test_tables_that_are_not_named_stay() -> None:
    found = readme.refreshed(README, lambda _: "new", ["second"])
    assert "| old |" in found
    assert "new" in found


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- table: a -->\n",
        "<!-- end -->\n",
        "<!-- table: a -->\n<!-- table: b -->\n<!-- end -->\n",
        "<!-- table: a -->\n<!-- end -->\n<!-- end -->\n",
    ],
)
def test_unpaired_markers_are_refused(text: str) -> None:
    with pytest.raises(CrnnError):
        readme.refreshed(text, lambda _: "new")


def test_a_command_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    path.write_text(text := "a\n<!-- table: backends --models none.onnx -->\nold\n<!-- end -->\n")
    code, _, err = run(capsys, "readme", "--file", path)
    assert code == 1
    assert "failed" in err
    assert path.read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_a_file_is_refreshed_by_the_real_command(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(tiny_model.read_bytes())
    path = tmp_path / "README.md"
    marker = "<!-- table: roofline --models tiny.onnx --rounds 1 -->"
    path.write_text(f"before\n{marker}\n<!-- end -->\nafter\n")
    code, _, _ = run(capsys, "readme", "--file", path)
    assert code == 0
    text = path.read_text()
    assert text.startswith(f"before\n{marker}\n\n")
    assert text.endswith("\n\n<!-- end -->\nafter\n")
    assert len(rows(text)) >= 3


# The command


def test_every_file_with_a_run_is_a_benchmark_that_explains_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = names.available(benchmark.PACKAGE, "run")
    assert {"backends", "readme", "rivals", "roofline", "synth"} <= set(found)
    for arguments in ([], *([name] for name in found)):
        with pytest.raises(SystemExit) as end:
            benchmark.main([*arguments, "--help"])
        assert end.value.code == 0
        told = capsys.readouterr().out
        assert "xamples:" in told
        assert not arguments or "python examples/benchmark.py" in told


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["backends", "--threads", "x"]])
def test_misuse_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        benchmark.main(arguments)
    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err
