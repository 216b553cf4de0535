"""States of single precision, a weight decay that is off by default."""
import numpy as np
def lossAndGrad(X, y, theta, lam=0.0):
    W_xh, W_hh, W_hy = theta['W_xh'], theta['W_hh'], theta['W_hy']
    N, T, D = X.shape
    H = W_hh.shape[0]
    h = np.zeros((N, T + 1, H), dtype=np.float32)
    for t in range(T):
        h[:, t + 1] = np.tanh(X[:, t].dot(W_xh) + h[:, t].dot(W_hh))
    s = h[:, T].dot(W_hy)
    s -= np.max(s, axis=1, keepdims=True)
    p = np.exp(s); p /= p.sum(axis=1, keepdims=True)
    data_loss = -np.log(p[range(N), y]).sum() / N
    loss = data_loss + 0.5 * lam * sum((w ** 2).sum() for w in theta.values())
    ds = p; ds[range(N), y] -= 1; ds /= N
    dW_hy = h[:, T].T.dot(ds) + lam * W_hy
    dh = ds.dot(W_hy.T)
    dW_xh = lam * W_xh; dW_hh = lam * W_hh
    for t in range(T, 0, -1):
        dz = dh * (1 - h[:, t] ** 2)
        dW_xh = dW_xh + X[:, t - 1].T.dot(dz)
        dW_hh = dW_hh + h[:, t - 1].T.dot(dz)
        dh = dz.dot(W_hh.T)
    return loss, {'W_xh': dW_xh, 'W_hh': dW_hh, 'W_hy': dW_hy}
