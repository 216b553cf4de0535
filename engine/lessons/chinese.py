"""What the lessons call the catalogue's mistakes in Chinese: title and advice, by the mistake's name."""

from __future__ import annotations

MISTAKES: dict[str, tuple[str, str]] = {
    "delta-before-softmax": (
        "把损失对概率的导数当成了对 logits 的导数",
        "softmax 与交叉熵合起来的导数是 P − Y",
    ),
    "delta-without-target": ("输出的 delta 里没有减去目标", "从概率中减去 one-hot 目标"),
    "mse-delta-with-cross-entropy": (
        "损失是交叉熵，delta 却是平方误差的",
        "去掉输出激活函数的导数：交叉熵已把它抵消",
    ),
    "output-gradient-dropped": ("有预测的那些步漏掉了输出的梯度", "在每一步加上该步自己的输出梯度"),
    "output-gradient-every-step": ("只有最后一步做预测，输出的梯度却每一步都加", "只在循环之前加一次"),
    "softmax-jacobian-diagonal": (
        "softmax 的导数只用了对角线 p(1−p)，没有交叉项",
        "softmax 与交叉熵合起来的导数是 P − Y",
    ),
    "activation-derivative-missing": ("缺少激活函数的导数", "从状态回到预激活值时，乘以激活函数的导数"),
    "activation-derivative-of-another": ("用的是另一个激活函数的导数", "用前向过程所用激活函数的导数"),
    "activation-derivative-some-steps": (
        "只在部分时间步乘了激活函数的导数",
        "每一步都要乘，第一步和最后一步也要",
    ),
    "activation-derivative-wrong-step": ("激活函数的导数取自另一个时间步", "导数取在这一步自己算出的值上"),
    "relu-mask-from-gradient": ("ReLU 的掩码取自梯度，而不是预激活值", "看预激活值是否大于 0"),
    "relu-value-for-mask": ("把 ReLU 的值当成了它的导数", "单元开着时导数是 1，否则是 0"),
    "tanh-derivative-misplaced-square": ("平方的位置不对或漏了平方：导数是 1 − a²", "只对 a 取平方"),
    "tanh-derivative-of-activation": (
        "激活函数的导数取在了错的值上：该用 z 处用了 a，或者相反",
        "由激活后的值 a 求导：tanh 是 1 − a²，sigmoid 是 a(1 − a)，不要再套一次函数",
    ),
    "carry-never-updated": ("流向前一步的梯度初始化后从未更新", "在每一步末尾，把这一步输入状态得到的梯度传下去"),
    "carry-not-reset": ("传下去的梯度加到了原来的值上，而不是取代它", "每一步都替换这个流，不要加到旧值上"),
    "clipped-per-step": ("梯度在循环里面被裁剪", "循环之后裁剪一次"),
    "first-step-skipped": ("反向循环在第一步之前就停了", "一直走到第一步"),
    "future-gradient-dropped": ("来自后一步的梯度没有加到输出自己的梯度上", "加上后一步传回来的梯度"),
    "initial-state-ignored": ("dWa 里漏掉了初始状态", "把第一步的那一项也加上：初始状态不是零"),
    "initial-state-wraps": ("在第一步，下标 −1 把最后的状态当成了初始状态", "第一步用初始状态"),
    "last-step-skipped": ("反向循环漏掉了最后一步", "从最后一步开始"),
    "loop-over-wrong-axis": ("时间步的循环数的是样本，或另一个轴", "沿时间步所在的轴计数"),
    "one-object-for-all-steps": (
        "所有时间步的结果存在同一个对象里，于是每一步看到的都是最后一步的值",
        "每一步各存各的值：用列表，或每步一个对象",
    ),
    "recurrence-dropped": (
        "这一行没有让任何梯度流回前一步",
        "把这一步的 dz 乘以转置的循环权重，传给前一步",
    ),
    "recurrence-skips-derivative": (
        "流向前一步的梯度跳过了激活函数的导数",
        "传下去的应是已含导数的 dz，而不是 dh",
    ),
    "scaled-every-step": ("每个时间步都把流再除一次", "只除一次，在损失那里"),
    "time-order-forward": ("反向循环沿时间正向走", "从最后一步开始"),
    "wa-applied-twice": ("往回走时每步乘了两次循环权重", "每一步只乘一次"),
    "wa-not-applied": ("往回走时没有乘循环权重", "乘以转置的循环权重"),
    "wa-not-transposed": ("往回走时循环权重没有转置", "把它转置：乘积要反过来还原"),
    "weights-not-transposed": ("往回走时权重没有转置", "把它转置：乘积要反过来还原"),
    "averaged-over-time": ("梯度除以了时间步数", "对时间步求和，不取平均"),
    "batch-averaged-twice": ("多除了一次批量大小", "只除以样本数一次"),
    "batch-not-averaged": ("损失是批量的平均，梯度却是总和", "像损失那样除以样本数"),
    "bias-gradient-not-summed": ("偏置的梯度没有对样本和时间步求和", "对偏置被重复的每个轴求和"),
    "dwa-transposed": ("dWa 被转置了", "交换乘积的两个因子"),
    "dwa-uses-current-state": ("dWa 用了同一步的状态，而不是前一步的", "用这一步收到的状态"),
    "dwa-uses-preactivation": ("dWa 用了预激活值，而不是状态", "用这一步收到的状态"),
    "dwx-wrong-step": ("dWx 用了另一个时间步的输入", "用同一步的输入"),
    "dwy-wrong-state": ("dWy 用的状态不是输出所读的那个", "用与输出的 delta 同一步的状态"),
    "gradient-never-stored": ("梯度算出来了却没有存下：用到的一直是零", "把它加到更新所读的数组上"),
    "overwritten-not-accumulated": ("梯度应当累加，却被覆盖", "写成 +=：每一步都加上自己的一项"),
    "wrong-axis": ("求和沿着另一个轴", "沿数组被重复的轴求和"),
}
