/** Weight decay for weights only. */
import type { Module, Parameter } from './module';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d } from './norm';
import type { ParameterGroup } from './optimizer';
import { GroupNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, LayerNorm, RMSNorm } from './sample-norm';

export interface DecayOptions {
  /** λ of all that is no norm's and no bias. */
  readonly weightDecay: number;
  /** λ of γ and β of norms. Default 0. */
  readonly norms?: number;
  /** λ of biases of other layers. Default: that of norms. */
  readonly biases?: number;
}

/**
 * A model's parameters in groups for an optimizer, as recipes since 2017 want them: `new AdamW(weightDecayGroups(model, {
 * weightDecay: 0.05 }))`. A parameter is in one group; groups without parameters are left out.
 * torchvision's references set_weight_decay (norm_weight_decay, bias_weight_decay)
 */
export function weightDecayGroups(
  model: Module<never, unknown>,
  { weightDecay, norms = 0, biases = norms }: DecayOptions,
): ParameterGroup[] {
  const groups = new Map<number, Parameter[]>([[weightDecay, []]]);
  const ofNorms = new Set(
    model
      .namedModules()
      .flatMap(([, module]) => (kinds.some((kind) => module instanceof kind) ? module.parameters() : [])),
  );
  for (const [key, parameter] of model.namedParameters()) {
    const decay = ofNorms.has(parameter) ? norms : /(^|[._])bias$/.test(key) ? biases : weightDecay;
    groups.set(decay, [...(groups.get(decay) ?? []), parameter]);
  }
  return [...groups].flatMap(([decay, parameters]) => (parameters.length ? [{ parameters, weightDecay: decay }] : []));
}
const kinds = [
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  GroupNorm,
  LayerNorm,
  RMSNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
] as const;
