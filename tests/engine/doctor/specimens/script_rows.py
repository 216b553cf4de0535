"""Rows, ReLU, one-hot targets, more samples than steps."""
import numpy as np

np.random.seed(42)

# toy data: does the sequence contain more than two large values?
N, T, D = 12, 6, 3
X = np.random.rand(N, T, D)
labels = (X[:, :, 0].sum(axis=1) > 3).astype(int)
K = 2
Y = np.zeros((N, K))
Y[range(N), labels] = 1

n_hidden = 5
learning_rate = 0.1
W_xh = np.random.randn(D, n_hidden) * 0.4
W_hh = np.random.randn(n_hidden, n_hidden) * 0.4
W_hy = np.random.randn(n_hidden, K) * 0.4
b_h = np.full(n_hidden, 0.1)
b_y = np.zeros(K)


def relu(v):
    return v * (v > 0)


def step(x, h):
    return relu(x @ W_xh + h @ W_hh + b_h)


for epoch in range(3):
    # forward
    h = np.zeros((T + 1, N, n_hidden))
    for t in range(T):
        h[t + 1] = step(X[:, t], h[t])
    scores = h[T] @ W_hy + b_y
    exp_scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = exp_scores / exp_scores.sum(axis=1, keepdims=True)
    loss = -np.mean(np.sum(Y * np.log(probs), axis=1))

    # backward
    d_scores = (probs - Y) / N
    dW_hy = h[T].T @ d_scores
    db_y = d_scores.sum(axis=0)
    dW_xh = np.zeros_like(W_xh)
    dW_hh = np.zeros_like(W_hh)
    db_h = np.zeros_like(b_h)
    dh = d_scores @ W_hy.T
    for t in range(T, 0, -1):
        dz = dh * (h[t] > 0)
        dW_xh += X[:, t - 1].T @ dz
        dW_hh += h[t - 1].T @ dz
        db_h += dz.sum(axis=0)
        dh = dz @ W_hh.T

    # update
    W_xh -= learning_rate * dW_xh
    W_hh -= learning_rate * dW_hh
    W_hy -= learning_rate * dW_hy
    b_h -= learning_rate * db_h
    b_y -= learning_rate * db_y
    if epoch % 10 == 0:
        print(f"{epoch}: {loss:.4f}")
