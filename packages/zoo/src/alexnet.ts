/**
 * AlexNet, in the form with one tower and no response normalisation.
 * Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), arXiv:1404.5997, after Krizhevsky,
 * Sutskever and Hinton (2012). torchvision.models.alexnet: its keys, its initial values (PyTorch's defaults).
 */
import { Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential } from '@tessera/nn';
import { adaptiveAvgPool2d, flatten, type Tensor } from '@tessera/tensor';

export interface AlexNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Before the first two linear layers. Default 0.5. */
  readonly dropout?: number;
}

const convolutions = (inChannels: number) =>
  new Sequential(
    new Conv2d(inChannels, 64, 11, { stride: 4, padding: 2 }),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
    new Conv2d(64, 192, 5, { padding: 2 }),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
    new Conv2d(192, 384, 3, { padding: 1 }),
    new ReLU(),
    new Conv2d(384, 256, 3, { padding: 1 }),
    new ReLU(),
    new Conv2d(256, 256, 3, { padding: 1 }),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
  );

const classifier = (p: number, numClasses: number) =>
  new Sequential(
    new Dropout(p),
    new Linear(256 * 6 * 6, 4096),
    new ReLU(),
    new Dropout(p),
    new Linear(4096, 4096),
    new ReLU(),
    new Linear(4096, numClasses),
  );

/** x [N,C,H,W], H and W at least 63 → logits [N,numClasses]. @throws ShapeError for smaller images. */
export class AlexNet extends Module {
  /** Under the empty name, so that keys begin as torchvision's beside methods of the same names. */
  readonly '': { readonly features: Sequential; readonly classifier: Sequential };

  constructor({ numClasses = 1000, inChannels = 3, dropout = 0.5 }: AlexNetOptions = {}) {
    super();
    this[''] = { features: convolutions(inChannels), classifier: classifier(dropout, numClasses) };
  }
  /** The two rows of layers. */
  get layers() {
    return this[''];
  }
  /** [N,C,H,W] → [N,256,H',W'], 6×6 of 224×224. */
  features(x: Tensor): Tensor {
    return this.layers.features.forward(x);
  }
  /** The last map, of any size → [N,numClasses]. */
  head(map: Tensor): Tensor {
    return this.layers.classifier.forward(flatten(adaptiveAvgPool2d(map, 6), 1));
  }
  forward(x: Tensor): Tensor {
    return this.head(this.features(x));
  }
}

/** 61,100,840 parameters; 56.5 % top-1 on ImageNet. torchvision.models.alexnet */
export const alexnet = (options: AlexNetOptions = {}): AlexNet => new AlexNet(options);
