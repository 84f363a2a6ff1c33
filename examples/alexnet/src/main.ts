/** The lecture's AlexNet: what it is, why it cannot be had as printed, and the same cell learning small images. */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import * as flex from '@tessera/flex';
import * as nn from '@tessera/nn';
import {
  argmax,
  BackendError,
  broadcastTo,
  compile,
  crossEntropy,
  manualSeed,
  rand,
  setBackend,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { makeAlexnet } from './model';

// No backend is chosen yet: shapes need none.
const alexnet = makeAlexnet();
console.log('images [N,3,224,224] become', flex.shapeInference(alexnet, [null, 3, 224, 224]));
console.log(String(nn.summary(alexnet)));

// The first linear layer alone wants 43 GB.
const backend = await cpu();
setBackend(backend);
try {
  await alexnet.forward(rand([1, 3, 224, 224])).data();
} catch (error) {
  if (!(error instanceof BackendError)) throw error;
  console.log(`\n${error.name}: ${error.message}`);
}
console.log(`${backend.memory().bytes} bytes are taken`);

manualSeed(0);
const small = makeAlexnet(32);
flex.shapeInference(small, [null, 3, 32, 32]);
console.log(`\nfor images of 32×32 it has ${nn.summary(small).parameters.toLocaleString('en-US')} parameters`);

// The eight corners of the colour cube, a flat image and a class each, to be learned by heart.
const corners = Array.from({ length: 8 }, (_, i) => [i & 1, (i >> 1) & 1, i >> 2].map((on) => [[2 * on - 1]]));
const images = broadcastTo(tensor(corners), [8, 3, 32, 32]);
const labels = tensor(Int32Array.from({ length: 8 }, (_, i) => 100 * i));
const optimizer = new nn.AdamW(small.parameters(), { lr: 1e-4 });
const step = compile((x: Tensor, y: Tensor) => {
  const { value, grads } = valueAndGrad(() => crossEntropy(small.forward(x), y), small.parameters());
  optimizer.step(grads);
  return value;
});
for (let i = 1; i <= 16; i++) {
  const loss = await step(images, labels).item();
  if (i === 1 || i % 4 === 0) console.log(`step ${i}: loss ${loss.toFixed(3)}`);
}
console.log('it says', Array.from(await argmax(small.eval().forward(images), 1).data()).join(', '));
backend.dispose();
