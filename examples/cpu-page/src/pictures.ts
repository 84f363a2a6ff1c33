/** The two pictures of the page. */
import { reach } from './messages';

export interface Moons {
  /** [N,2], their moons [N], and what the network makes of a grid [size,size] of places. */
  points: Float32Array;
  labels: Int32Array;
  surface: { readonly size: number; readonly second: Float32Array } | null;
}

const colours = [
  [42, 111, 219],
  [224, 102, 47],
] as const;

export function drawMoons(canvas: HTMLCanvasElement, { points, labels, surface }: Moons): void {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (surface) {
    const side = width / surface.size;
    surface.second.forEach((second, i) => {
      const mixed = [0, 1, 2].map((c) => (1 - second) * colours[0][c as 0] + second * colours[1][c as 0]);
      context.fillStyle = `rgb(${mixed.join(' ')} / 0.35)`;
      context.fillRect((i % surface.size) * side, Math.floor(i / surface.size) * side, side, side);
    });
  }
  labels.forEach((label, i) => {
    const [x, y] = [points[2 * i] as number, points[2 * i + 1] as number];
    context.fillStyle = `rgb(${colours[label === 0 ? 0 : 1].join(' ')})`;
    context.fillRect(((x / reach + 1) * width) / 2 - 1.5, ((1 - y / reach) * height) / 2 - 1.5, 3, 3);
  });
}

/** From 0 at the bottom to 1 at the top; who guesses between two moons has ln 2. */
export function drawLoss(canvas: HTMLCanvasElement, losses: readonly number[]): void {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  context.beginPath();
  losses.forEach((loss, i) => {
    context.lineTo((i / Math.max(1, losses.length - 1)) * width, (1 - loss) * height);
  });
  context.stroke();
}
