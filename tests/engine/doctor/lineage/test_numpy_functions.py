"""NumPy's functions on recorded arrays make what they make of plain ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.engine.doctor.lineage.programs import runs_of

SET_UP = """
import numpy as np
from numpy import inf, nan

x = np.array([[1.5, -2.0, 0.5], [3.0, 4.0, -0.25]]) * 1.0
v, w, square = x[0] + 0.0, x[1] * 2.0, x[:, :2] + 1.0
mask = np.array([[True, False, True], [False, True, True]])
numbers = np.arange(6.0).reshape(2, 3) + 1


def changed(change, *given, **options):
    y = x.copy()
    change(y, *given, **options)
    return y


def into(function, *given, shape=(2, 3), dtype=float, **options):
    out = np.zeros(shape, dtype)
    made = function(*given, out=out, **options)
    return made + 0 * out
"""
EXPRESSIONS = """
np.max(x, where=mask, initial=-9.0); np.min(x, axis=1, where=mask, initial=9.0); np.max(x, axis=(0, 1))
np.max(x, axis=0, keepdims=True)
x.max(initial=7.0); np.amin(x, axis=(0,)); np.ptp(x, axis=1); np.ptp(x, axis=1, keepdims=True)
np.average(x, axis=1); np.average(x, axis=0, weights=[1.0, 3.0]); np.average(x, weights=numbers)
np.average(x, axis=0, weights=[1.0, 3.0], returned=True)[1]
np.diff(x); np.diff(x, n=2, axis=1); np.diff(x, axis=0); np.diff(v, prepend=0.0); np.diff(v, append=[1.0, 2.0])
np.sum(x, where=mask); np.sum(x, axis=1, where=mask, initial=2.0); np.mean(x, where=mask); np.prod(x, axis=0, initial=2.0)
np.sum(x, dtype=np.float32)
np.mean(x, axis=np.int64(1)); np.sum(x, axis=(0, -1)); x.sum(0, keepdims=True); np.var(x, axis=1, ddof=1)
np.std(x, axis=(0, 1), keepdims=True); np.var(x, where=mask); np.var(x, where=mask, out=np.zeros(()))
np.prod(x, axis=0, where=mask, initial=2.0); np.std(x, where=mask)
np.outer(v, w); np.inner(x, x); np.inner(v, 2.0); np.inner(v, w); np.vdot(x, numbers); np.kron(square, square); np.kron(v, w)
np.tensordot(x, numbers, axes=([0, 1], [0, 1]))
np.tensordot(square, x, axes=1); np.einsum("ij,kj", x, x); np.einsum("...j,...j->...", x, numbers); np.einsum("...j,j", x, v)
np.einsum(x, [0, 1], v, [1]); np.trace(square)
np.multiply.outer(v, w); np.add.reduce(x); np.add.reduce(x, axis=None); np.multiply.reduce(x, axis=1); np.maximum.reduce(x, axis=1)
np.minimum.reduce(x); np.add.accumulate(x, axis=1)
np.multiply.accumulate(v); np.add.reduceat(v, [0, 2]); np.maximum.accumulate(v); np.subtract.reduce(v); np.logaddexp.reduce(v)
np.cumsum(x); np.cumprod(x, axis=1)
np.linalg.norm(x); np.linalg.norm(v, 1); np.linalg.norm(square, 2); np.linalg.norm(x, axis=1); np.linalg.norm(x, np.inf)
np.linalg.norm(x, 1, axis=1, keepdims=True); np.linalg.inv(square)
np.nan_to_num(x * np.array([np.nan, 1.0, np.inf])); np.sum(x * np.array([np.nan, 1.0, np.inf]), where=[False, True, False])
np.nan_to_num(x)
np.round(x, 1); np.around(v); x.round(1); np.floor(x); np.sign(x); np.rint(x); np.trunc(x); np.spacing(v); np.heaviside(x, 0.5)
np.pad(x, 1); np.pad(v, (2, 0), constant_values=3.0); np.pad(v, 1, mode="edge"); np.insert(v, 1, 9.0)
np.insert(x, 0, [1.0, 2.0, 3.0], axis=0); np.append(x, x, axis=0); np.append(v, 1.0)
np.sort(x); np.sort(x, axis=None); np.sort(x, axis=0); np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
np.compress([True, False, True], x, axis=1); np.extract(mask, x); np.flip(x); np.roll(x, 1)
np.broadcast_arrays(x, v)[1]; np.atleast_1d(v[0]); np.atleast_2d(v); np.atleast_3d(x); np.atleast_1d(v, x)[1]
np.broadcast_to(v, (2, 3)); np.full_like(x, 2); np.zeros_like(x, dtype=int)
changed(np.copyto, numbers); changed(np.copyto, v); changed(np.copyto, numbers, where=mask); changed(np.copyto, 5.0, where=mask)
changed(np.fill_diagonal, 8.0); changed(np.put, [0, 4], [7.0, 6.0])
changed(np.putmask, mask, [1.0, 2.0]); changed(np.place, mask, [1.0, 2.0, 3.0]); changed(np.add.at, ([0, 0, 1], [1, 1, 2]), 1.0)
changed(np.add.at, [0, 0], numbers); changed(np.maximum.at, [1], 1.0)
changed(np.negative.at, [0]); changed(np.subtract.at, (0, [0, 0]), [1.0, 2.0]); changed(np.logaddexp.at, [0], 1.0)
changed(np.random.RandomState(0).shuffle); changed(np.ndarray.sort); changed(np.ndarray.fill, 2.0)
into(np.multiply, x, numbers); into(np.add, x, 1.0, where=mask); into(np.exp, v, shape=3); into(np.floor, x)
into(np.matmul, square, x); into(np.dot, square, x); into(np.sum, x, shape=3, axis=0); into(np.max, x, shape=2, axis=1)
into(np.mean, x, shape=2, axis=1); into(np.var, x, shape=2, axis=1); into(np.outer, v, w, shape=(3, 3)); into(np.clip, x, -1, 1)
into(np.round, x, 0); into(np.einsum, "ij,j->i", x, v, shape=2); into(np.cumsum, x, shape=(2, 3), axis=1)
into(np.matmul, np.eye(2, dtype=int), np.arange(6).reshape(2, 3), dtype=int)
into(np.dot, np.arange(3), np.arange(9).reshape(3, 3), shape=3, dtype=int); into(np.add, np.arange(3), 1, shape=3, dtype=int)
np.where(mask, x, 0); np.where(mask, 1, 2); np.where(mask[0], v, [1.0, 2.0, 3.0]); np.clip(x, None, 1.0); np.clip(x, -1.0, None)
np.clip(x, v, 9.0); x.clip(-1, 1); np.clip(x, a_min=0, a_max=2); np.maximum(x, v); np.fmax(x, 0)
np.select([mask, ~mask], [x, -x]); np.piecewise(v, [v < 0, v >= 0], [0.0, 1.0]); np.apply_along_axis(np.sum, 1, x)
np.vectorize(lambda a: a * 2)(v); np.interp(0.5, [0.0, 1.0], v[:2]); np.convolve(v, w); np.cross(v, w)
np.hypot(v, w); np.logaddexp(v, w); np.arctan2(v, w); np.mod(v, 2); v // 2; v % 2; divmod(v, 2)[0]; np.divmod(v, 2)[1]; np.modf(v)[0]
np.frexp(v)[0]; 2.0 ** v; v ** 2; np.power(np.abs(v), w); np.float_power(3.0, v); np.exp2(v); np.expm1(v); np.log1p(np.abs(v))
np.median(x); np.percentile(x, 30); np.quantile(x, 0.5, axis=0); np.cov(x); np.corrcoef(x); np.histogram(x)[0]; np.unique(x)
np.searchsorted(np.sort(v), 0.0); np.count_nonzero(x); np.nonzero(x)[0]; np.argsort(x, axis=None); np.lexsort((v, w))
np.nansum(x); np.nanmean(x, axis=0); np.nanmax(x); np.cumsum(x, axis=0)[-1]; np.gradient(v)
np.trapezoid(v) if hasattr(np, "trapezoid") else 0.0; np.polyfit([0.0, 1.0, 2.0], v, 1); np.polyval([1.0, 2.0], v)
np.meshgrid(v, w)[1]; np.tril(x); np.triu(x, 1); np.diag(v); np.diag(square)
np.stack([v, w]); np.hstack([v, 1.0]); np.column_stack([v, w]); np.dstack([x, x]); np.block([[x], [x]]); np.tile(v, 2)
np.repeat(v, [1, 2, 0]); np.delete(x, 0, axis=1); np.resize(v, 5); np.squeeze(x[None]); np.moveaxis(x, 0, 1); np.rollaxis(x, 1)
np.swapaxes(x, 0, 1)
np.array_split(v, 2)[0]; np.hsplit(x, 3)[1]; np.rot90(x); np.fliplr(x); np.ravel(x, order="F"); x.reshape(3, 2, order="F")
x.flatten("F"); np.ascontiguousarray(x.T); np.asfortranarray(x); x.astype(int); x.astype(bool); x.astype("f4"); x.view(np.int64)
x.real; x.imag; np.real(x); x.conj()
np.linalg.det(square); np.linalg.solve(square, w[:2]); np.linalg.svd(x)[1]; np.linalg.qr(square)[1]; np.linalg.eigvalsh(square)
np.linalg.pinv(x); np.linalg.matrix_rank(x); np.linalg.lstsq(x.T, v, rcond=None)[0]; np.linalg.multi_dot([square, x])
np.linalg.matrix_power(square, 2)
x.item(1); x.tolist(); float(v[0]); int(w[0]); bool(x.any()); np.all(x); x.argmin(1); x.take([0, 2], 1); np.take(x, [5, 0])
x.compress([True], axis=0); x.repeat(2); x.trace(); x.nonzero()[1]; x.ptp() if hasattr(x, "ptp") else 0; x.cumsum(); x.prod()
x.var(ddof=1); x.std(0); x.dot(v); x @ v; v @ x.T
"""
COMPARED = """
for text, name, shape, numbers_ in WANTED:
    made = np.asarray(eval(text))
    assert (made.dtype.name, made.shape) == (name, shape), (text, made.dtype.name, made.shape)
    assert np.allclose(made.ravel().tolist(), numbers_, 1e-12, 1e-12, equal_nan=True), (text, made.tolist(), numbers_)
"""


def test_numpy_makes_of_recorded_arrays_what_it_makes_of_plain_ones(tmp_path: Path) -> None:
    """Also with options that are seldom given, and where what is made starts anew."""
    names: dict[str, Any] = {}
    exec(SET_UP, names)
    texts = [text for line in EXPRESSIONS.strip().split("\n") for text in line.split("; ")]
    plain = [(text, np.asarray(eval(text, names))) for text in texts]
    wanted = [(text, made.dtype.name, made.shape, made.ravel().tolist()) for text, made in plain]
    outcome, _ = runs_of(tmp_path, f"{SET_UP}\nWANTED = {wanted!r}\n{COMPARED}").followed()
    assert outcome.ending.kind == "end", outcome.output
