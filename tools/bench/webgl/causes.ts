/** Why a lost row is lost, by the row's name: what was found when it was looked into. A row without an entry prints so. */
export const causes: Readonly<Record<string, string>> = {
  'chain of five, 1M':
    'one draw that reads two texels and writes one is all there is. In CPU time of an emulator, by hand-written GLSL: 4.9 ms to copy a texture of 1M, 5.2 to multiply two, 6.4 for this chain, 23 to 26 for the five draws of theirs: a copy alone would be 0.2 of that',
  'sum of 1024 rows of 1024':
    'reading is all: by hand-written GLSL an emulator takes 2.2 to 2.5 ms of CPU to read 262,144 texels in 4,096 runs, 6.6 to read 1M single floats as theirs does (in all 6.2): 0.35 at best. Ours takes 4.1: 3.1 to read, of which a third is arithmetic that a GPU does beside it, and 0.3 to join four chunks a row; without chunks, in one draw of 256 fragments, 4.0',
  'transpose 1024²':
    'a texel is read and written twice, in squares of 4 × 4 and out of their layers: 3.9 and 6.6 ms of CPU of an emulator by hand-written GLSL, in other orders of squares no less; theirs takes 9.6 to 11.7, one draw that picks from four texels 16.8',
  'max pool 2×2, 28²×64':
    'at the edge of its goal, 0.50 to 0.72 in five runs, 1.3 to 1.6 ms beside 2.0 to 2.7; where they go was not looked into',
  'upload, one op and readback of 4M':
    '0.26 to 0.28 where the row runs alone, 0.40 behind all others: two copies of 16 MB, the tensor’s own and the one kept for restore(), into pages that are fresh then',
};
