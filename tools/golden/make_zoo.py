"""Writes packages/zoo/golden/families.safetensors: PyTorch's answers for networks that make_golden.py leaves out.

    python make_zoo.py OUT_DIR [--seed 0] [--only NAME]

--only makes one network's case anew in the file that OUT_DIR has. Needs torch, torchvision, safetensors. Those that torchvision has
not are written here as their papers describe them, with the keys of @tessera/zoo. Format, formula and tolerances are make_golden.py's
(README.md).
"""
import argparse, json, math, os
import numpy as np, torch, torch.nn.functional as F
from torch import nn
import torchvision
from torchvision import models
from safetensors import safe_open
from safetensors.torch import save_file
from formula import formula

ap = argparse.ArgumentParser(); ap.add_argument('out'); ap.add_argument('--seed', type=int, default=0); ap.add_argument('--only')
args = ap.parse_args(); SEED = args.seed
det, fill = formula(SEED)

# ---- networks that torchvision has not -------------------------------------------------------------------------
class Net(nn.Module):
    """features, what is between, classifier."""
    def __init__(self, features, classifier, between=nn.Identity(), after=nn.Identity()):
        super().__init__(); self.features, self.classifier, self.between, self.after = features, classifier, between, after
    def forward(self, x): return self.after(self.classifier(self.between(self.features(x))))

class PaperNorm(nn.Module):
    """x / (2 + 1e-4 Σ x²)^0.75 over five channels."""
    def forward(self, x): return x / (2 + 1e-4 * sum(F.pad(x * x, (0, 0, 0, 0, 2, 2))[:, i:i + x.shape[1]] for i in range(5))) ** 0.75

def alexnet_paper(groups):
    pool = lambda: nn.MaxPool2d(3, 2)
    return Net(nn.Sequential(
        nn.Conv2d(3, 96, 11, 4, 2), nn.ReLU(), PaperNorm(), pool(), nn.Conv2d(96, 256, 5, 1, 2, groups=groups), nn.ReLU(), PaperNorm(), pool(),
        nn.Conv2d(256, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 384, 3, 1, 1, groups=groups), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1, groups=groups), nn.ReLU(), pool()),
        nn.Sequential(nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)), nn.Flatten())

class Largest(nn.Module):
    def forward(self, x): return x.amax((2, 3))

def overfeat(row, size, a, b):
    layers, c = [], 3
    for e in row:
        if isinstance(e, int): layers.append(nn.MaxPool2d(e)); continue
        layers += [nn.Conv2d(c, e[0], e[1], e[2], e[3]), nn.ReLU()]; c = e[0]
    return Net(nn.Sequential(*layers), nn.Sequential(nn.Conv2d(1024, a, size), nn.ReLU(), nn.Dropout(), nn.Conv2d(a, b, 1), nn.ReLU(), nn.Dropout(), nn.Conv2d(b, 1000, 1)), after=Largest())
fast = lambda: overfeat([(96, 11, 4, 0), 2, (256, 5, 1, 0), 2, (512, 3, 1, 1), (1024, 3, 1, 1), (1024, 3, 1, 1), 2], 6, 3072, 4096)
accurate = lambda: overfeat([(96, 7, 2, 0), 3, (256, 7, 1, 0), 2, (512, 3, 1, 1), (512, 3, 1, 1), (1024, 3, 1, 1), (1024, 3, 1, 1), 3], 5, 4096, 4096)

def conv(i, o, k, s=1): return nn.Conv2d(i, o, k, s, k // 2, bias=False)

class Basic(nn.Module):
    """Two 3×3; shortcut: 'zeros' (option A), or None."""
    def __init__(self, i, o, s, shortcut):
        super().__init__(); self.conv1, self.bn1, self.conv2, self.bn2 = conv(i, o, 3, s), nn.BatchNorm2d(o), conv(o, o, 3), nn.BatchNorm2d(o)
        self.s, self.extra, self.shortcut = s, o - i, shortcut
    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.shortcut == 'zeros':
            z = torch.zeros_like(y); e = x[:, :, ::self.s, ::self.s]; z[:, :e.shape[1]] = e; y = y + z
        return F.relu(y)

class ResNet(nn.Module):
    """Stages of blocks (in, out, stride, first); `big` is ImageNet's stem, `last` the norm of pre-activation nets."""
    def __init__(self, block, widths, counts, expansion=1, big=False, last=False, classes=10):
        super().__init__(); c = 64 if big else 16; self.big = big
        self.conv1, self.bn1 = (conv(3, c, 7, 2) if big else conv(3, c, 3)), nn.BatchNorm2d(c)
        for n, (w, count) in enumerate(zip(widths, counts)):
            blocks = []
            for b in range(count): blocks.append(block(c, w, 2 if n > 0 and b == 0 else 1, n == 0 and b == 0)); c = w * expansion
            setattr(self, f'layer{n + 1}', nn.Sequential(*blocks))
        self.count = len(counts); self.norm = nn.BatchNorm2d(c) if last else None; self.fc = nn.Linear(c, classes)
    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.big: x = F.max_pool2d(x, 3, 2, 1)
        for n in range(self.count): x = getattr(self, f'layer{n + 1}')(x)
        if self.norm is not None: x = F.relu(self.norm(x))
        return self.fc(x.mean((2, 3)))
cifar = lambda n, shortcut: ResNet(lambda i, o, s, first: Basic(i, o, s, shortcut), (16, 32, 64), (n, n, n))

class PreAct(nn.Module):
    """Norm and ReLU before each convolution; kernels [3, 3] or [1, 3, 1], the stride in the first 3×3."""
    def __init__(self, i, w, s, first, kernels):
        super().__init__(); o = w * (4 if len(kernels) == 3 else 1); at = kernels.index(3); c = i; self.kernels = kernels; self.first = first
        for n, k in enumerate(kernels):
            if not (first and n == 0): setattr(self, f'bn{n + 1}', nn.BatchNorm2d(c))
            out = o if n == len(kernels) - 1 else w
            setattr(self, f'conv{n + 1}', conv(c, out, k, s if n == at else 1)); c = out
        self.downsample = conv(i, o, 1, s) if s != 1 or i != o else None
    def forward(self, x):
        y = a = x if self.first else F.relu(self.bn1(x))
        for n in range(len(self.kernels)):
            if n: y = F.relu(getattr(self, f'bn{n + 1}')(y))
            y = getattr(self, f'conv{n + 1}')(y)
        return y + (x if self.downsample is None else self.downsample(a))
preact = lambda kernels, widths, counts, big, classes: ResNet(lambda i, w, s, first: PreAct(i, w, s, first, kernels), widths, counts, 4 if len(kernels) == 3 else 1, big, True, classes)
wide = (64, 128, 256, 512)

def lecture_alexnet(flat):
    c = lambda i, o, k: nn.Conv2d(i, o, k)
    return nn.Sequential(nn.Identity(), c(3, 96, 11), nn.ReLU(), nn.MaxPool2d(2), c(96, 384, 3), nn.ReLU(), c(384, 384, 3), nn.ReLU(), c(384, 256, 3),
                         nn.Flatten(), nn.Linear(flat, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000))
def vgg_like(flat):
    layers, c = [], 3
    for d in (64, 128, 256, 512, 1024, 2048):
        for _ in range(2): layers += [nn.Conv2d(c, d, 3, padding=1), nn.BatchNorm2d(d), nn.ReLU()]; c = d
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 4096), nn.BatchNorm1d(4096), nn.ReLU(), nn.Linear(4096, 4096), nn.BatchNorm1d(4096), nn.ReLU(), nn.Linear(4096, 1000))

zoo = dict(
    alexnetPaper=(lambda: alexnet_paper(2), 224), overfeatFast=(fast, 263), overfeatAccurate=(accurate, 257),
    cifarResnet20=(lambda: cifar(3, 'zeros'), 32), cifarPlain20=(lambda: cifar(3, None), 16),
    plain18=(lambda: ResNet(lambda i, o, s, first: Basic(i, o, s, None), wide, (2, 2, 2, 2), big=True, classes=1000), 64),
    preactResnet18=(lambda: preact([3, 3], wide, (2, 2, 2, 2), True, 1000), 64), preactResnet50=(lambda: preact([1, 3, 1], wide, (3, 4, 6, 3), True, 1000), 64),
    cifarPreactResnet20=(lambda: preact([1, 3, 1], (16, 32, 64), (2, 2, 2), False, 10), 32),
    squeezenet1_0=(models.squeezenet1_0, 96), squeezenet1_1=(models.squeezenet1_1, 96), densenet121=(models.densenet121, 96), mobilenetV2=(models.mobilenet_v2, 96),
    lectureAlexnet=(lambda: lecture_alexnet(6400), 32), vggLike=(lambda: vgg_like(8192), 128))

# Without shortcuts rounding grows from layer to layer: at 32² noise of 1e-6 of a map's deviation after each convolution takes a ReLU's input
# across 0 whatever the image, and that moves gradient norms by 0.4 to 3 times what a model may miss by (of 222 images). At 16² there are a
# quarter of the inputs; of 300 images these stand 3e-6 best, for at most 0.04 of it.
images = dict(cifarPlain20='cifarPlain20:input:286')

path, tensors, cases = os.path.join(args.out, 'families.safetensors'), {}, []
made = dict(seed=str(SEED), torch=torch.__version__, torchvision=torchvision.__version__)
if args.only:
    with safe_open(path, 'pt') as old:
        tensors, cases, made = {k: old.get_tensor(k) for k in old.keys()}, json.loads(old.metadata()['cases']), old.metadata()
        assert made['seed'] == str(SEED), f"{path} has seed {made['seed']}"
    zoo = {args.only: zoo[args.only]}
for name, (ctor, size) in zoo.items():
    torch.manual_seed(SEED); m = fill(ctor()).eval()
    for mod in m.modules():
        if isinstance(mod, nn.Dropout): mod.p = 0.0
    image = images.get(name, name + ':input'); x = 2 * det(image, (2, 3, size, size))
    with torch.no_grad(): y = m(x)
    attrs = dict(input=[2, 3, size, size], **({'image': image} if name in images else {}), params=sum(p.numel() for p in m.parameters()), grad_norm_of=[k for k, _ in m.named_parameters()])
    if args.only: attrs['torch'] = torch.__version__
    if ctor in vars(models).values(): attrs['state_dict'] = {k: list(v.shape) for k, v in m.state_dict().items()}
    outs = dict(logits=y)
    m.train(); o = m(x); loss = F.cross_entropy(o, torch.tensor([3, 7])); loss.backward()
    if name != 'vggLike':  # a norm of two vectors is ±1 where they differ, which rounding decides where they hardly do
        outs.update(train_logits=o, loss=loss, grad_norm=torch.stack([p.grad.norm() for p in m.parameters()]))
    base = f'model_{name}/0'
    for k, v in outs.items(): tensors[f'{base}/out/{k}'] = v.detach().contiguous().clone()
    case = {'op': 'model_' + name, 'case': base, 'attrs': attrs, 'in': [], 'out': list(outs)}
    at = next((n for n, old in enumerate(cases) if old['case'] == base), len(cases)); cases[at:at + 1] = [case]
    print(name, attrs['params'], float(loss), float(y.abs().max()))
save_file(tensors, path, metadata={**made, 'cases': json.dumps(cases)})
