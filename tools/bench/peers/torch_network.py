"""A network of the bench from the list of its layers (networks/layers.ts), as PyTorch runs it best: ReLUs in place."""
import torch
import torch.nn.functional as F


def layer_of(layer, parameters, in_place):
    kind = layer["kind"]
    weight = None if layer.get("weight") is None else parameters[layer["weight"]]
    bias = None if layer.get("bias") is None else parameters[layer["bias"]]
    if kind == "conv":
        stride, padding, groups = layer["stride"], layer["padding"], layer["groups"]
        return lambda x: F.conv2d(x, weight, bias, stride, padding, 1, groups)
    if kind == "linear":
        return lambda x: F.linear(x, weight, bias)
    if kind == "batchNorm":
        mean, variance = torch.zeros_like(weight), torch.ones_like(weight)
        return lambda x: F.batch_norm(x, mean, variance, weight, bias, True, 0.1, layer["eps"])
    if kind == "relu":
        if layer["most"] is None:
            return lambda x: F.relu(x, in_place)
        return lambda x: F.hardtanh(x, 0.0, layer["most"], in_place)
    if kind == "maxPool":
        return lambda x: F.max_pool2d(x, layer["kernel"], layer["stride"], layer["padding"])
    if kind == "avgPool":
        if layer["covers"]:
            return lambda x: F.adaptive_avg_pool2d(x, 1)
        return lambda x: F.avg_pool2d(x, layer["kernel"], layer["stride"], layer["padding"])
    return {
        "add": lambda a, b: a + b,
        "cat": lambda *maps: torch.cat(maps, 1),
        "flatten": lambda x: x.flatten(1),
    }[kind]


def network(work, numbers):
    """Shapes of the inputs (the images), and the step."""
    spelled, training = work["network"], work["pass"] == "train"
    layers, shape = spelled["layers"], spelled["images"]
    parameters = [
        numbers(p["shape"], i + 1).mul_(p["scale"]).add_(p["offset"]).requires_grad_(training)
        for i, p in enumerate(spelled["parameters"])
    ]
    last_use = {value: i for i, layer in enumerate(layers) for value in layer["from"]}
    uses = [value for layer in layers for value in layer["from"]]
    # A ReLU may write over what nobody else reads, unless it is the images.
    steps = [
        (layer["from"], layer_of(layer, parameters, uses.count(layer["from"][0]) == 1 and layer["from"][0] > 0),
         [value for value in set(layer["from"]) if last_use[value] == i])
        for i, layer in enumerate(layers)
    ]

    def forward(x):
        values = [x] + [None] * len(steps)
        for i, (sources, layer, over) in enumerate(steps):
            values[i + 1] = layer(*[values[value] for value in sources])
            for value in over:
                values[value] = None
        return values[-1]

    if not training:
        return [shape], forward
    classes = layers[-1]["shape"][1]
    labels = (7919 * torch.arange(shape[0]) + 1) % classes
    optimizer = torch.optim.SGD(parameters, **spelled["sgd"])

    def step(x):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return [shape], step
