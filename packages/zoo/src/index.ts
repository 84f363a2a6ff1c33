/** Networks by name: each family is imported when one of its networks is made, and not before. */
import { ArgumentError } from '@tessera/tensor';

export type { Network, Stages } from './network';

/**
 * The families: how each is imported, and its networks. A new family is a file and a row. Networks that torchvision has go by
 * its names, also where the constructor is spelled as JavaScript's are; the others by their constructors' names.
 */
const families = () => ({
  ...family(() => import('./alexnet'), ['alexnet', 'alexnetPaper']),
  ...family(() => import('./overfeat'), ['overfeatFast', 'overfeatAccurate']),
  ...family(
    () => import('./vgg'),
    ['vgg11', 'vgg11_bn', 'vgg13', 'vgg13_bn', 'vgg16', 'vgg16_bn', 'vgg19', 'vgg19_bn'],
  ),
  ...family(() => import('./googlenet'), ['googlenet']),
  ...family(async () => ({ inception_v3: (await import('./inception')).inceptionV3 }), ['inception_v3']),
  ...family(
    () => import('./resnet'),
    [
      'resnet18',
      'resnet34',
      'resnet50',
      'resnet101',
      'resnet152',
      'resnext50_32x4d',
      'resnext101_32x8d',
      'resnext101_64x4d',
      'wide_resnet50_2',
      'wide_resnet101_2',
      'plain18',
      'plain34',
    ],
  ),
  ...family(
    () => import('./cifar-resnet'),
    [
      'cifarResnet20',
      'cifarResnet32',
      'cifarResnet44',
      'cifarResnet56',
      'cifarResnet110',
      'cifarResnet1202',
      'cifarPlain20',
      'cifarPlain32',
      'cifarPlain44',
      'cifarPlain56',
      'cifarPlain110',
    ],
  ),
  ...family(
    () => import('./preact-resnet'),
    [
      'preactResnet18',
      'preactResnet34',
      'preactResnet50',
      'preactResnet101',
      'preactResnet152',
      'preactResnet200',
      'cifarPreactResnet164',
      'cifarPreactResnet1001',
    ],
  ),
  ...family(() => import('./squeezenet'), ['squeezenet1_0', 'squeezenet1_1']),
  ...family(() => import('./densenet'), ['densenet121', 'densenet161', 'densenet169', 'densenet201']),
  ...family(async () => ({ mobilenet_v2: (await import('./mobilenet')).mobilenetV2 }), ['mobilenet_v2']),
  ...family(() => import('./lecture'), ['lectureAlexnet', 'vggLike']),
});
type Loaders = ReturnType<typeof families>;
type Maker<Name extends ModelName> = Awaited<ReturnType<Loaders[Name]>>;

/** By the name of each network, what imports its constructor. */
function family<F, const Name extends keyof F & string>(
  load: () => Promise<F>,
  names: readonly Name[],
): { readonly [N in Name]: () => Promise<F[N]> } {
  const loaders = names.map((name) => [name, async () => (await load())[name]] as const);
  return Object.fromEntries(loaders) as { [N in Name]: () => Promise<F[N]> };
}

/** The name of a network: torchvision's, or where torchvision has it not that of its constructor. */
export type ModelName = keyof Loaders;
/** What the constructor of this network takes. */
export type ModelOptions<Name extends ModelName> = NonNullable<Parameters<Maker<Name>>[0]>;
/** What it makes. */
export type Model<Name extends ModelName> = ReturnType<Maker<Name>>;

/** The networks that there are, a family after the other. torchvision.models.list_models */
export const listModels = (): ModelName[] => Object.keys(families()) as ModelName[];

/**
 * A new network: `await createModel('mobilenet_v2', { numClasses: 10 })`. Its family alone is imported. torchvision.models.get_model
 * @throws ArgumentError for a name that listModels has not, and for what the constructor refuses.
 */
export async function createModel<Name extends ModelName>(
  name: Name,
  options: ModelOptions<Name> = {} as ModelOptions<Name>,
): Promise<Model<Name>> {
  const loaders: Readonly<Record<string, (() => Promise<unknown>) | undefined>> = families();
  const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined;
  if (!load) throw new ArgumentError(`createModel: no network '${name}'; there are ${listModels().join(', ')}`);
  const make = (await load()) as (options: ModelOptions<Name>) => Model<Name>;
  return make(options);
}
