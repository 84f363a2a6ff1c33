/** Why a lost row is lost, by the row's name: what was found when it was looked into. A row without an entry prints so. */
export const causes: Readonly<Record<string, string>> = {
  'softmax 4096×4096':
    'arithmetic bounds it, not memory: an exponential takes 13 cycles for four elements, where 70 % of the copy rate leave 10 for all',
  'batch norm, training, 64×64×56²':
    'counted as one read and one write; a channel of 800 kB is read three times (mean, variance, result)',
};
