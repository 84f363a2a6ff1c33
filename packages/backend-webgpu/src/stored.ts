/** Values as the device stores them: bool and uint8 a word each, float16 in two bytes. */
import { type DType, fromHalf, type TypedArray, toHalf } from '@tessera/tensor/backend';

export const bytesOf: Record<DType, number> = { float32: 4, float16: 2, int32: 4, uint8: 4, bool: 4 };

/** Bytes of so many elements, up to a whole word: commands copy words. */
export const storedBytes = (dtype: DType, size: number): number => Math.ceil((size * bytesOf[dtype]) / 4) * 4;

/** Writes host values of `upload` into memory of `storedBytes`. */
export function store(dtype: DType, data: TypedArray, target: ArrayBuffer): void {
  switch (dtype) {
    case 'float32':
      new Float32Array(target).set(data);
      return;
    case 'int32':
      new Int32Array(target).set(data);
      return;
    case 'uint8': {
      const words = new Uint32Array(target);
      for (let i = 0; i < data.length; i++) words[i] = (data[i] as number) & 255;
      return;
    }
    case 'bool': {
      const words = new Uint32Array(target);
      for (let i = 0; i < data.length; i++) words[i] = data[i] === 0 ? 0 : 1;
      return;
    }
    case 'float16': {
      const halves = new Uint16Array(target);
      for (let i = 0; i < data.length; i++) halves[i] = toHalf(data[i] as number);
      return;
    }
    default:
      dtype satisfies never;
  }
}

/** Host values of what was read; it may be longer than the values. */
export function restore(dtype: DType, bytes: ArrayBuffer, size: number): TypedArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(bytes, 0, size);
    case 'int32':
      return new Int32Array(bytes, 0, size);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(new Uint32Array(bytes, 0, size));
    case 'float16':
      return Float32Array.from(new Uint16Array(bytes, 0, size), fromHalf);
    default:
      return dtype satisfies never;
  }
}
