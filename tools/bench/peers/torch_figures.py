"""The works of gpu/figures.ts in PyTorch on CUDA, TF32 off: a JSON list of works in, milliseconds or the reason out, a line each."""
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"python cannot import torch ({error})")
if not torch.cuda.is_available():
    sys.exit("torch has no CUDA device")

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
device = "cuda"


def network(name):
    import torchvision
    make = {"alexnet": "alexnet", "vgg16": "vgg16", "resnet50": "resnet50", "inceptionV3": "inception_v3"}[name]
    options = {"aux_logits": False, "init_weights": False} if make == "inception_v3" else {}
    if make in ("alexnet", "vgg16"):
        options["dropout"] = 0.0
    return getattr(torchvision.models, make)(weights=None, **options).to(device)


def step_of(work):
    if work["op"] == "matmul":
        n = work["size"]
        dtype = torch.float16 if work.get("half") else torch.float32
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
        return lambda: (a @ b).float() if work.get("half") else a @ b
    if work["op"] == "conv":
        x, w = torch.randn(work["x"], device=device), torch.randn(work["w"], device=device)
        return lambda: F.conv2d(x, w, None, 1, work["padding"])
    size = 299 if work["net"] == "inceptionV3" else 224
    x = torch.randn(work["batch"], 3, size, size, device=device)
    model = network(work["net"])
    if work["pass"] == "forward":
        model.eval()
        return lambda: model(x)
    model.train()
    labels = torch.arange(work["batch"], device=device) % 1000
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    mixed = work.get("mixed", False)
    scaler = torch.amp.GradScaler(enabled=mixed)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16, enabled=mixed):
            y = model(x)
            loss = F.cross_entropy(y, labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return train


def milliseconds(step, training):
    with torch.inference_mode(not training):
        for _ in range(5):
            step()
        torch.cuda.synchronize()
        rounds = []
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(10):
                step()
            torch.cuda.synchronize()
            rounds.append(100 * (time.perf_counter() - start))
    return sorted(rounds)[len(rounds) // 2]


print(json.dumps({"version": f"{torch.__version__} on {torch.cuda.get_device_name()}"}), flush=True)
for work in json.load(sys.stdin):
    try:
        print(json.dumps({"ms": milliseconds(step_of(work), work.get("pass") == "train")}), flush=True)
    except Exception as error:  # a row that fails is a row of the table
        print(json.dumps({"fault": str(error).splitlines()[0]}), flush=True)
    torch.cuda.empty_cache()
