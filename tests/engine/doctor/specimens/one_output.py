"""One sentence at a time, one sigmoid output: its weights are a vector, its bias a number."""
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sentiment_grads(sentence, label, W_in, W_h, w_o, b_h, b_o):
    """sentence (T, D), label 0 or 1; w_o (H,), b_o a number."""
    h_list = [np.zeros(W_h.shape[0])]
    for vec in sentence:
        h_list.append(np.tanh(W_in @ vec + W_h @ h_list[-1] + b_h))
    p = sigmoid(w_o @ h_list[-1] + b_o)
    loss = -(label * np.log(p) + (1 - label) * np.log(1 - p))
    d = p - label
    dw_o = d * h_list[-1]
    db_o = d
    dW_in, dW_h, db_h = np.zeros_like(W_in), np.zeros_like(W_h), np.zeros_like(b_h)
    dh = d * w_o
    for t in range(len(sentence), 0, -1):
        dz = dh * (1 - h_list[t] ** 2)
        dW_in += np.outer(dz, sentence[t - 1])
        dW_h += np.outer(dz, h_list[t - 1])
        db_h += dz
        dh = W_h.T @ dz
    return dW_in, dW_h, dw_o, db_h, db_o
