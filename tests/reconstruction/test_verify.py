"""Candidates are run in order until enough are measured; the kernel's failures are tried again with a tolerance."""

import math
from dataclasses import replace

import numpy as np
import pytest
from plates import FAST, plate

from cadcode.program.tree import Program
from cadcode.reconstruction.candidate import Failure, FreeText, Proposed, Provenance, Verified
from cadcode.reconstruction.verify import verify_best
from cadcode.sandbox.outcome import Failed, Solid


class Counting:
    """Every second text fails."""

    def __init__(self):
        self.texts = []

    def run(self, text, export=()):
        self.texts.append(text.splitlines()[0])
        corners = np.array([[0, 0, 0], [1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
        faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        return Failed("error", "no") if len(self.texts) % 2 else Solid(corners, faces, 1 / 6, True)


def texts(count):
    return [Proposed(FreeText(f"text {i}"), Provenance("sample", index=i), 1.0 * i) for i in range(count)]


def test_candidates_are_run_in_order_until_enough_are_measured(part):
    sandbox, options = Counting(), replace(FAST, search=replace(FAST.search, execute=2))
    first, *others = texts(9)
    tried = verify_best([Failure(first, "known to fail"), *others], [], part, sandbox, options)
    assert sandbox.texts == [f"text {i}" for i in (1, 2, 3, 4)]
    assert [c.reason for c in tried if isinstance(c, Failure)] == ["error: no", "error: no"]
    assert [isinstance(c, Verified) for c in tried] == [False, True, False, True]


class Saying:
    """For a text with or without a tolerance a part of a shape's corners."""

    def __init__(self, shape, plain, tolerant):
        self.shape, self.heights, self.tolerant = shape, (plain, tolerant), []

    def run(self, text, export=()):
        self.tolerant.append("tol=" in text)
        corners = self.shape.vertices.copy()
        height = self.heights[self.tolerant[-1]]
        corners[:, 2] = corners[:, 2].min() + height * (corners[:, 2] - corners[:, 2].min())
        return Solid(corners, self.shape.faces, 1.0, True)


@pytest.mark.parametrize(
    "expected, tolerant, texts, iou",
    [
        (0.95, 0.9, ["plain", "tolerant"], 0.9),
        (0.95, 0.3, ["plain", "tolerant"], 0.5),
        (0.51, 0.9, ["plain"], 0.5),
        (None, 0.9, ["plain"], 0.5),
    ],
)
def test_what_the_kernel_fails_at_is_tried_with_a_tolerance(part, shape, expected, tolerant, texts, iou):
    sandbox = Saying(shape, 0.5, tolerant)
    program = Program((*plate().steps, *plate(radius=5.0).steps))
    candidate = Proposed(program, Provenance("greedy", stages=("edited",)), math.nan, expected=expected)
    [found] = verify_best([candidate], [], part, sandbox, FAST)
    assert sandbox.tolerant == [text == "tolerant" for text in texts]
    assert found.error.iou == pytest.approx(iou, abs=0.01)
    assert ("tol=" in found.text) == (iou == 0.9)


def test_what_is_known_is_not_run_again(part):
    sandbox, candidates = Counting(), texts(3)
    verify_best(candidates, [Failure(c, "no") for c in candidates[:2]], part, sandbox, FAST)
    assert sandbox.texts == ["text 2"]
