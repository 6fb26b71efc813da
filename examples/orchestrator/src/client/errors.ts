/** The server refused; `code` is the stable code of its problem document. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError' as const;
  readonly status: number;
  readonly code: string;
  /** The whole problem document. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, problem: Readonly<Record<string, unknown>>) {
    super(String(problem.detail ?? `The server answered ${status}.`));
    this.status = status;
    this.code = String(problem.code ?? 'ERR_UNKNOWN');
    this.problem = problem;
  }

  /** Reads the problem out of a response that is not ok. */
  static async from(response: Response): Promise<ProblemError> {
    const text = await response.text();
    try {
      return new ProblemError(response.status, JSON.parse(text) as Record<string, unknown>);
    } catch {
      return new ProblemError(response.status, { detail: text.slice(0, 200) });
    }
  }
}
