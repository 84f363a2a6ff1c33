/** Door for pictures: an ImageBitmap, a canvas, a video's frame or a texture becomes a tensor on the GPU itself. */
import { ShapeError, type Tensor } from '@tessera/tensor';
import { type Backend, BackendError, fromBuffer } from '@tessera/tensor/backend';
import { gpuBackend } from './external';
import { bindingOf } from './memory';

/** What the browser can draw from, and textures: of the user's own, or of a video by `importExternalTexture`. */
export type ImageSource = GPUCopyExternalImageSource | GPUTexture | GPUExternalTexture;

export interface FromImageOptions {
  /** 3 (RGB, default) or 4 (RGBA). */
  readonly channels?: 3 | 4;
  /** [H, W], for a GPUExternalTexture, which does not tell. */
  readonly size?: readonly [height: number, width: number];
  /** The backend it comes to. Default: the chosen one. */
  readonly backend?: Backend;
}

/**
 * A picture as a tensor [C,H,W] of float32 from 0 to 1, sRGB as it is stored. It is taken at once: a frame may be closed, a video
 * go on, as soon as this returns. torchvision's to_tensor
 * @throws ShapeError for a source of no size, BackendError where the backend is no WebGPU
 */
export function fromImage(source: ImageSource, { channels = 3, size, backend }: FromImageOptions = {}): Tensor {
  const gpu = gpuBackend(backend, 'fromImage');
  const { device } = gpu;
  const frame = isVideo(source);
  const external = frame || isExternal(source);
  const [height, width] = size ?? (isExternal(source) ? [0, 0] : sizeOf(source));
  if (!(height > 0 && width > 0)) {
    throw new ShapeError(
      `fromImage: the source is ${height} high and ${width} wide; wait until it is loaded${isExternal(source) ? ', or give the size of an external texture: { size: [H, W] }' : ''}`,
    );
  }
  let image: GPUTexture | GPUExternalTexture;
  try {
    if (frame) image = device.importExternalTexture({ source });
    else image = isExternal(source) || isTexture(source) ? source : copied(device, source, height, width);
  } catch (cause) {
    throw new BackendError(
      `fromImage: this browser does not bring the source to its GPU (${(cause as Error).message}); hand in an ImageBitmap: await createImageBitmap(source)`,
      { cause },
    );
  }
  const buffer = gpu.allocateFresh('float32', channels * height * width);
  const pipeline = pipelineOf(device, channels, external);
  gpu.commandsNow((encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const entries = [
      { binding: 0, resource: external ? (image as GPUExternalTexture) : (image as GPUTexture).createView() },
      { binding: 1, resource: bindingOf(buffer.region) },
    ];
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(Math.ceil(width / side), Math.ceil(height / side));
    pass.end();
  });
  if (image !== source && !external) (image as GPUTexture).destroy(); // WebGPU waits for submitted work
  return fromBuffer(gpu, buffer, [channels, height, width], 'float32');
}

const isTexture = (source: ImageSource): source is GPUTexture => 'createView' in source;
const isVideo = (source: ImageSource): source is VideoFrame | HTMLVideoElement =>
  ['VideoFrame', 'HTMLVideoElement'].some((name) => {
    const kind = (globalThis as unknown as Record<string, (new () => unknown) | undefined>)[name];
    return kind !== undefined && source instanceof kind;
  });
const isExternal = (source: ImageSource): source is GPUExternalTexture =>
  'GPUExternalTexture' in globalThis && source instanceof GPUExternalTexture;

/** Of a video that of its pixels, of an image its own, not that on the page. */
function sizeOf(source: GPUCopyExternalImageSource | GPUTexture): [height: number, width: number] {
  if ('visibleRect' in source) return [source.visibleRect?.height ?? 0, source.visibleRect?.width ?? 0];
  const { videoHeight, videoWidth, naturalHeight, naturalWidth, height, width } = source as unknown as Partial<
    Record<string, number>
  >;
  return [videoHeight ?? naturalHeight ?? height ?? 0, videoWidth ?? naturalWidth ?? width ?? 0];
}

/** The source in a texture: a copy that stays on the GPU where the source is there. */
function copied(device: GPUDevice, source: GPUCopyExternalImageSource, height: number, width: number): GPUTexture {
  const [copyDst, binding, attachment] = [2, 4, 16];
  const texture = device.createTexture({
    label: 'tessera image',
    size: [width, height],
    format: 'rgba8unorm',
    usage: copyDst | binding | attachment,
  });
  device.queue.copyExternalImageToTexture({ source }, { texture }, [width, height]);
  return texture;
}

/** A workgroup takes a square of so many pixels a side. */
const side = 8;
const pipelines = /* @__PURE__ */ new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

function pipelineOf(device: GPUDevice, channels: number, external: boolean): GPUComputePipeline {
  const made = pipelines.get(device) ?? new Map<string, GPUComputePipeline>();
  pipelines.set(device, made);
  const key = `${channels}${external}`;
  const known = made.get(key);
  if (known) return known;
  const module = device.createShaderModule({ label: 'tessera fromImage', code: shader(channels, external) });
  const pipeline = device.createComputePipeline({ label: 'tessera fromImage', layout: 'auto', compute: { module } });
  made.set(key, pipeline);
  return pipeline;
}

const shader = (channels: number, external: boolean): string => `// fromImage: a picture's planes, one after the other
@group(0) @binding(0) var image: ${external ? 'texture_external' : 'texture_2d<f32>'};
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(${side}, ${side})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let size = textureDimensions(image);
  if (id.x >= size.x || id.y >= size.y) { return; }
  let pixel = textureLoad(image, id.xy${external ? '' : ', 0'});
  let at = id.y * size.x + id.x;
  for (var c = 0u; c < ${channels}u; c++) { y[c * size.x * size.y + at] = pixel[c]; }
}
`;
