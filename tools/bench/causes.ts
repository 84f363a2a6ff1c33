/** Why a lost row is lost, by the row's name: what was found when it was looked into. A row without an entry prints so. */
export const causes: Readonly<Record<string, string>> = {
  'softmax 4096×4096':
    'arithmetic bounds it, not memory: each exponential is computed twice, once for the sum and once for the result',
  'batch norm, training, 64×64×56²':
    'counted as one read and one write; a channel of 800 kB is read three times (mean, variance, result)',
};
