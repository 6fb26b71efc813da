/** One alert with its runbook: the rule file and the page are both made from it. */
export interface Alert {
  /** `Millrace…`; also the name of its page. */
  readonly name: string;
  /** `page` wakes somebody up; `ticket` is for working hours. */
  readonly severity: 'page' | 'ticket';
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  /** One line with what is wrong; may use `{{ $labels.x }}` and `{{ $value }}`. */
  readonly summary: string;
  /** What users notice. */
  readonly impact: string;
  /** What to look at, most likely cause first. */
  readonly look: readonly string[];
  /** What to do. */
  readonly act: readonly string[];
}

/** A rule that stores the result of an expression under a name. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
}
