/** Why a lost row is lost, by the row's name: what was found when it was looked into. A row without an entry prints so. */
export const causes: Readonly<Record<string, string>> = {
  'chain of five, 1M':
    'one draw that reads two texels and writes one is all there is, and takes what a product of two such textures takes by itself (3.4 and 3.8 ms on a quiet machine); theirs are five draws of seven reads and five writes, about four times that on an emulator, where a read costs 4 ns and a written texel 5',
  'sum of 1024 rows of 1024':
    'the draw that reads all is as fast as one written by hand (262,144 texels of 4 ns); the joining of four chunks a row and the store are two draws more',
  'transpose 1024²':
    'squares of 4 × 4 turned into four textures, which a second draw puts together: each texel is read and written twice; a texture of four layers, or copies in place of that draw, would spare its branches',
};
