"""Many-to-one, ReLU, softmax, three matrices."""
import numpy as np

np.random.seed(1)
m, T_x, n_x, n_a, n_y = 6, 5, 3, 4, 3
X = np.random.randn(m, T_x, n_x)
Y = np.array([0, 2, 1, 1, 0, 2])

Wax = np.random.randn(n_x, n_a) * 0.5
Waa = np.random.randn(n_a, n_a) * 0.5
Wya = np.random.randn(n_a, n_y) * 0.5
learning_rate = 0.05

a = np.zeros((m, n_a))
for t in range(T_x):
    z = np.dot(X[:, t, :], Wax) + np.dot(a, Waa)
    a = np.maximum(0, z)

scores = np.dot(a, Wya)
exp_scores = np.exp(scores - np.max(scores, axis=1, keepdims=True))
y_hat = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
loss = -np.mean(np.log(y_hat[np.arange(m), Y]))
print("loss", loss)
