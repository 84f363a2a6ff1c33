/** What every network of the zoo is: stages one after the other, whose maps can be tapped, and a head on the last map. */
import { shapeInference } from '@tessera/flex';
import { Module, Sequential } from '@tessera/nn';
import { ArgumentError, ShapeError, type Tensor } from '@tessera/tensor';

/** The way from images to the last map: what makes each map from the one before, by the names of the maps. */
export type Stages<Tap extends string> = Readonly<Record<Tap, (map: Tensor) => Tensor>>;

/**
 * x [N,C,H,W] → logits [N,numClasses]. `Tap` names the maps on the way. `Ck`, in every family that has it, is the last map with
 * 1/2ᵏ of the image's height and width, so that a detector that stands on C3, C4 and C5 takes any of them; their sizes are told
 * without arithmetic by `features(meta([1, 3, 224, 224]), ['C3', 'C4', 'C5'])`.
 */
export abstract class Network<Tap extends string> extends Module {
  /** What makes each map from the one before, first to last. */
  abstract stages(): Stages<Tap>;
  /** The last map, of any size → [N,numClasses]. */
  abstract head(map: Tensor): Tensor;

  /**
   * The last map of images x [N,C,H,W]. @throws ShapeError for images too small for the layers, or of other channels; `forward`
   * names the layer by its path.
   */
  features(x: Tensor): Tensor;
  /** The maps of these names; stages after the last of them do not run. @throws ArgumentError for a name that it has not. */
  features<T extends Tap>(x: Tensor, taps: readonly T[]): Readonly<Record<T, Tensor>>;
  features(x: Tensor, taps?: readonly Tap[]): Tensor | Readonly<Record<string, Tensor>> {
    return mapsOf(this, x, taps);
  }
  /** @throws ShapeError with the path of the layer that does not fit, and the smallest images that would. */
  forward(x: Tensor): Tensor {
    try {
      return this.head(this.features(x));
    } catch (error) {
      throw located(this, x, error);
    }
  }
}

/** Networks that are looked through at present, whose own errors stay as they are. */
const searched = /* @__PURE__ */ new WeakSet<object>();
/**
 * A network's error with the path of the layer: blocks call their layers without names, so shapes are sent through once more, and
 * watched. Where they pass in evaluating (a batch too small to train on), the error as it is.
 */
function located(network: Module, x: Tensor, error: unknown): unknown {
  if (!(error instanceof ShapeError) || searched.has(network)) return error;
  searched.add(network);
  try {
    shapeInference(network, x.shape, { dtype: x.dtype });
    return error;
  } catch (explained) {
    return explained;
  } finally {
    searched.delete(network);
  }
}

/** What `features` gives: the last map, or those of the names. */
export function mapsOf(
  network: { stages(): Stages<string> },
  x: Tensor,
  taps?: readonly string[],
): Tensor | Record<string, Tensor> {
  const stages = network.stages();
  if (!taps) return Object.values(stages).reduce((map, stage) => stage(map), x);
  const unknown = taps.find((tap) => !Object.hasOwn(stages, tap));
  if (unknown !== undefined)
    throw new ArgumentError(
      `${network.constructor.name}.features: no map '${unknown}'; there are ${Object.keys(stages).join(', ')}`,
    );
  const maps: Record<string, Tensor> = {};
  let map = x;
  for (const [name, stage] of Object.entries(stages)) {
    if (taps.every((tap) => Object.hasOwn(maps, tap))) break;
    map = stage(map);
    if (taps.includes(name)) maps[name] = map;
  }
  return maps;
}

/** A network of a row of layers and a classifier, which have torchvision's keys: `features.0.weight`, `classifier.1.weight`. */
export abstract class RowNetwork<Tap extends string, Classifier extends Module = Sequential> extends Network<Tap> {
  /** The row and the classifier. */
  readonly layers: { readonly features: Sequential; readonly classifier: Classifier };
  /** Where in the row each stage ends, which is where the next begins. */
  private readonly ends: Readonly<Record<Tap, number>>;

  constructor(features: Sequential, classifier: Classifier, ends: Readonly<Record<Tap, number>>) {
    super();
    this.layers = { features, classifier };
    this.ends = ends;
  }
  /** Keys begin as torchvision's, beside methods of the same names. */
  override keyOf(field: string): string {
    return field === 'layers' ? '' : super.keyOf(field);
  }
  stages(): Stages<Tap> {
    return cut(this.layers.features, this.ends);
  }
}

/** A row of layers cut into stages: each ends before the place given, and the next begins there. */
export function cut<Tap extends string>(row: Sequential, ends: Readonly<Record<Tap, number>>): Stages<Tap> {
  let from = 0;
  const stages = Object.entries<number>(ends).map(([name, end]) => {
    const names = row.names.slice(from, end);
    from = end;
    return [name, (map: Tensor) => part(row, names).forward(map)] as const;
  });
  return Object.fromEntries(stages) as Stages<Tap>;
}
/** Some layers of a row, under the names that they have in it. */
export const part = (row: Sequential, names: readonly string[]): Sequential =>
  new Sequential(Object.fromEntries(names.map((name) => [name, row.get(name)])));
