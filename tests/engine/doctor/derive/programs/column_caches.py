import numpy as np


def softmax(x):
    e_x = np.exp(x - np.max(x))
    return e_x / e_x.sum(axis=0)


def rnn_cell_forward(xt, a_prev, parameters):
    Wax = parameters["Wax"]
    Waa = parameters["Waa"]
    Wya = parameters["Wya"]
    ba = parameters["ba"]
    by = parameters["by"]
    a_next = np.tanh(np.dot(Waa, a_prev) + np.dot(Wax, xt) + ba)
    yt_pred = softmax(np.dot(Wya, a_next) + by)
    cache = (a_next, a_prev, xt, parameters)
    return a_next, yt_pred, cache


def rnn_forward(x, a0, parameters):
    caches = []
    n_x, m, T_x = x.shape
    n_y, n_a = parameters["Wya"].shape
    a = np.zeros((n_a, m, T_x))
    y_pred = np.zeros((n_y, m, T_x))
    a_next = a0
    for t in range(T_x):
        a_next, yt_pred, cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        y_pred[:, :, t] = yt_pred
        caches.append(cache)
    caches = (caches, x)
    return a, y_pred, caches


def compute_cost(y_pred, y):
    m = y.shape[1]
    return -np.sum(y * np.log(y_pred)) / m


np.random.seed(1)
x = np.random.randn(3, 5, 4)
a0 = np.random.randn(6, 5)
y = np.eye(2)[np.random.randint(0, 2, (5, 4))].transpose(2, 0, 1)
parameters = {"Waa": np.random.randn(6, 6) * 0.4, "Wax": np.random.randn(6, 3) * 0.4, "Wya": np.random.randn(2, 6),
              "ba": np.random.randn(6, 1), "by": np.random.randn(2, 1)}
a, y_pred, caches = rnn_forward(x, a0, parameters)
cost = compute_cost(y_pred, y)
print("cost:", cost)
