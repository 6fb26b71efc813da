/** How to reach GitHub, and as whom. */
export interface GithubSettings {
  /** Where repositories are, without a trailing slash: `https://github.com`, or a server of one's own. */
  readonly webUrl: string;
  /** Where the REST interface is, without a trailing slash. */
  readonly apiUrl: string;
  readonly auth: GithubAuth;
  /** Path of the hook whose failed deliveries are asked for again; an App knows its own. */
  readonly hook: string | undefined;
  /** What a server of one's own allows, by the names of the preset; GitHub's documented limits, kept up to date by its headers, without it. */
  readonly limits?: Readonly<Partial<Record<'writesPerMinute' | 'writesPerHour', number>>> | undefined;
}

/** A token of a person or machine, or an App that gets short-lived tokens per installation. */
export type GithubAuth =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'app'; readonly appId: string; readonly privateKey: string };
