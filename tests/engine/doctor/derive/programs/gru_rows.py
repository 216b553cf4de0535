import numpy as np

rs = np.random.RandomState(10)
T, N, D, H = 6, 4, 3, 5
x = rs.randn(T, N, D)
y = rs.randn(N, 2)

def sigmoid(v): return 1 / (1 + np.exp(-v))

def glorot(n, m): return rs.uniform(-1, 1, (n, m)) * np.sqrt(6 / (n + m))

Wz, Uz, bz = glorot(D, H), glorot(H, H), np.zeros(H)
Wr, Ur, br = glorot(D, H), glorot(H, H), np.zeros(H)
Wn, Un, bn = glorot(D, H), glorot(H, H), np.zeros(H)
Wo, bo = glorot(H, 2), np.zeros(2)

h = np.zeros((N, H))
for t in range(T):
    z = sigmoid(x[t] @ Wz + h @ Uz + bz)
    r = sigmoid(x[t] @ Wr + h @ Ur + br)
    n = np.tanh(x[t] @ Wn + (r * h) @ Un + bn)
    h = z * h + (1 - z) * n

out = h @ Wo + bo
loss = 0.5 * np.sum((out - y) ** 2) / N
print(loss)
