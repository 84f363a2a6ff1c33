"""PyTorch on the CPU, speaking the JSON lines of serve.ts. Started with the number of threads."""
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"python cannot import torch ({error}); TESSERA_PYTHON may name an interpreter that can")
from torch_network import network


def product(shape):
    return int(torch.tensor(shape).prod()) if shape else 1


def numbers(shape, seed):
    """The same numbers as work.ts makes, in blocks, for 64-bit intermediates of a large weight would fill the memory."""
    count = product(shape)
    values = torch.empty(count)
    start = (seed * 0x9E3779B9 + 1) & 0xFFFFFFFF
    for begin in range(0, count, 1 << 20):
        i = torch.arange(begin, min(begin + (1 << 20), count), dtype=torch.int64)
        h = ((i + start) & 0xFFFFFFFF) * 0x9E3779B1 & 0xFFFFFFFF
        h = (h ^ (h >> 15)) * 0x2C1B3C6D & 0xFFFFFFFF
        h = (h ^ (h >> 12)) * 0x297A2D39 & 0xFFFFFFFF
        values[begin:begin + len(i)] = ((h ^ (h >> 15)).double() / 2**32 - 0.5).float()
    return values.reshape(shape)


def conv(work):
    stride, padding = [work["stride"]] * 2, [work["padding"]] * 2
    x, w = work["x"], work["w"]
    out = [x[0], w[0]] + [(x[a] + 2 * work["padding"] - w[a]) // work["stride"] + 1 for a in (2, 3)]
    if work["direction"] == "forward":
        return [x, w], lambda x, w: F.conv2d(x, w, None, stride, padding, 1, work["groups"])
    first = work["direction"] == "inputGrad"
    other = torch.empty(x if first else w)  # only its shape is looked at

    def backward(a, b):
        g, x_, w_ = (a, other, b) if first else (b, a, other)
        grads = torch.ops.aten.convolution_backward(
            g, x_, w_, None, stride, padding, [1, 1], False, [0, 0], work["groups"], [first, not first, False])
        return grads[0 if first else 1]

    return ([out, w] if first else [x, out]), backward


def mnist(batch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.Flatten(), nn.Linear(3136, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.01)
    labels = torch.arange(batch) % 10

    def step(x):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return [[batch, 1, 28, 28]], step


def prepared(work):
    """Shapes of the inputs, and what is done with them."""
    op, x = work["op"], work.get("x")
    if op == "matmul":
        form = work.get("form")
        step = {"nt": lambda a, b: a @ b.mT, "tn": lambda a, b: a.mT @ b}.get(form, lambda a, b: a @ b)
        return [work["a"], work["b"]], step
    if op == "conv":
        return conv(work)
    if op == "mnist":
        return mnist(work["batch"])
    if op == "network":
        return network(work, numbers)
    if op == "layerNorm":
        return [x, x[-1:], x[-1:]], lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b)
    if op == "batchNorm":
        return [x, x[1:2], x[1:2]], lambda x, w, b: F.batch_norm(x, None, None, w, b, True)
    return [x], {
        "softmax": lambda x: F.softmax(x, -1),
        "sum": lambda x: x.sum(),
        "transpose": lambda x: x.mT.contiguous(),
        "chain": lambda x: ((x * 1.5 + 0.25).relu() * x - 0.75).abs(),
    }[op]


def answer(**message):
    print(json.dumps(message), flush=True)


torch.set_num_threads(int(sys.argv[1]))
answer(version=torch.__version__)
step, inputs, training = None, [], False
for line in sys.stdin:
    request = json.loads(line)
    try:
        if "prepare" in request:
            work = request["prepare"]
            step, inputs = None, []  # let go of the row before
            shapes, step = prepared(work)
            inputs = [numbers(shape, seed) for seed, shape in enumerate(shapes)]
            training = work["op"] == "mnist" or work.get("pass") == "train"
            with torch.inference_mode(not training):
                first = step(*inputs).detach().flatten()[:8].tolist()
                if work.get("pass") == "train":
                    first.append(first[0] - step(*inputs).item())
            answer(first=None if work["op"] == "mnist" else first if work["op"] == "network" else first[0])
        else:
            with torch.inference_mode(not training):
                start = time.perf_counter()
                for _ in range(request["run"]):
                    step(*inputs)
                answer(ms=1000 * (time.perf_counter() - start))
    except Exception as error:  # a row that fails is a row of the table
        answer(error=str(error).splitlines()[0])
