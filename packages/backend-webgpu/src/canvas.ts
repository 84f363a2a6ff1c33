/** Door to the screen: a tensor drawn into a canvas or a texture by the GPU that has it. */
import { ShapeError, type TensorLike } from '@tessera/tensor';
import { BackendError, type Borrowed, toBuffer } from '@tessera/tensor/backend';
import { gpuBackend } from './external';
import { bindingOf, type GpuBuffer } from './memory';
import type { WebgpuBackend } from './runtime';

/** A canvas of the page or of a worker, its context where you configured one yourself, or a texture to be rendered to. */
export type DrawTarget = HTMLCanvasElement | OffscreenCanvas | GPUCanvasContext | GPUTexture;

/**
 * Draws a picture [C,H,W] or [H,W,C] of 1 (grey), 3 or 4 channels over the whole of the target, each pixel the nearest element;
 * [C,H,W] where both readings fit. Floats count from 0 to 1, uint8 to 255. Resolves when it is on its way to the screen.
 * @throws ShapeError for any other shape, BackendError where the backend is no WebGPU or the canvas has another context
 */
export async function toCanvas(x: TensorLike, target: DrawTarget): Promise<void> {
  const gpu = gpuBackend(undefined, 'toCanvas');
  const picture = toBuffer(gpu, x, 'toCanvas');
  try {
    await draw(gpu, picture, target);
  } finally {
    picture.release();
  }
}

async function draw(gpu: WebgpuBackend, { tensor, buffer }: Borrowed, target: DrawTarget): Promise<void> {
  const { device } = gpu;
  const shape = tensor.shape as readonly number[];
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  const first = isChannels(shape[0]);
  if (shape.length !== 3 || !(first || isChannels(shape[2])) || tensor.size === 0)
    throw new ShapeError(`toCanvas: shape [${shape}]; wants [C,H,W] or [H,W,C] with 1, 3 or 4 channels`);
  const [channels, height, width] = (first ? shape : [shape[2], shape[0], shape[1]]) as [number, number, number];
  if (tensor.dtype === 'float16') throw new BackendError('toCanvas: float16 is not drawn; cast to float32');
  const strides = first ? [height * width, width, 1] : [1, width * channels, channels];
  const type = tensor.dtype === 'float32' ? 'f32' : tensor.dtype === 'int32' ? 'i32' : 'u32';
  const scale = tensor.dtype === 'float32' || tensor.dtype === 'bool' ? 1 : 255;
  const context = contextOf(target, device);
  const format = context ? (context.getConfiguration?.()?.format ?? preferred()) : (target as GPUTexture).format;
  const code = shader({ type, scale, channels, height, width, strides });
  const pipeline = await pipelineOf(device, code, format);
  const { region } = buffer as GpuBuffer;
  await gpu.commands((encoder) => {
    // only now: a canvas gives a texture for one frame
    const view = (context ? context.getCurrentTexture() : (target as GPUTexture)).createView();
    const pass = encoder.beginRenderPass({ colorAttachments: [{ view, loadOp: 'clear', storeOp: 'store' }] });
    pass.setPipeline(pipeline);
    const entries = [{ binding: 0, resource: bindingOf(region) }];
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.draw(3);
    pass.end();
  });
}

const preferred = (): GPUTextureFormat => navigator.gpu.getPreferredCanvasFormat();
const configured = /* @__PURE__ */ new WeakMap<object, GPUDevice>();

/** The canvas's context, configured for the device once; null for a texture. */
function contextOf(target: DrawTarget, device: GPUDevice): GPUCanvasContext | null {
  if ('getCurrentTexture' in target) return target;
  if (!('getContext' in target)) return null;
  const context = target.getContext('webgpu') as GPUCanvasContext | null;
  if (!context) throw new BackendError('toCanvas: the canvas has a context of another kind; use a canvas of its own');
  if (configured.get(context) !== device) {
    context.configure({ device, format: preferred(), alphaMode: 'premultiplied' });
    configured.set(context, device);
  }
  return context;
}

/** By their shader and format; a page draws few kinds of picture. */
const pipelines = /* @__PURE__ */ new WeakMap<GPUDevice, Map<string, Promise<GPURenderPipeline>>>();

function pipelineOf(device: GPUDevice, code: string, format: GPUTextureFormat): Promise<GPURenderPipeline> {
  const made = pipelines.get(device) ?? new Map<string, Promise<GPURenderPipeline>>();
  pipelines.set(device, made);
  const key = `${format}\n${code}`;
  const known = made.get(key);
  if (known) return known;
  const module = device.createShaderModule({ label: 'tessera toCanvas', code });
  const pipeline = device.createRenderPipelineAsync({
    label: 'tessera toCanvas',
    layout: 'auto',
    vertex: { module },
    fragment: { module, targets: [{ format }] },
  });
  made.set(key, pipeline);
  return pipeline;
}

interface Picture {
  readonly type: string;
  readonly scale: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Of channel, row and column. */
  readonly strides: readonly number[];
}

function shader({ type, scale, channels, height, width, strides: [c, h, w] }: Picture): string {
  const at = (channel: number) => `f32(x[at + ${channel * (c as number)}u]) / ${scale}.0`;
  const color = channels === 1 ? `vec3f(${at(0)})` : `vec3f(${[0, 1, 2].map(at).join(', ')})`;
  const alpha = channels === 4 ? `clamp(${at(3)}, 0.0, 1.0)` : '1.0';
  return `// toCanvas: one triangle over everything, a picture of ${width} × ${height}
@group(0) @binding(0) var<storage, read> x: array<${type}>;

struct Corner { @builtin(position) position: vec4f, @location(0) place: vec2f }

@vertex fn corner(@builtin(vertex_index) i: u32) -> Corner {
  let place = vec2f(f32(i & 1u) * 2.0, f32(i >> 1u) * 2.0); // (0, 0), (2, 0), (0, 2): from the upper left
  return Corner(vec4f(place.x * 2.0 - 1.0, 1.0 - place.y * 2.0, 0.0, 1.0), place);
}

@fragment fn pixel(corner: Corner) -> @location(0) vec4f {
  let column = min(u32(corner.place.x * ${width}.0), ${width - 1}u);
  let row = min(u32(corner.place.y * ${height}.0), ${height - 1}u);
  let at = row * ${h}u + column * ${w}u;
  let alpha = ${alpha};
  return vec4f(clamp(${color}, vec3f(0.0), vec3f(1.0)) * alpha, alpha);
}
`;
}
