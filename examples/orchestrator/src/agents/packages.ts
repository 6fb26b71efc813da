/** Where the program of an agent comes from. */
export interface AgentPackage {
  readonly name: string;
  /** The version that the tests run, on every Node that Millrace supports. */
  readonly version: string;
  /** It fetches its program in a script of its installation, which npm runs only where it is allowed. */
  readonly needsScript?: boolean;
}

/** The npm packages of the agents. They are large, so they are installed on demand and beside the project. */
export const agentPackages: Readonly<Record<string, AgentPackage>> = {
  claude: { name: '@anthropic-ai/claude-code', version: '2.1.197', needsScript: true },
  codex: { name: '@openai/codex', version: '0.169.0' },
  gemini: { name: '@google/gemini-cli', version: '0.61.0' },
};
