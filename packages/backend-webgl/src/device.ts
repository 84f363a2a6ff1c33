/** The device: a WebGL2 context of our own, and what it can do. */
import { BackendError, type Limits, recompute } from '@tessera/tensor/backend';
import { type Format, formatOf, hostOf, mostTexels, turn } from './layout';

export interface WebglOptions {
  /** Which GPU of several: 'high-performance' or 'low-power'. */
  readonly powerPreference?: WebGLPowerPreference;
  /** Told when the context is lost; reads that wait reject with the same error. `backend.restore()` goes on from there. */
  readonly onLost?: (error: BackendError) => void;
  /** Told of what the device lacks and what follows from it. By default `console.warn`. */
  readonly onWarning?: (message: string) => void;
  /**
   * Does the host keep a copy of what was handed in, for `restore()`? Of tensors alone that no kernel has written since: weights
   * that were loaded, not trained ones. By default it does.
   */
  readonly keepUploads?: boolean;
}

export interface Device {
  readonly gl: WebGL2RenderingContext;
  readonly canvas: OffscreenCanvas | HTMLCanvasElement;
  /** The renderer's name, as far as the browser tells. */
  readonly renderer: string;
  readonly format: Format;
  readonly limits: Limits;
  /** Most textures that one draw reads, and writes. */
  readonly units: number;
  readonly targets: number;
  /** Most columns, and rows, of a texture. */
  readonly side: number;
}

/** @throws BackendError that says what to use instead, where there is no WebGL2. */
export function findDevice({ powerPreference = 'high-performance', onWarning }: WebglOptions): Device {
  const settings = { alpha: false, depth: false, stencil: false, antialias: false, powerPreference };
  const { canvas, gl } = makeContext(settings);
  const warn = onWarning ?? ((message: string) => console.warn(message));
  const floats = gl.getExtension('EXT_color_buffer_float') !== null;
  if (!floats) {
    const targets = gl.getExtension('EXT_color_buffer_half_float') ? 'float16 targets only' : 'no float targets';
    warn(
      `webgl: ${rendererOf(gl)} has ${targets} (no EXT_color_buffer_float): values are kept as the bits of float32 in integer textures, as exact, and slower on some devices; @tessera/backend-webgpu or @tessera/backend-cpu may be faster`,
    );
  }
  const format = formatOf(gl, floats);
  const side = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
  const units = gl.getParameter(gl.MAX_TEXTURE_IMAGE_UNITS) as number;
  const device = {
    gl,
    canvas,
    renderer: rendererOf(gl),
    format,
    limits: limitsOf(side, units),
    units,
    side,
    targets: gl.getParameter(gl.MAX_DRAW_BUFFERS) as number,
  };
  const broken = probe(gl, format);
  if (broken) warn(`webgl: ${device.renderer} ${broken}`);
  return device;
}

/** Of a canvas off the page; else of an element, for some browsers (Safari 16) draw no WebGL elsewhere. */
function makeContext(settings: WebGLContextAttributes): Pick<Device, 'canvas' | 'gl'> {
  const canvases = [
    ...(typeof OffscreenCanvas === 'undefined' ? [] : [() => new OffscreenCanvas(1, 1)]),
    ...(typeof document === 'undefined' ? [] : [() => document.createElement('canvas')]),
  ];
  if (canvases.length === 0) {
    throw new BackendError(
      'webgl: there is no WebGL here: it is for pages and workers; in Node use @tessera/backend-cpu, or @tessera/backend-webgpu where there is a GPU',
    );
  }
  for (const make of canvases) {
    const canvas = make();
    const gl = canvas.getContext('webgl2', settings) as WebGL2RenderingContext | null;
    if (gl) return { canvas, gl };
  }
  throw new BackendError(
    'webgl: this browser gives no WebGL2 context; turn hardware acceleration on (chrome://gpu says what is wrong), or use @tessera/backend-cpu',
  );
}

function rendererOf(gl: WebGL2RenderingContext): string {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** Some units are held back: a pass may read temporary textures beside the kernel's own inputs. */
function limitsOf(side: number, units: number): Limits {
  return {
    maxBuffers: Math.max(8, Math.floor(units * 0.75)),
    maxBufferBytes: mostTexels(side) * 16,
    inPlace: true, // a kernel writes another texture, which then becomes the buffer's
    operandExpressions: true,
    dtypes: ['float32', 'int32', 'uint8', 'bool'],
    recompute,
  };
}

/** The words of these are denormals or NaNs: a device may not keep them. */
const hard = [0x40000000, 0x40000001, 0x407fffff, 0x3f800001, 0x3fffffff, -0x40000001, -0x7fffffff - 1, 0x7fffffff];

/** Does a texture keep all bits, uploaded, drawn and read back? Else in words what follows. */
function probe(gl: WebGL2RenderingContext, format: Format): string | null {
  const words = Int32Array.from(hard, (i) => i ^ turn);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texStorage2D(gl.TEXTURE_2D, 1, format.internal, 2, 1);
  const sent = hostOf(format, new Float32Array(words.buffer));
  gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 2, 1, format.format, format.type, sent);
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const back = new Float32Array(8);
  gl.readPixels(0, 0, 2, 1, format.format, format.type, hostOf(format, back));
  gl.deleteFramebuffer(framebuffer);
  gl.deleteTexture(texture);
  const kept = new Int32Array(back.buffer).every((word, i) => word === words[i]);
  return kept ? null : 'does not keep all bits of a float: int32 values are exact below 2^30 - 2^23 only';
}
