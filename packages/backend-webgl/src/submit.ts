/** Draws. A kernel that writes over one of its inputs, or leaves elements as they are, draws another texture, which the buffer then has. */
import { BackendError, type DeviceBuffer, type Kernel, type PlanStep } from '@tessera/tensor/backend';
import { type Draw, GlExecutable, isDraw } from './compile';
import type { Device } from './device';
import { bitsOf } from './layout';
import { GlBuffer, type Memory, type Texture } from './memory';
import type { Wanted } from './prepare';
import type { Programs } from './programs';
import type { HostStep, Ref } from './shader';
import { readFloats, writeFloats } from './transfer';

export class Submitter {
  readonly #device: Device;
  readonly #memory: Memory;
  readonly #programs: Programs;
  readonly #vertices: WebGLVertexArrayObject;
  /** For draws of several targets: their attachments change. */
  readonly #framebuffers = new Map<number, WebGLFramebuffer>();

  constructor(device: Device, memory: Memory, programs: Programs) {
    this.#device = device;
    this.#memory = memory;
    this.#programs = programs;
    const { gl } = device;
    this.#vertices = gl.createVertexArray();
    gl.bindVertexArray(this.#vertices);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.bindVertexArray(null);
  }

  run(
    { executable, inputs, outputs, uniforms }: PlanStep,
    table: readonly GlBuffer[],
    values: readonly number[],
  ): void {
    if (!(executable instanceof GlExecutable)) {
      throw new BackendError('webgl: the plan has an executable of another backend; compile its kernel here');
    }
    const { kernel, steps, scratch } = executable;
    const [read, written] = [inputs, outputs].map((list) => list.map((at) => table[at] as GlBuffer)) as [
      GlBuffer[],
      GlBuffer[],
    ];
    const numbers = numbersOf(
      kernel,
      uniforms.map((at) => values[at] as number),
    );
    /** Textures of outputs that cannot be drawn to where they are. */
    const fresh = new Map<number, Texture>();
    const temporary: (Texture | undefined)[] = [];
    const source = ({ of, index }: Ref): Texture =>
      of === 'input'
        ? (read[index] as GlBuffer).texture
        : of === 'scratch'
          ? (temporary[index] as Texture)
          : (fresh.get(index) ?? (written[index] as GlBuffer).texture);
    const target = ({ of, index }: Ref, keeps: boolean): Texture => {
      if (of === 'scratch')
        return (temporary[index] ??= this.#memory.take(
          scratch[index]?.size ?? 0,
          executable.title,
          scratch[index]?.layers,
        ));
      const buffer = written[index] as GlBuffer;
      const known = fresh.get(index);
      if (!keeps && known) return known;
      if (!keeps && (kernel.aliases[index] as number) < 0) return buffer.texture;
      const made = this.#memory.takeLike(buffer.texture, executable.title);
      fresh.set(index, made);
      return made;
    };
    /** Targets of one draw must be of one size: smaller ones give way to larger textures. */
    const alike = (refs: readonly Ref[], textures: readonly Texture[], spare: Texture[]): readonly Texture[] => {
      const columns = Math.max(...textures.map((texture) => texture.columns));
      const widest = textures.filter((texture) => texture.columns === columns);
      const rows = Math.max(...widest.map((texture) => texture.rows));
      return textures.map((texture, i) => {
        if (texture.columns === columns && texture.rows === rows) return texture;
        const { of, index } = refs[i] as Ref;
        const larger = this.#memory.takeLike({ columns, rows, layers: 1 }, executable.title);
        spare.push(texture);
        if (of === 'scratch') temporary[index] = larger;
        else if (fresh.has(index)) fresh.set(index, larger);
        else (written[index] as GlBuffer).texture = larger;
        return larger;
      });
    };
    steps.forEach((step, at) => {
      if (isDraw(step)) {
        const from = step.inputs.map(source);
        const spare = step.keeps ? step.outputs.flatMap((ref) => fresh.get(ref.index) ?? []) : [];
        const to = step.outputs.map((ref) => target(ref, step.keeps));
        this.#draw(step, from, alike(step.outputs, to, spare), numbers);
        for (const old of spare) this.#memory.release(old);
      } else this.#onHost(step, source, (ref) => target(ref, false));
      scratch.forEach(({ last }, index) => {
        const texture = temporary[index];
        if (last === at && texture) this.#memory.release(texture);
      });
    });
    for (const [index, texture] of fresh) {
      const buffer = written[index] as GlBuffer;
      this.#memory.release(buffer.texture);
      buffer.texture = texture;
    }
  }

  /** Builds the program of a draw and draws one texel, which nobody reads: drivers compile when they first draw. */
  warm({ draw, uniforms, from, to, layers }: Wanted): void {
    const take = (bits: number, layers = 1) =>
      this.#memory.takeLike({ columns: 2 ** bits, rows: 1, layers }, draw.title);
    const taken = [
      ...from.map((bits, i) => take(bits, layers.from[i])),
      ...draw.outputs.map((_, i) => take(to, layers.to[i])),
    ];
    const numbers = new Uint32Array(Math.ceil(uniforms / 4) * 4);
    this.#draw(draw, taken.slice(0, from.length), taken.slice(from.length), numbers, 1);
    for (const texture of taken) this.#memory.release(texture);
  }

  #draw(
    step: Draw,
    from: readonly Texture[],
    to: readonly Texture[],
    numbers: Uint32Array,
    texels = step.texels,
  ): void {
    const { gl } = this.#device;
    const built = this.#programs.of(step, from.map(bitsOf), bitsOf(to[0] as Texture));
    gl.bindVertexArray(this.#vertices);
    gl.useProgram(built.program);
    from.forEach(({ texture, layers }, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(layers > 1 ? gl.TEXTURE_2D_ARRAY : gl.TEXTURE_2D, texture);
    });
    if (built.numbers) gl.uniform4uiv(built.numbers, numbers);
    if (built.sizes) gl.uniform4iv(built.sizes, step.sizes);
    this.#attach(to);
    const width = 2 ** bitsOf(to[0] as Texture);
    const rows = Math.floor(texels / width);
    const rest = texels % width;
    if (rows > 0) {
      gl.viewport(0, 0, width, rows);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    if (rest > 0) {
      gl.viewport(0, rows, rest, 1);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    if (built.drawn) return;
    built.drawn = true;
    gl.flush(); // drivers compile when they first draw: let this one begin, while we write the next
  }

  #attach(to: readonly Texture[]): void {
    const { gl } = this.#device;
    if (to.length === 1) {
      gl.bindFramebuffer(gl.FRAMEBUFFER, (to[0] as Texture).framebuffer);
      return;
    }
    let framebuffer = this.#framebuffers.get(to.length);
    const made = !framebuffer;
    framebuffer ??= gl.createFramebuffer();
    this.#framebuffers.set(to.length, framebuffer);
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    if (made) gl.drawBuffers(to.map((_, i) => gl.COLOR_ATTACHMENT0 + i));
    for (const [i, { texture }] of to.entries()) {
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, gl.TEXTURE_2D, texture, 0);
    }
  }

  #onHost(step: HostStep, source: (ref: Ref) => Texture, target: (ref: Ref) => Texture): void {
    const read = step.reads.map(({ ref, size }) => readFloats(this.#device, source(ref), size));
    step.run(read).forEach((floats, i) => {
      const { ref, size } = step.writes[i] as HostStep['writes'][number];
      writeFloats(this.#device, target(ref), floats, size);
    });
  }

  dispose(): void {
    for (const framebuffer of this.#framebuffers.values()) this.#device.gl.deleteFramebuffer(framebuffer);
    this.#device.gl.deleteVertexArray(this.#vertices);
  }
}

/**
 * Which values are lost: what a step makes of lost ones is lost too. A kernel that leaves elements as they are writes part of its
 * output; what an earlier step of the plan wrote there counts too, which `tainted` remembers.
 */
export function spread(
  { executable, inputs, outputs }: PlanStep,
  table: readonly GlBuffer[],
  tainted: Set<GlBuffer>,
  allLost: boolean,
): void {
  const lost = allLost || inputs.some((at) => table[at]?.lost);
  const keeps = executable instanceof GlExecutable && executable.steps.some((step) => isDraw(step) && step.keeps);
  for (const at of outputs) {
    const buffer = table[at] as GlBuffer;
    if (lost) tainted.add(buffer);
    buffer.lost = lost || (keeps && tainted.has(buffer));
    buffer.kept = null;
  }
}

/** The numbers of a run, as bits. */
function numbersOf({ uniforms }: Kernel, values: readonly number[]): Uint32Array {
  const words = new Uint32Array(Math.ceil(uniforms.length / 4) * 4);
  const floats = new Float32Array(words.buffer);
  uniforms.forEach((dtype, i) => {
    if (dtype === 'float32') floats[i] = values[i] as number;
    else words[i] = dtype === 'bool' ? +(values[i] !== 0) : (values[i] as number);
  });
  return words;
}

/** @throws BackendError where the buffer is of another backend, or freed. */
export function own(buffer: DeviceBuffer | undefined, memory: Memory): GlBuffer {
  if (!(buffer instanceof GlBuffer) || buffer.memory !== memory) {
    throw new BackendError('webgl: a buffer of another backend; move the tensor over with to(backend)');
  }
  if (!buffer.live) throw new BackendError('webgl: a buffer that was freed');
  return buffer;
}
