"""What a head's fields say of classes."""

from __future__ import annotations

import numpy as np
import pytest

from engine.tables.heads import BINARY, CROSS_ENTROPY, HEADS, SQUARED, Head, usual_head


@pytest.mark.parametrize(("head", "classes"), [(CROSS_ENTROPY, 5), (BINARY, 2), (SQUARED, 0)], ids=str)
def test_how_many_classes_so_many_outputs_tell_apart(head: Head, classes: int) -> None:
    assert head.class_count(head.outputs or 5) == classes


def test_the_class_that_is_predicted() -> None:
    one = BINARY.predicted(np.array([[0.2], [0.5], [0.51], [1.0]]))
    assert one.dtype.kind == "i" and one.tolist() == [0, 0, 1, 1]
    several = np.array([[[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], [[0.1, 0.8, 0.1], [0.9, 0.0, 0.1]]])
    assert CROSS_ENTROPY.predicted(several).tolist() == [[2, 0], [1, 0]]  # (B, T) of (B, T, C)


def test_the_usual_head_of_classes_and_of_numbers() -> None:
    assert usual_head(classes=True) is CROSS_ENTROPY
    assert usual_head(classes=False) is SQUARED
    assert [head.two_classes for head in HEADS.values()] == [False, True, False, False]
