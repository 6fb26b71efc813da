import { githubDescription } from './github-description.ts';

type Json = Record<string, unknown>;

/** One repository at the fake GitHub, with what happened to it. */
export interface FakeRepo {
  readonly id: number;
  readonly fullName: string;
  /** Pull requests that were opened, in order. */
  readonly pulls: Json[];
  readonly comments: Json[];
  /** Check runs, by what is to be shown for a commit; the latest state of each. */
  readonly checkRuns: Map<string, Json[]>;
  readonly statuses: Map<string, Json[]>;
  /** GitHub's log of webhooks, newest first, and what was asked for again. */
  readonly deliveries: Json[];
  readonly redelivered: number[];
  /** What the REST interface answers. */
  answer(method: string, path: string, query: URLSearchParams, body: Json | undefined): Answer;
}

export interface Answer {
  readonly status: number;
  readonly body: object | undefined;
}

export function createFakeRepo({ owner, name }: { readonly owner: string; readonly name: string }): FakeRepo {
  const description = githubDescription();
  const prefix = `/repos/${owner}/${name}`;
  const example = description.example('full-repository-default-response');
  const { parent: _, source: __, ...plain } = example;
  // The description's own examples lack fields that it requires; these complete them.
  const repo = { ...plain, id: 4242, default_branch: 'main', language: null };
  const [pulls, comments, deliveries]: [Json[], Json[], Json[]] = [[], [], []];
  const [checkRuns, statuses] = [new Map<string, Json[]>(), new Map<string, Json[]>()];
  const redelivered: number[] = [];

  const pullOf = (number: number, body: Json): Json => {
    const example = description.example('pull-request') as { head: Json; base: Json };
    return {
      ...example,
      requested_teams: [],
      number,
      state: 'open',
      title: body.title,
      body: body.body ?? null,
      html_url: `https://github.example/${owner}/${name}/pull/${number}`,
      head: { ...example.head, ref: body.head, label: `${owner}:${body.head}` },
      base: { ...example.base, ref: body.base, repo: { ...(example.base.repo as Json), id: repo.id } },
    };
  };
  const openPull = (body: Json): Answer => {
    const label = `${owner}:${body.head}`;
    if (pulls.some((pull) => pull.state === 'open' && (pull.head as Json).label === label)) {
      return { status: 422, body: { message: `A pull request already exists for ${label}.` } };
    }
    const pull = pullOf(pulls.length + 1, body);
    pulls.push(pull);
    return { status: 201, body: pull };
  };
  const listPulls = (query: URLSearchParams): Answer => {
    const simple = (description.example('pull-request-simple-items') as unknown as Json[])[0] as Json;
    const fitting = pulls.filter((pull) => {
      const state = query.get('state') ?? 'open';
      const head = query.get('head');
      return (state === 'all' || pull.state === state) && (!head || (pull.head as Json).label === head);
    });
    return { status: 200, body: fitting.map((pull) => ({ ...simple, ...only(pull, Object.keys(simple)) })) };
  };
  const comment = (number: number, body: Json): Answer => {
    const made = { ...description.example('issue-comment'), id: comments.length + 1, body: body.body, number };
    comments.push(made);
    return { status: 201, body: made };
  };
  const routes: readonly (readonly [RegExp, (match: RegExpExecArray, query: URLSearchParams, body: Json) => Answer])[] =
    [
      [/^GET \/installation$/, () => ok({ ...description.example('installation'), id: 99 })],
      [/^GET \/pulls$/, (_, query) => listPulls(query)],
      [/^POST \/pulls$/, (_, __, body) => openPull(body)],
      [
        /^PATCH \/pulls\/(\d+)$/,
        (match, _, body) =>
          ok(Object.assign(pulls[Number(match[1]) - 1] ?? {}, only(body, ['title', 'body', 'state']))),
      ],
      [/^GET $/, () => ok(repo)],
      [/^GET \/issues\/(\d+)\/comments$/, (match) => ok(comments.filter((one) => one.number === Number(match[1])))],
      [/^POST \/issues\/(\d+)\/comments$/, (match, _, body) => comment(Number(match[1]), body)],
      [
        /^PATCH \/issues\/comments\/(\d+)$/,
        (match, _, body) => ok(Object.assign(comments[Number(match[1]) - 1] ?? {}, { body: body.body })),
      ],
      [/^GET \/commits\/(\w+)\/check-runs$/, (match) => paged('check_runs', checkRuns.get(match[1] ?? '') ?? [])],
      [/^GET \/commits\/(\w+)\/check-suites$/, () => paged('check_suites', [])],
      [/^GET \/actions\/runs$/, () => paged('workflow_runs', [])],
      [
        /^GET \/commits\/(\w+)\/status$/,
        (match) => {
          const list = statuses.get(match[1] ?? '') ?? [];
          const combined = description.example('combined-commit-status');
          return ok({ ...combined, sha: match[1], statuses: list, total_count: list.length });
        },
      ],
    ];
  return {
    id: repo.id,
    fullName: `${owner}/${name}`,
    pulls,
    comments,
    checkRuns,
    statuses,
    deliveries,
    redelivered,
    answer(method, path, query, body = {}) {
      if (path === '/app/installations/99/access_tokens') return installationToken(body);
      const hook = /^\/(?:app\/hook|repos\/[^/]+\/[^/]+\/hooks\/\d+)\/deliveries(?:\/(\d+)\/attempts)?$/.exec(path);
      if (hook?.[1]) {
        redelivered.push(Number(hook[1]));
        return { status: 202, body: {} };
      }
      if (hook) return ok(deliveries);
      if (!path.startsWith(prefix)) return { status: 404, body: { message: 'Not Found' } };
      const request = `${method} ${path.slice(prefix.length)}`;
      for (const [pattern, answer] of routes) {
        const match = pattern.exec(request);
        if (match) return answer(match, query, body);
      }
      return { status: 404, body: { message: 'Not Found' } };
    },
  };

  function installationToken(body: Json): Answer {
    const wide = body.permissions === undefined;
    const token = `ghs_${wide ? 'api' : `git-${(body.permissions as Json).contents}`}`;
    const example = description.example('installation-token');
    return { status: 201, body: { ...example, token, expires_at: new Date(Date.now() + 3_600_000).toISOString() } };
  }
}

function ok(body: object): Answer {
  return { status: 200, body };
}

function paged(name: string, entries: readonly Json[]): Answer {
  return ok({ total_count: entries.length, [name]: entries });
}

function only(value: Json, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));
}

/** A check run as GitHub's lists show it. */
export function fakeCheckRun(sha: string, name: string, conclusion: string | null, id = 1): Json {
  const example = (githubDescription().example('check-run-paginated') as { check_runs: Json[] }).check_runs[0] ?? {};
  const status = conclusion === null ? 'in_progress' : 'completed';
  const completed_at = conclusion === null ? null : '2026-01-01T00:01:00Z';
  return { ...example, id, name, head_sha: sha, status, conclusion, started_at: '2026-01-01T00:00:00Z', completed_at };
}
