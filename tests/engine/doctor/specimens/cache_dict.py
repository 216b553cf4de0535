"""Forward and backward as two functions, a dict between them; ReLU by where."""
import numpy as np
def forward(x, model):
    h = np.zeros((x.shape[0], model['Wh'].shape[0]))
    cache = {'h': [h], 'x': x}
    for t in range(x.shape[1]):
        h = np.where((z := x[:, t] @ model['Wx'] + h @ model['Wh'] + model['bh']) > 0, z, 0)
        cache['h'].append(h)
    out = h @ model['Wo'] + model['bo']
    ex = np.exp(out - out.max(axis=1)[:, None])
    cache['p'] = ex / ex.sum(axis=1)[:, None]
    return cache['p'], cache
def backward(cache, y, model):
    p = cache['p'].copy(); n = len(y)
    p[np.arange(n), y] -= 1
    p /= n
    g = {}
    g['Wo'] = cache['h'][-1].T @ p
    g['bo'] = p.sum(0)
    g['Wx'] = np.zeros_like(model['Wx']); g['Wh'] = np.zeros_like(model['Wh']); g['bh'] = np.zeros_like(model['bh'])
    dh = p @ model['Wo'].T
    for t in range(cache['x'].shape[1] - 1, -1, -1):
        dh = dh * (cache['h'][t + 1] > 0)
        g['Wx'] += cache['x'][:, t].T @ dh
        g['Wh'] += cache['h'][t].T @ dh
        g['bh'] += dh.sum(0)
        dh = dh @ model['Wh'].T
    return g
