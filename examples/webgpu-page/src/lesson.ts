/**
 * What the worker does: it has all of the library, the data and both canvases. Timers of a worker run on while the page is hidden, and
 * nothing waits for a frame: training goes on.
 */
import { type Backend, setBackend } from '@tessera/tensor';
import { type Digits, loadDigits } from './digits';
import type { Canvases, FromWorker, Settings, ToWorker } from './messages';
import { drawCurves, drawDigits } from './pictures';
import { type Checkpoint, type StepResult, Training } from './training';

const say = (message: FromWorker) => globalThis.postMessage(message);
/** Milliseconds between two drawings, and between two looks at the test digits, which take a twentieth of the time at most. */
const [drawEvery, lookEvery, lookShare] = [100, 2000, 1 / 20];

class Lesson {
  readonly #settings: Settings;
  readonly #canvases: Canvases;
  readonly #train: Digits;
  readonly #test: Digits;
  readonly #history: StepResult[] = [];
  #training: Training | null = null;
  #checkpoint: Checkpoint | null = null;
  #share: number | null = null;
  #drawn = 0;
  #nextLook = 0;

  constructor(settings: Settings, canvases: Canvases, train: Digits, test: Digits) {
    this.#settings = settings;
    this.#canvases = canvases;
    this.#train = train;
    this.#test = test;
    drawDigits(canvases, test, null);
    drawCurves(canvases, [], 1);
  }

  /** The GPU is gone, and what was on it: the next run starts from the last checkpoint. */
  forget(): void {
    this.#training = null;
    this.#history.length = this.#checkpoint?.step ?? 0;
  }

  /** True when everything is learnt. */
  async run(signal: AbortSignal): Promise<boolean> {
    const training = this.#training ?? new Training(this.#train, this.#settings);
    if (!this.#training && this.#checkpoint) training.restore(this.#checkpoint);
    this.#training = training;
    const [begin, first] = [performance.now(), training.step];
    const rate = () => ((training.step - first) * this.#settings.batch * 1000) / (performance.now() - begin);
    await training.train({
      signal,
      onStep: async (result) => {
        this.#history.push(result);
        const now = performance.now();
        if (now > this.#nextLook) await this.#look(training);
        if (now - this.#drawn > drawEvery) this.#show(training, rate());
      },
      onEpoch: async () => {
        await this.#look(training);
        this.#checkpoint = await training.save();
      },
    });
    this.#show(training, rate());
    return training.step >= training.steps;
  }

  async #look(training: Training): Promise<void> {
    const begin = performance.now();
    const answers = await training.answers(this.#test);
    const { data } = this.#test.label;
    this.#share = Array.from(data).filter((label, i) => label === answers[i]).length / data.length;
    drawDigits(this.#canvases, this.#test, answers);
    const end = performance.now();
    this.#nextLook = end + Math.max(lookEvery, (end - begin) / lookShare);
  }

  #show(training: Training, rate: number): void {
    this.#drawn = performance.now();
    const recent = this.#history.slice(-50);
    const mean = (pick: (result: StepResult) => number) =>
      recent.reduce((total, result) => total + pick(result), 0) / Math.max(1, recent.length);
    const [loss, accuracy] = [mean((r) => r.loss), mean((r) => r.accuracy)];
    const { step, steps } = training;
    say({ type: 'progress', progress: { step, steps, loss, accuracy, test: this.#share, rate } });
    drawCurves(this.#canvases, this.#history, steps);
  }
}

/** What a page computes on. */
export interface Gpu<B extends Backend> {
  make(onLost: () => void): Promise<B>;
  /** After a loss: the same one on another device, or another one. */
  renew(lost: B, onLost: () => void): Promise<B>;
  /** What the page tells of it. */
  describe(backend: B): string;
}

/** Does what the page says, on this GPU. */
export function teach<B extends Backend>(gpu: Gpu<B>): void {
  let backend: B;
  let lost = false;
  const onLost = () => {
    lost = true;
  };
  let started: Promise<Lesson> | null = null;
  let stop = new AbortController();
  globalThis.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
    try {
      if (data === 'cancel') stop.abort();
      else if (data === 'train') {
        stop = new AbortController();
        const lesson = await started;
        if (!lesson) return;
        if (lost) {
          lesson.forget();
          backend = await gpu.renew(backend, onLost);
          lost = false;
          setBackend(backend);
        }
        say({ type: (await lesson.run(stop.signal)) ? 'done' : 'cancelled' });
      } else {
        started = (async () => {
          backend = await gpu.make(onLost);
          setBackend(backend);
          const lesson = await start(data.settings, data.canvases);
          say({ type: 'ready', gpu: gpu.describe(backend) });
          return lesson;
        })();
        await started;
      }
    } catch (error) {
      say({ type: 'failed', message: error instanceof Error ? error.message : String(error), lost });
    }
  };
}

async function start(settings: Settings, canvases: Canvases): Promise<Lesson> {
  say({ type: 'says', text: `reading ${settings.digits.toLocaleString('en')} digits…` });
  const [train, test] = await Promise.all([loadDigits('train', settings.digits), loadDigits('test', settings.test)]);
  return new Lesson(settings, canvases, train, test);
}
