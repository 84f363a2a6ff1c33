/** Why a lost row is lost, by the row's name: what was found when it was looked into. A row without an entry prints so. */
export const causes: Readonly<Record<string, string>> = {
  'chain of five, 1M':
    'one draw that reads two texels and writes one is all there is. In CPU time of an emulator: 4.2 ms for a product with a number, 5.3 for one of two tensors, 6.5 for this chain (6.2 without its NaN tests), 23 to 26 for the five draws of theirs: a copy alone would be 0.2 of that, so 0.15 is not to be had there; in bytes ours moves three tensors and theirs twelve, 0.25 on any device. Nor is it by other chains: five draws on one tensor move ten, ours two (0.2; counted 0.21)',
  'sum of 1024 rows of 1024':
    'reading is all: an emulator takes 2.3 to 2.5 ms of CPU to read 262,144 texels in 4,096 runs and join them, 1.9 by hand-written GLSL, 4.3 to 6.2 for theirs in all: 0.3 to 0.5, so 0.2 is not to be had there; theirs reads columns with 24 ms and all with 12',
  'sum of all 1M':
    'at its goal: 0.15 to 0.21 in five runs; 2.4 ms of CPU of an emulator, 11.9 for theirs; of ours 1.9 is reading',
  'transpose 1024²':
    'texels of four along a row: squares of 4 × 4 are turned, then taken out of their layers, 3.9 and 6.9 ms of CPU of an emulator (3.7 and 4.4 by the barest GLSL), where theirs, texels of 2 × 2, takes one draw of 8.5. In other layouts of the squares 4.2 and 5.8; one draw that picks from four texels 11.4 to 15. Squares by lines of their own are a second layout of textures and gain a fifteenth, with which this row was 1.27 and 1.31; rectangles copied in place of the second draw take an emulator 0.8, but move as many bytes',
  'max pool 2×2, 28²×64':
    'a draw takes 0.31 ms of CPU of an emulator, theirs 0.75; of a run the wait of its turn is 0.8, a third of 2.5 ms, which browsers take to tell that work is done',
  'upload, one op and readback of 4M':
    'one copy goes up and one comes back, no texture is made anew; what remains is fresh memory of the page for what was read, and other work on the machine',
};
