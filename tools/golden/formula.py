"""Numbers that any language can make again: inputs and weights of the reference cases (README.md)."""
import math
import numpy as np, torch


def formula(seed):
    """det(key, shape), and fill(model), which gives every parameter and buffer its own."""
    def fnv1a(s):
        h = 0x811C9DC5
        for b in s.encode(): h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
        return h

    def det(key, shape):
        """Uniform in [-0.5, 0.5): element i of tensor `key`, with the seed in the key."""
        n = int(np.prod(shape)) if len(shape) else 1
        x = (np.arange(n, dtype=np.uint64) * 2654435761 + fnv1a(f'{seed}:{key}')) & 0xFFFFFFFF
        x ^= x >> np.uint64(16); x = (x * 0x045D9F3B) & 0xFFFFFFFF; x ^= x >> np.uint64(16)
        x = (x * 0x045D9F3B) & 0xFFFFFFFF; x ^= x >> np.uint64(16)
        return torch.from_numpy((x.astype(np.float64) / 2**32 - 0.5).astype(np.float32).reshape(shape))

    def fill(model):
        """Gives every parameter and buffer its formula value."""
        sd = model.state_dict()
        for k, v in sd.items():
            if k.endswith('num_batches_tracked'): continue
            u = det(k, tuple(v.shape))
            if k.endswith('running_var'): t = 1 + u
            elif k.endswith('running_mean'): t = 0.2 * u
            elif k.endswith('bn3.weight'): t = 0.3 + 0.2 * u   # keeps a bottleneck's residual sum from growing
            elif v.dim() >= 2: t = u * math.sqrt(12) * math.sqrt(2.0 / (v.numel() / v.shape[0]))
            elif k.endswith('weight'): t = 1 + 0.4 * u
            else: t = 0.2 * u
            v.copy_(t)
        model.load_state_dict(sd); return model

    return det, fill
