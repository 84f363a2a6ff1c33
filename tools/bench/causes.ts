/** Why a lost row is lost, by the row's name: what was found when it was looked into. A row without an entry prints so. */
export const causes: Readonly<Record<string, string>> = {
  'matmul 1024': 'near its goal: 77, 85 and 88 % in three runs, each beside a limit of its own',
  'softmax 4096×4096':
    'arithmetic bounds it, not memory: an exponential is 28 vector operations, 10 to 13 cycles for four elements, where 70 % of the copy rate leave 8 for all; without clamps and with one scale it would be 21 and a quarter quicker, by Estrin’s scheme no quicker',
  'batch norm, training, 64×64×56²':
    'counted as one read and one write; a channel of 800 kB is read three times (mean, variance, result), now in four streams: 63 to 70 % where it was 48; statistics of blocks that lie in the first-level cache, put together, take as long',
  'transpose 4096×4096':
    'plain stores of whole lines end at 22 to 26 GB/s here, in C too, for each line is read before it is written; stores that pass the caches reach 35 to 42, and WebAssembly has none; squares of 32, 64, 96 and 128, and other strips, are within 12 %',
  'matmul 1×4096×4096':
    'both read the matrix at the rate of the memory: the kernel alone takes 38 to 42 GB/s where a loop that only reads takes 41 to 43; the rest is two phases and their barriers, and what other work leaves of the memory',
  'ResNet-50 mixed step: bytes over the op graph’s bound':
    'norms, activations and sums of blocks are float32 by contract, so the ends of blocks and their gradients are stored as float32 (the former as the next float16 operand, too) where the bound counts element-wise work as free: 12.41 GB of 7.86; with norms that give float16, as PyTorch’s autocast has them, it would be 9.25 of 7.21, 1.28',
  'ResNet-50 step: first trace and schedule':
    'near its goal on a busy machine: medians of three fresh processes were 234 to 288 ms in five runs of six on a quiet one, single ones 169 to 343; the time is spread over fusing, writing expressions down and tracing',
};
