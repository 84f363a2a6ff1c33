/** The contexts that backends make: tests lose them, or take away what they can do. */

/** Runs `body`, and gives the contexts that were made meanwhile; `change` sees each before its backend does. */
export async function contextsOf<T>(
  body: () => Promise<T>,
  change: (gl: WebGL2RenderingContext) => void = () => {},
): Promise<{ made: WebGL2RenderingContext[]; value: T }> {
  const made: WebGL2RenderingContext[] = [];
  const { getContext } = OffscreenCanvas.prototype;
  const make = getContext as (this: OffscreenCanvas, ...args: unknown[]) => RenderingContext | null;
  OffscreenCanvas.prototype.getContext = function (this: OffscreenCanvas, ...args: unknown[]) {
    const found = make.apply(this, args);
    if (found instanceof WebGL2RenderingContext) {
      change(found);
      made.push(found);
    }
    return found;
  } as typeof getContext;
  try {
    return { value: await body(), made };
  } finally {
    OffscreenCanvas.prototype.getContext = getContext;
  }
}

/** As a browser does that takes the GPU away. */
export function lose(gl: WebGL2RenderingContext | undefined): void {
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
}

/** A context without these extensions: what it is not asked for, it cannot do. */
export function without(...names: readonly string[]): (gl: WebGL2RenderingContext) => void {
  return (gl) => {
    const { getExtension } = gl as { getExtension(name: string): unknown };
    Object.assign(gl, {
      getExtension: (name: string) => (names.includes(name) ? null : getExtension.call(gl, name)),
    });
  };
}
