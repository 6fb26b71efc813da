import { type DetectorOptions, FailureDetector } from './failure-detector.ts';

/**
 * What a closed circuit remembers of a key: two counters while it is healthy, a {@link FailureDetector} while it has failures.
 */
export class KeyHealth {
  readonly #options: DetectorOptions;
  #halfStartedAt = 0;
  #current = 0;
  #previous = 0;
  #failuresInRow = 0;
  #detector: FailureDetector | undefined;

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  succeeded(): void {
    this.#failuresInRow = 0;
    if (this.#detector === undefined) this.#count();
    else if (this.#detector.isQuiet()) this.dispose();
    else void this.#detector.record(true);
  }

  /** True when the circuit has to open. */
  async failed(): Promise<boolean> {
    this.#slide();
    this.#failuresInRow += 1;
    this.#detector ??= new FailureDetector(this.#options, this.#current + this.#previous);
    const failing = await this.#detector.record(false);
    return failing || this.#failuresInRow >= this.#options.consecutiveFailures;
  }

  dispose(): void {
    this.#detector?.dispose();
    this.#detector = undefined;
  }

  #count(): void {
    this.#slide();
    this.#current += 1;
  }

  /** Two half windows: enough to know how many successes stand against the first failure. */
  #slide(): void {
    const { clock, windowMs } = this.#options;
    const age = clock.monotonic() - this.#halfStartedAt;
    if (age < windowMs / 2) return;
    this.#previous = age < windowMs ? this.#current : 0;
    this.#current = 0;
    this.#halfStartedAt = clock.monotonic();
  }
}
