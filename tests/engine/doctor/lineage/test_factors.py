"""Factors on gradients: which are a choice of the program, and which are a mistake."""

from __future__ import annotations

from pathlib import Path

from tests.engine.doctor.lineage.programs import verdict_on
from tests.engine.doctor.lineage.trained import network

CLIP = """
def clip(d):
    size = np.linalg.norm(d)
    if size > 0.5:
        d /= size / 0.5

def scaled(d):
    return -0.1 * d
"""


def test_each_gradient_may_be_clipped_by_its_own_norm(tmp_path: Path) -> None:
    verdict = verdict_on(
        tmp_path, network(("        w -= 0.1 * d\n", "        clip(d)\n        w += scaled(d)\n"), before=CLIP)
    )
    assert verdict.verdict == "right"
    assert any("clip" in c for c in verdict.conventions)


def test_a_number_on_some_gradients_stays_a_mistake_beside_a_clip(tmp_path: Path) -> None:
    halved = ("    return loss, dWxh", "    dWhh /= T\n    return loss, dWxh")
    verdict = verdict_on(
        tmp_path, network(halved, ("        w -= 0.1 * d\n", "        clip(d)\n        w += scaled(d)\n"), before=CLIP)
    )
    assert verdict.verdict == "wrong"
    assert [c.name for c in verdict.compared if c.status == "wrong"] == ["Whh"]


def test_a_clip_by_the_spectral_norm_in_a_longer_product_is_one_too(tmp_path: Path) -> None:
    clip = (
        "    return loss, dWxh",
        "    dWhh = 1.0 * dWhh / np.linalg.norm(dWhh, ord=2)\n    return loss, dWxh",
    )
    assert verdict_on(tmp_path, network(clip)).verdict == "right"
