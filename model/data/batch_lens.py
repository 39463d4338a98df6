"""What stands between a text and the sensor, for a batch: where the camera is, focus, motion, size.

A picture is blurred and resized by one matrix for its rows and one for its columns, as the
runtime's preprocessing does it: products of small matrices, each picture with its own.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import conv2d, grid_sample, pad

from model.data.augment import severity
from model.data.batch_pictures import Pictures, per_picture


def jitter(pictures: Pictures) -> torch.Tensor:
    """Turned, and its corners moved a little, as from another camera.

    What is turned is fitted into the width that it had: a batch has one shape, and a text needs its
    time steps.
    """
    height, columns = pictures.levels.shape[1:]
    device = pictures.levels.device
    wide = pictures.widths / height  # all lengths are in heights, so that no number is large
    zero, one = torch.zeros_like(wide), torch.ones_like(wide)
    x, y = torch.stack([zero, wide, wide, zero], 1), torch.stack([zero, zero, one, one], 1)
    corners = torch.stack([x, y], dim=-1)  # (n, 4, 2)
    reach_x = (severity.CORNER_WIDE * wide).clamp(max=severity.CORNER_X)
    reach = torch.stack([reach_x, severity.CORNER_Y * one], dim=-1)[:, None]
    moved = (pictures.random(4, 2) - 0.5) * reach * per_picture(pictures.strengths)
    turn = severity.TURN * pictures.strengths * pictures.normal() * (3 / wide).clamp(max=1)
    cos, sin = turn.cos(), turn.sin()
    matrix = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], dim=1)
    seen = corners @ matrix
    seen = seen - seen.amin(1, keepdim=True)
    seen = seen / seen.amax(1, keepdim=True) * torch.stack([wide, one], -1)[:, None]
    back = _homography(seen, corners + moved)
    last = (pictures.widths - 1)[:, None]  # beyond it, what stands there is repeated
    across = (torch.minimum(torch.arange(columns, device=device), last) + 0.5) / height
    down = (torch.arange(height, device=device) + 0.5) / height
    across, down = (
        place.expand_as(pictures.levels) for place in (across[:, None, :], down[None, :, None])
    )
    points = torch.stack([across, down, torch.ones_like(across)], dim=-1)  # (n, H, W, 3)
    source = points.flatten(1, 2) @ back.mT
    source = (source[..., :2] / source[..., 2:]).view(-1, height, columns, 2)
    scale = torch.tensor([2 * height / columns, 2.0], device=device)
    sampled = grid_sample(
        pictures.levels[:, None], source * scale - 1, padding_mode="border", align_corners=False
    )
    return sampled[:, 0]


def _homography(points: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Maps `(n, 3, 3)` that take four `points (n, 4, 2)` each to their `targets (n, 4, 2)`."""
    ones, zeros = torch.ones_like(points[..., :1]), torch.zeros_like(points)
    plain = torch.cat([points, ones], dim=-1)  # (n, 4, 3)
    none = torch.cat([zeros, ones * 0], dim=-1)
    rows_x = torch.cat([plain, none, -points * targets[..., :1]], dim=-1)
    rows_y = torch.cat([none, plain, -points * targets[..., 1:]], dim=-1)
    sides = torch.cat([targets[..., 0], targets[..., 1]], dim=1)
    solved = torch.linalg.solve(torch.cat([rows_x, rows_y], dim=1), sides)
    return torch.cat([solved, torch.ones_like(solved[:, :1])], dim=1).view(-1, 3, 3)


def blur(pictures: Pictures) -> torch.Tensor:
    """Out of focus, or moved."""
    return pictures.one_of(severity.BLUR_KINDS, (gaussian, defocus, motion))


def gaussian(pictures: Pictures) -> torch.Tensor:
    """A soft lens."""
    height = pictures.levels.shape[1]
    sigma = severity.blur_sigma(height, pictures.strengths, pictures.random())
    return soften(pictures.levels, sigma)


def defocus(pictures: Pictures) -> torch.Tensor:
    """Points become discs."""
    reach, y, x = _kernel(pictures)
    return _filtered(pictures, (reach + 0.5 - torch.hypot(x, y)).clamp(0, 1))


def motion(pictures: Pictures) -> torch.Tensor:
    """Points become short lines at any angle."""
    reach, y, x = _kernel(pictures)
    angle = math.pi * pictures.random(1, 1)
    along, aside = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    line = (reach + 0.5 - along.abs()).clamp(0, 1) * (1 - aside.abs()).clamp(min=0)
    return _filtered(pictures, line)


def shrink(pictures: Pictures) -> torch.Tensor:
    """Down to few pixels and up again, with the kernels that cameras and sites use."""
    height, columns = pictures.levels.shape[1:]
    rows = severity.shrunk_rows(pictures.strengths, pictures.random())
    scale = (height / rows).clamp(min=1)
    area = pictures.random() < severity.SHRINK_AREA
    edges = torch.tensor(severity.SHRINK_KINDS, device=scale.device)
    kind = torch.bucketize(pictures.random(), edges, right=True)
    down, across = (_shrinking(size, scale, area, kind) for size in (height, columns))
    return (down @ pictures.levels @ across.mT).clamp(0, 255)


def sharpen(pictures: Pictures) -> torch.Tensor:
    """The halo that cheap cameras draw around edges."""
    soft = soften(pictures.levels, severity.halo_sigma(pictures.random()))
    amount = severity.halo_amount(pictures.strengths, pictures.random())
    return torch.lerp(soft, pictures.levels, per_picture(1 + amount)).clamp(0, 255)


def soften(levels: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Levels `(n, H, W)` blurred by gaussians of deviations `sigma (n,)`, in pixels."""
    down, across = (
        torch.arange(size, device=levels.device, dtype=levels.dtype) for size in levels.shape[1:]
    )
    matrices = (
        _rows(torch.exp(-((place[:, None] - place) / per_picture(sigma)).square() / 2))
        for place in (down, across)
    )
    return next(matrices) @ levels @ next(matrices).mT


def _rows(weights: torch.Tensor) -> torch.Tensor:
    """Weights `(n, out, in)` whose rows sum to 1; a row without weight stays 0."""
    sums = weights.sum(-1, keepdim=True)
    return weights / torch.where(sums == 0, 1, sums)


def _shrinking(
    size: int, scale: torch.Tensor, area: torch.Tensor, kind: torch.Tensor
) -> torch.Tensor:
    """Matrices `(n, size, size)` that shrink by `scale (n,)` and enlarge again.

    Args:
        size: Pixels of the picture along the axis.
        scale: Pixels of the picture per pixel of the small one, 1 or more.
        area: Which are shrunk by averaging, `(n,) bool`, and which by linear interpolation.
        kind: How they are enlarged, `(n,) int64`: 0 nearest, 1 linear, 2 cubic.
    """
    many = torch.arange(size, device=scale.device, dtype=torch.float32)
    few, scale = many[:, None], per_picture(scale)
    shared = torch.minimum(many + 1, (few + 1) * scale) - torch.maximum(many, few * scale)
    near = 1 - (((few + 0.5) * scale - 0.5).clamp(max=size - 1) - many).abs()
    down = _rows(torch.where(per_picture(area), shared, near).clamp(min=0))  # (n, few, many)
    few, many = few.T, many[:, None]
    far = ((many + 0.5) / scale - 0.5 - few).abs()
    nearest = (torch.floor((many + 0.5) / scale) == few).float()
    cubic = torch.where(  # Keys (1981), with OpenCV's -0.75
        far < 1,
        (1.25 * far - 2.25) * far.square() + 1,
        torch.where(far < 2, ((-0.75 * far + 3.75) * far - 6) * far + 3, 0.0),
    )
    kernels = torch.stack([nearest, (1 - far).clamp(min=0), cubic])  # (3, n, many, few)
    up = kernels[kind, torch.arange(len(kind), device=kind.device)]
    return _rows(up * (few * scale < size)) @ down


def _kernel(pictures: Pictures) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """How far each reaches `(n, 1, 1)`, and the rows and columns of a kernel that has room."""
    height, device = pictures.levels.shape[1], pictures.levels.device
    reach = severity.blur_reach(height, pictures.strengths, pictures.random())
    room = math.ceil(severity.blur_reach(height, 2.0, 1.0))
    place = torch.arange(-room, room + 1, device=device, dtype=torch.float32)
    # Below 0.6 pixels it would be no blur at all.
    return per_picture(reach.clamp(min=0.6)), place[:, None], place[None, :]


def _filtered(pictures: Pictures, kernels: torch.Tensor) -> torch.Tensor:
    """Levels after each picture's own kernel, `(n, k, k)` of any sum."""
    kernels = kernels / kernels.sum((1, 2), keepdim=True)
    room = kernels.shape[1] // 2
    padded = pad(pictures.levels[None], (room,) * 4, mode="replicate")
    return conv2d(padded, kernels[:, None], groups=len(kernels))[0]
