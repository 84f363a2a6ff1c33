/** toDot and toMermaid: found without a backend, so nothing here can compute. */
import { add, mean, mul, relu, ShapeError, sigmoid, type Tensor } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import { resnet18 } from '../../zoo/src/resnet';
import * as nn from '../src/index';

/** A residual block as people write it: branches in `forward`. */
class Block extends nn.Module {
  conv1 = new nn.Conv2d(4, 4, 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(4);
  conv2 = new nn.Conv2d(4, 4, 3, { padding: 1, bias: false });
  forward(x: Tensor): Tensor {
    return relu(add(this.conv2.forward(relu(this.bn1.forward(this.conv1.forward(x)))), x));
  }
}
const net = () =>
  new nn.Sequential(
    new nn.Conv2d(3, 4, 3, { stride: 2 }),
    new Block(),
    new nn.Parallel([new nn.Conv2d(4, 2, 1), new nn.MaxPool2d(3, { stride: 1, padding: 1 })]),
    new nn.Flatten(),
    new nn.Linear(294, 10),
  );

describe('toDot', () => {
  it('draws layers with shapes and parameters, and the branches of a forward', () => {
    expect(`\n${nn.toDot(net(), [null, 3, 15, 15])}\n`).toMatchInlineSnapshot(`
      "
      digraph model {
        node [shape=box, style=rounded];
        n0 [label="input\\n[N,3,15,15]", shape=oval];
        n1 [label="0 Conv2d\\n[N,4,7,7]\\n112 parameters"];
        n9 [label="3 Flatten\\n[N,294]"];
        n10 [label="4 Linear\\n[N,10]\\n2,950 parameters"];
        n11 [label="output\\n[N,10]", shape=oval];
        subgraph cluster_g1 {
          label="1 Block";
          n2 [label="1.conv1 Conv2d\\n[N,4,7,7]\\n144 parameters"];
          n3 [label="1.bn1 BatchNorm2d\\n[N,4,7,7]\\n8 parameters"];
          n4 [label="1.conv2 Conv2d\\n[N,4,7,7]\\n144 parameters"];
          n5 [label="add\\n[N,4,7,7]", shape=oval];
        }
        subgraph cluster_g2 {
          label="2 Parallel";
          n6 [label="2.0 Conv2d\\n[N,2,7,7]\\n10 parameters"];
          n7 [label="2.1 MaxPool2d\\n[N,4,7,7]"];
          n8 [label="cat\\n[N,6,7,7]", shape=oval];
        }
        n0 -> n1;
        n1 -> n2;
        n2 -> n3;
        n3 -> n4 [label="relu"];
        n4 -> n5;
        n1 -> n5;
        n5 -> n6 [label="relu"];
        n5 -> n7 [label="relu"];
        n6 -> n8;
        n7 -> n8;
        n8 -> n9;
        n9 -> n10;
        n10 -> n11;
      }
      "
    `);
  });

  it('shows what is computed beside the layers: gates, shared layers, layers that hand through', () => {
    class Gate extends nn.Module {
      fc = new nn.Linear(4, 4);
      forward(x: Tensor): Tensor {
        return mul(x, sigmoid(this.fc.forward(x)));
      }
    }
    const shared = new nn.Linear(4, 4);
    const model = new nn.Sequential(shared, new nn.Dropout(), shared, new Gate());
    expect(`\n${nn.toDot(model, [2, 4])}\n`).toMatchInlineSnapshot(`
      "
      digraph model {
        node [shape=box, style=rounded];
        n0 [label="input\\n[2,4]", shape=oval];
        n1 [label="0 Linear\\n[2,4]\\n20 parameters"];
        n2 [label="1 Dropout\\n[2,4]"];
        n3 [label="0 Linear\\n[2,4]\\n20 parameters"];
        n6 [label="output\\n[2,4]", shape=oval];
        subgraph cluster_g1 {
          label="3 Gate";
          n4 [label="3.fc Linear\\n[2,4]\\n20 parameters"];
          n5 [label="mul\\n[2,4]", shape=oval];
        }
        n0 -> n1;
        n1 -> n2;
        n2 -> n3;
        n3 -> n4;
        n3 -> n5;
        n4 -> n5 [label="sigmoid"];
        n5 -> n6;
      }
      "
    `);
  });

  it('gives a branch that hands through its own node', () => {
    const model = new nn.Additive([new nn.Identity(), new nn.Linear(4, 4)]);
    const dot = nn.toDot(model, [1, 4]);
    // input to both, both to the sum, the sum to the output
    expect(dot.match(/->/g)).toHaveLength(5);
  });

  it('escapes quotes and backslashes', () => {
    const odd = { 'a"b\\c': new nn.ReLU() };
    const dot = nn.toDot(new nn.Sequential(odd), [1]);
    expect(dot).toContain('label="a\\"b\\\\c ReLU\\n[1]"');
    expect(nn.toMermaid(new nn.Sequential({ 'a"<#b>': new nn.ReLU() }), [1])).toContain('a#34;#60;#35;b#62; ReLU');
  });

  it('draws ResNet-18: an edge over each of the 8 blocks', () => {
    const dot = nn.toDot(resnet18(), [null, 3, 224, 224]);
    expect(dot.match(/label="add\\n/g)).toHaveLength(8);
    expect(dot).toContain('label="layer4.1.conv2 Conv2d\\n[N,512,7,7]\\n2,359,296 parameters"');
    expect(dot).toContain('label="fc Linear\\n[N,1000]\\n513,000 parameters"');
    expect(dot.match(/subgraph/g)?.length).toBe(4 + 8 + 3);
  });

  it('leaves the model as it was, and names the layer that does not fit', () => {
    const model = net();
    expect(() => nn.toDot(model, [null, 4, 15, 15])).toThrow(ShapeError);
    expect([model.training, Object.hasOwn(model[0] as object, 'forward')]).toEqual([true, false]);
  });
});

describe('toMermaid', () => {
  it('draws the same graph', () => {
    const model = new nn.Sequential(new nn.Linear(4, 2), new Head());
    expect(`\n${nn.toMermaid(model, [null, 4])}\n`).toMatchInlineSnapshot(`
      "
      flowchart TD
        n0(["input<br/>[N,4]"])
        n1["0 Linear<br/>[N,2]<br/>10 parameters"]
        n3(["output<br/>[N]"])
        subgraph g1["1 Head"]
          n2["1.relu ReLU<br/>[N,2]"]
        end
        n0 --> n1
        n1 --> n2
        n2 -->|"mean"| n3
      "
    `);
  });
});
class Head extends nn.Module {
  relu = new nn.ReLU();
  forward(x: Tensor): Tensor {
    return mean(this.relu.forward(x), 1);
  }
}
