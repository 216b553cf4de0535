import numpy as np


def initialise(n_in, n_hidden, n_out, seed=0):
    rnd = np.random.RandomState(seed)
    return dict(Wx=rnd.randn(n_hidden, n_in) * 0.5, Wh=rnd.randn(n_hidden, n_hidden) * 0.5, bh=np.zeros((n_hidden, 1)),
                h0=rnd.randn(n_hidden, 1) * 0.1, Wy=rnd.randn(n_out, n_hidden) * 0.5, by=np.zeros((n_out, 1)))


def run(weights, u):
    """u is (time, features, batch); the initial state is learned and the same for all samples"""
    h = np.repeat(weights["h0"], u.shape[2], axis=1)
    hs, ys = [h], []
    for u_t in u:
        h = np.tanh(weights["Wx"] @ u_t + weights["Wh"] @ h + weights["bh"])
        y = weights["Wy"] @ h + weights["by"]
        hs.append(h)
        ys.append(y)
    return hs, ys


def squared_error(ys, wanted):
    return sum(0.5 * np.sum((y - d) ** 2) for y, d in zip(ys, wanted)) / len(ys)


weights = initialise(2, 4, 1)
rnd = np.random.RandomState(9)
u, wanted = rnd.randn(5, 2, 3), rnd.randn(5, 1, 3)
hs, ys = run(weights, u)
error = squared_error(ys, wanted)
print(error)
