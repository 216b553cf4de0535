# parity of a few bits, one sample after the other
import numpy as np

rng = np.random.RandomState(2)
bits = rng.randint(0, 2, size=(6, 5))
labels = bits.sum(axis=1) % 2

Wx = rng.randn(4) * 0.8
Wh = rng.randn(4, 4) * 0.8
b = np.zeros(4)
w_out = rng.randn(4)
b_out = 0.0
alpha = 0.1


def sigmoid(u):
    return 1.0 / (1.0 + np.exp(-u))


total_loss = 0.0
for i in range(len(bits)):
    states = [np.zeros(4)]
    for bit in bits[i]:
        states.append(sigmoid(bit * Wx + states[-1] @ Wh + b))
    prob = sigmoid(states[-1] @ w_out + b_out)
    total_loss += -(labels[i] * np.log(prob) + (1 - labels[i]) * np.log(1 - prob))
total_loss /= len(bits)
print("binary cross-entropy", total_loss)
