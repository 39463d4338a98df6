"""A student is drawn to its teacher, if both see and say the same."""

from __future__ import annotations

import pytest
import torch
from training import DIGITS, options, small_checkpoint, weights

from model.network.checkpoint import load_checkpoint
from model.train import main
from model.training.distill import Teacher


@pytest.mark.parametrize("collapse", [(2, 1), (2, 2)])
def test_a_student_comes_to_say_what_its_teacher_says(collapse, tmp_path) -> None:
    torch.manual_seed(0)
    path = small_checkpoint(tmp_path / "teacher.safetensors", collapse)
    manifest = load_checkpoint(path).manifest
    teacher = Teacher(path, manifest, torch.device("cpu"), None)
    tensor = torch.randn(4, 1, 32, 64)
    told = teacher.model(tensor).log_softmax(-1)
    expected = torch.cat([told, told[:, -1:]], dim=1)[:, :16]  # the last step stands in
    assert teacher.loss(tensor, expected) == pytest.approx(0, abs=1e-4)
    student = torch.zeros(4, 16, DIGITS.num_classes, requires_grad=True)
    optimizer = torch.optim.Adam([student], 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        teacher.loss(tensor, student.log_softmax(-1)).backward()
        optimizer.step()
    torch.testing.assert_close(student.log_softmax(-1), expected, atol=0.02, rtol=0)


def test_the_divergence_is_the_teachers_from_the_student(tmp_path) -> None:
    path = small_checkpoint(tmp_path / "teacher.safetensors")
    teacher = Teacher(path, load_checkpoint(path).manifest, torch.device("cpu"), None)
    told = torch.tensor([[[0.5, 0.5], [0.8, 0.2]], [[0.5, 0.5], [0.5, 0.5]]])
    said = torch.tensor([[[0.9, 0.1], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]])
    teacher.model = lambda tensor: told.log()  # type: ignore[assignment]
    # .5 ln(.5 / .9) + .5 ln(.5 / .1), and .8 ln(.8 / .5) + .2 ln(.2 / .5); two pictures
    expected = (0.510826 + 0.192745) / 2
    assert teacher.loss(torch.zeros(2, 1, 32, 64), said.log()) == pytest.approx(expected, abs=1e-5)


def test_a_teacher_changes_what_is_learnt(numbers, tmp_path) -> None:
    teacher = small_checkpoint(tmp_path / "teacher.safetensors")
    steps = ["--steps", "2"]
    assert main(options(numbers, tmp_path / "alone", *steps)) == 0
    assert main(options(numbers, tmp_path / "taught", *steps, "--teacher", str(teacher))) == 0
    alone, taught = weights(tmp_path / "alone"), weights(tmp_path / "taught")
    assert not torch.equal(alone["model/linears.0.bias"], taught["model/linears.0.bias"])


def test_a_teacher_that_spells_otherwise_is_refused(numbers, tmp_path, capsys) -> None:
    teacher = small_checkpoint(tmp_path / "t.safetensors", stride=8)
    assert main(options(numbers, tmp_path / "r", "--steps", "1", "--teacher", str(teacher))) == 1
    assert "its stride is 8, not 4" in capsys.readouterr().err
