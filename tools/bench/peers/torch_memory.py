"""The most memory that PyTorch has over five training steps, in bytes. A network (networks/layers.ts) comes as one line of JSON."""
import json
import resource
import sys

try:
    import torch
except ImportError as error:
    sys.exit(f"python cannot import torch ({error}); TESSERA_PYTHON may name an interpreter that can")
from torch_network import network


def numbers(shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).sub_(0.5)


torch.set_num_threads(int(sys.argv[1]))
[shape], step = network({"network": json.loads(sys.stdin.readline()), "pass": "train"}, numbers)
images = numbers(shape, 0)
for _ in range(5):
    step(images).item()
print(json.dumps({"peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
