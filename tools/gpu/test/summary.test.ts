/** What is read first when a run has ended. */
import { expect, it } from 'vitest';
import { summaryOf } from '../summary.ts';

it('says what is right, what is wrong, what was not reached, and figures beside goals and peers', () => {
  const [seconds, ended, cut] = [1, null, 'ended after 90 s'];
  const [product, mixed] = ['matmul 4096, f32', 'ResNet-50 training step, batch 32, mixed'];
  const text = summaryOf({
    device: {
      'as it is': { seconds, ended: 'the process ended by SIGSEGV' },
      'without shader-f16': { seconds, ended, name: 'a GPU' },
    },
    golden: {
      ops: { seconds, ended: cut, cases: 174, passed: 100, failed: 1, faults: { 'conv2d/3': 'at [0]\n  1, not 2' } },
    },
    figures: {
      [product]: { seconds, ended, milliseconds: 2.5, encode: 0.1, first: 40, rms: '64' },
      [mixed]: { seconds, ended: 'the process ended by code 1', fault: 'the device was lost', rms: 'NaN' },
    },
    tuning: { [product]: { seconds, ended, after: 2.25 } },
    torch: { PyTorch: { seconds, ended, [product]: 2 } },
  });
  expect(text).toMatchInlineSnapshot(`
    "device as it is: the process ended by SIGSEGV
    device without shader-f16: a GPU
    golden ops: 100 passed, 1 failed, 73 not reached (ended after 90 s)
      conv2d/3: at [0] 1, not 2
    WRONG: the first result of ResNet-50 training step, batch 32, mixed is NaN

                                              ours, ms  tuned  torch here (ours/it)            on one H100  encode  first run  goal
    matmul 4096, f32                              2.50   2.25          2.00 (1.25×)  torch 2.68, tfjs 6.20   0.100       40.0  ≤ 3 ms: met
    ResNet-50 training step, batch 32, mixed         –      –                     –        torch TF32 21.5       –          –  ≤ 22 ms: not measured

    ResNet-50 training step, batch 32, mixed: the device was lost"
  `);
});
