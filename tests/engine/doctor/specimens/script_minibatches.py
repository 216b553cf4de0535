"""A main function that trains on mini-batches and updates in a loop over pairs."""
import numpy as np
def main():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 6, 3)); y = rng.integers(0, 3, 20)
    Wxh = rng.normal(size=(3, 8)) * .1; Whh = rng.normal(size=(8, 8)) * .1; Why = rng.normal(size=(8, 3)) * .1
    bh = np.zeros(8); by = np.zeros(3)
    for epoch in range(3):
        for i in range(0, 20, 5):
            xb, yb = X[i:i+5], y[i:i+5]
            hs = [np.zeros((5, 8))]
            for t in range(6): hs.append(np.tanh(xb[:, t] @ Wxh + hs[-1] @ Whh + bh))
            o = hs[-1] @ Why + by
            e = np.exp(o - o.max(1, keepdims=True)); p = e / e.sum(1, keepdims=True)
            loss = -np.log(p[np.arange(5), yb]).mean()
            do = p.copy(); do[np.arange(5), yb] -= 1; do /= 5
            dWhy = hs[-1].T @ do; dby = do.sum(0)
            dWxh = np.zeros_like(Wxh); dWhh = np.zeros_like(Whh); dbh = np.zeros_like(bh)
            dh = do @ Why.T
            for t in reversed(range(6)):
                dz = dh * (1 - hs[t+1]**2)
                dWxh += xb[:, t].T @ dz; dWhh += hs[t].T @ dz; dbh += dz.sum(0)
                dh = dz @ Whh.T
            for w, g in zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby)):
                w -= 0.1 * g
        print(epoch, loss)
if __name__ == "__main__":
    main()
