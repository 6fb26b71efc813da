// Made by `npm run generate -w @millrace/orchestrator` from the API's document. Do not edit.

export interface paths {
    "/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List runs, newest first */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                    state?: "queued" | "admitted" | "preparing" | "running" | "collecting" | "pushing" | "pr_open" | "ci_waiting" | "parked" | "succeeded" | "failed" | "cancelled";
                    /** @description Only runs of this task. */
                    task?: string;
                    /** @description Only runs on this repository, by its id. */
                    repo?: string;
                    /** @description Only runs of this type of agent. */
                    agent?: "command" | "claude" | "codex" | "gemini";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RunList"];
                    };
                };
                /** @description A parameter is not valid. */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Submit a run
         * @description Accepts a run. The Idempotency-Key makes it safe to send again: the second request with the same key is refused with 409 and the id of the first run, or answered like the first where the header `Prefer: duplicate=replay` asks for it.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description 1 to 255 printable characters. */
                    "idempotency-key"?: string;
                    /** @description `duplicate=replay` or `duplicate=reject` (the default). */
                    prefer?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewRun"];
                };
            };
            responses: {
                /** @description Accepted. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description The JSON, or the key, is missing or malformed. */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key was used before; `runId` names the run. */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The request cannot be carried out as it stands, or the key was used with another body. */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One run */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The run. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a run
         * @description A run that has not begun ends at once; one that is under way is stopped within two seconds.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is cancelled. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description Its worker was told. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It had ended before. */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Submit a run that failed or was cancelled again
         * @description The same repository, ref, agent and options, as a run of its own.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description 1 to 255 printable characters. */
                    "idempotency-key"?: string;
                    /** @description `duplicate=replay` or `duplicate=reject` (the default). */
                    prefer?: string;
                };
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Accepted. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It has not ended, or it succeeded; or the key was used before. */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tasks, newest first */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskList"];
                    };
                };
                /** @description A parameter is not valid. */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Create a task, and a run for each of its agents
         * @description Task and runs are made together under one Idempotency-Key: all of them, or none.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description 1 to 255 printable characters. */
                    "idempotency-key"?: string;
                    /** @description `duplicate=replay` or `duplicate=reject` (the default). */
                    prefer?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewTask"];
                };
            };
            responses: {
                /** @description Created. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskWithRuns"];
                    };
                };
                /** @description The JSON, or the key, is missing or malformed. */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The key was used before; `taskId` and `runIds` name what it made. */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The request cannot be carried out as it stands, or the key was used with another body. */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description As many runs of the tenant wait as it may have. */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{id}/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Let further agents try a task
         * @description Without an Idempotency-Key the task and the fingerprint of the body are the key: the same request twice is refused with 409.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description 1 to 255 printable characters. */
                    "idempotency-key"?: string;
                    /** @description `duplicate=replay` or `duplicate=reject` (the default). */
                    prefer?: string;
                };
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewTaskRuns"];
                };
            };
            responses: {
                /** @description Accepted. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskWithRuns"];
                    };
                };
                /** @description No such task. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The same was asked for before; `runIds` names the runs. */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The request cannot be carried out as it stands. */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description As many runs of the tenant wait as it may have. */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One task; GET /v1/runs?task={id} lists its runs */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The task. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Task"];
                    };
                };
                /** @description No such task. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was said in a task: prompts, and what agents answered in the end */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Messages, oldest first. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MessageList"];
                    };
                };
                /** @description No such task. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/repos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List repositories, in the order in which they were named */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RepoList"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Name a repository, checked to be there
         * @description Naming one twice changes nothing. Runs and tasks name theirs by themselves.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewRepo"];
                };
            };
            responses: {
                /** @description The repository. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Repo"];
                    };
                };
                /** @description There is no such repository, or this server may not use it. */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/repos/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One repository; GET /v1/runs?repo={id} lists its runs */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The repository. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Repo"];
                    };
                };
                /** @description No such repository. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Log lines, oldest first */
        get: {
            parameters: {
                query?: {
                    /** @description Lines after this one. */
                    after?: number | null;
                };
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LogPage"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Live events of a run (server-sent events)
         * @description Events `state` and `log` from the beginning, or after `Last-Event-ID`, on any API process, nothing missing and nothing twice. The stream ends with the run; a client that connects again after the end gets 204.
         */
        get: {
            parameters: {
                query?: never;
                header?: {
                    "last-event-id"?: string;
                };
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The stream. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": string;
                    };
                };
                /** @description The run has ended and everything was told. */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Last-Event-ID is not one of this API. */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the agent changed, as a patch for `git apply` */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The patch; empty when nothing changed. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/x-diff": string;
                    };
                };
                /** @description No such run, or it has no diff (yet). */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is kept of a run */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Artifacts by kind: `diff` (a patch), `bundle` (the commit, for `git fetch`), `session` (what the agent remembers), `log` (archived). */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ArtifactList"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/artifacts/{kind}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One artifact */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                    kind: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Its bytes. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/octet-stream": string;
                    };
                };
                /** @description No such run, or it has no such artifact. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/runs/{id}/why": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run is waiting for */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The reason, and until when it holds. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Why"];
                    };
                };
                /** @description No such run. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How full the queue is */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Jobs by state. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueView"];
                    };
                };
                /** @description Needs scope admin. */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The workers that live */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Workers. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            workers: components["schemas"]["Worker"][];
                        };
                    };
                };
                /** @description Needs scope admin. */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/workers/{id}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Let a worker begin nothing new
         * @description What it has goes on to its end. Ended by DELETE, or with its process.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The worker. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Worker"];
                    };
                };
                /** @description Needs scope admin. */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such worker. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Let a draining worker begin runs again */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The worker. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Worker"];
                    };
                };
                /** @description Needs scope admin. */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such worker. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tenants/{tenant}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a tenant may use */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The tenant. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                /** @description No such tenant. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Create a tenant, or change what it may use */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TenantSettings"];
                };
            };
            responses: {
                /** @description The tenant. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                /** @description Needs scope admin. */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tenants/{tenant}/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a tenant used this month */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Its usage. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Usage"];
                    };
                };
                /** @description No such tenant. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tenants/{tenant}/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** API keys of a tenant */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The keys. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            keys: components["schemas"]["ApiKey"][];
                        };
                    };
                };
                /** @description No such tenant. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make an API key; its text is shown only in this answer */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewApiKey"];
                };
            };
            responses: {
                /** @description The key. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            id: string;
                            key: string;
                        };
                    };
                };
                /** @description No such tenant. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tenants/{tenant}/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke an API key */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    tenant: string;
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is worth nothing from now on. */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description No such key. */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Run: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            task: string | null;
            /** @enum {string} */
            state: "queued" | "admitted" | "preparing" | "running" | "collecting" | "pushing" | "pr_open" | "ci_waiting" | "parked" | "succeeded" | "failed" | "cancelled";
            parkedReason: string | null;
            /** Format: date-time */
            parkedUntil: string | null;
            repo: string;
            ref: string;
            agent: {
                type: string;
            } & {
                [key: string]: unknown;
            };
            priority: number;
            /** @description How often a worker took the run; more than 1 after a crash or a retry. */
            attempt: number;
            /** @description Set once it is pushed. */
            branch: string | null;
            /** @example 2f7e1d3c9b8a7f6e5d4c3b2a19080706f5e4d3c2 */
            baseSha: string | null;
            /** @example 2f7e1d3c9b8a7f6e5d4c3b2a19080706f5e4d3c2 */
            commitSha: string | null;
            diffStat: {
                filesChanged: number;
                insertions: number;
                deletions: number;
            } | null;
            pullRequest: {
                number: number;
                url: string | null;
            } | null;
            usage: {
                inputTokens: number;
                outputTokens: number;
                /** @description Millionths of a US dollar. */
                costMicroUsd: number;
            };
            /** @description The agent's own session, for the `session` of another run. */
            session: string | null;
            exitCode: number | null;
            error: {
                code: string;
                message: string;
                /**
                 * @description `retryable` failed too often; `fatal` never succeeds.
                 * @enum {string}
                 */
                class?: "retryable" | "fatal" | "timeout" | "oom" | "budget";
            } | null;
            /**
             * Format: uuid
             * @description The run whose failed checks this one is to mend.
             */
            followUpOf: string | null;
            /**
             * Format: uuid
             * @description The run that this one repeats.
             */
            retryOf: string | null;
            cancelRequested: boolean;
            /** Format: date-time */
            deadlineAt: string | null;
            /** Format: date-time */
            createdAt: string;
            /** Format: date-time */
            startedAt: string | null;
            /** Format: date-time */
            finishedAt: string | null;
        };
        Problem: {
            type: string;
            title: string;
            status: number;
            /**
             * @description Stable: switch on it.
             * @example ERR_RUN_NOT_FOUND
             */
            code: string;
            /** @description What is wrong and what to do. */
            detail: string;
        } & {
            [key: string]: unknown;
        };
        NewRun: {
            /**
             * @description URL of the repository. A path of this machine, or of a bundle, where REPO_PROTOCOLS has file.
             * @example https://git.example.com/team/app.git
             */
            repo: string;
            /**
             * @description Branch, tag or commit to begin from.
             * @default HEAD
             */
            ref?: string;
            agent: components["schemas"]["Agent"];
            /** @description Message of the commit. */
            message?: string;
            /** @description What the agent may spend on models, in millionths of a US dollar. */
            budgetMicroUsd?: number;
            /**
             * @description Larger goes first.
             * @default 0
             */
            priority?: number;
            /** @description Open a pull request for the branch. */
            pullRequest?: {
                title?: string;
                body?: string;
                /** @description Branch it should go into. */
                base?: string;
                /**
                 * @description The run succeeds when the checks of its commit do, where the forge reports any.
                 * @default false
                 */
                waitForChecks?: boolean;
                /** @description When the checks fail, another run mends the same branch. Needs waitForChecks. */
                followUp?: {
                    /** @description Further runs at most, one after the other. */
                    attempts: number;
                    agent?: Omit<components["schemas"]["Agent"], "type"> & unknown;
                };
            };
            /**
             * @description How long the agent may take: milliseconds, or '10m'.
             * @example 10m
             */
            timeout?: number | string;
            /**
             * @description How long the whole run may take from now on, its waits included; it fails when that is over.
             * @example 6h
             */
            deadline?: number | string;
        };
        Agent: components["schemas"]["CommandAgent"] | components["schemas"]["ClaudeAgent"] | components["schemas"]["CodexAgent"] | components["schemas"]["GeminiAgent"];
        CommandAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "command";
            /**
             * @description Shell command, run by /bin/sh in the workspace.
             * @example npm test
             */
            command: string;
            directory?: string;
        };
        ClaudeAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "claude";
            /**
             * @description What the agent is asked to do.
             * @example Add a test for the parser.
             */
            prompt: string;
            /** @description The model; the agent's own default otherwise. */
            model?: string;
            /** @description The session of an earlier run to go on from, of the same tenant, as long as it is kept. */
            session?: string;
        };
        CodexAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "codex";
            /**
             * @description What the agent is asked to do.
             * @example Add a test for the parser.
             */
            prompt: string;
            /** @description The model; the agent's own default otherwise. */
            model?: string;
            /** @description The session of an earlier run to go on from, of the same tenant, as long as it is kept. */
            session?: string;
        };
        GeminiAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "gemini";
            /**
             * @description What the agent is asked to do.
             * @example Add a test for the parser.
             */
            prompt: string;
            /** @description The model; the agent's own default otherwise. */
            model?: string;
            /** @description The session of an earlier run to go on from, of the same tenant, as long as it is kept. */
            session?: string;
        };
        RunList: {
            runs: components["schemas"]["Run"][];
            /** @description The cursor of the next page. */
            next: string | null;
        };
        TaskWithRuns: {
            task: components["schemas"]["Task"];
            runs: components["schemas"]["Run"][];
        };
        Task: {
            /** Format: uuid */
            id: string;
            repo: string;
            /** Format: uuid */
            repoId: string;
            ref: string;
            title: string;
            prompt: string;
            /** Format: date-time */
            createdAt: string;
        };
        NewTask: {
            /**
             * @description URL of the repository. A path of this machine, or of a bundle, where REPO_PROTOCOLS has file.
             * @example https://git.example.com/team/app.git
             */
            repo: string;
            /**
             * @description Branch, tag or commit to begin from.
             * @default HEAD
             */
            ref?: string;
            /** @description The prompt's first line otherwise. */
            title?: string;
            /** @description What is to be done, for every agent without a prompt of its own. */
            prompt?: string;
            /**
             * @description A run is made for each.
             * @default []
             */
            agents?: components["schemas"]["TaskAgent"][];
            /** @description Message of the commit. */
            message?: string;
            /** @description What the agent may spend on models, in millionths of a US dollar. */
            budgetMicroUsd?: number;
            /**
             * @description Larger goes first.
             * @default 0
             */
            priority?: number;
            /** @description Open a pull request for the branch. */
            pullRequest?: {
                title?: string;
                body?: string;
                /** @description Branch it should go into. */
                base?: string;
                /**
                 * @description The run succeeds when the checks of its commit do, where the forge reports any.
                 * @default false
                 */
                waitForChecks?: boolean;
                /** @description When the checks fail, another run mends the same branch. Needs waitForChecks. */
                followUp?: {
                    /** @description Further runs at most, one after the other. */
                    attempts: number;
                    agent?: Omit<components["schemas"]["Agent"], "type"> & unknown;
                };
            };
            /**
             * @description How long the agent may take: milliseconds, or '10m'.
             * @example 10m
             */
            timeout?: number | string;
            /**
             * @description How long the whole run may take from now on, its waits included; it fails when that is over.
             * @example 6h
             */
            deadline?: number | string;
        };
        TaskAgent: components["schemas"]["CommandAgent"] | components["schemas"]["ClaudeTaskAgent"] | components["schemas"]["CodexTaskAgent"] | components["schemas"]["GeminiTaskAgent"];
        ClaudeTaskAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "claude";
            /**
             * @description What the agent is asked to do.
             * @example Add a test for the parser.
             */
            prompt?: string;
            /** @description The model; the agent's own default otherwise. */
            model?: string;
            /** @description The session of an earlier run to go on from, of the same tenant, as long as it is kept. */
            session?: string;
        };
        CodexTaskAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "codex";
            /**
             * @description What the agent is asked to do.
             * @example Add a test for the parser.
             */
            prompt?: string;
            /** @description The model; the agent's own default otherwise. */
            model?: string;
            /** @description The session of an earlier run to go on from, of the same tenant, as long as it is kept. */
            session?: string;
        };
        GeminiTaskAgent: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "gemini";
            /**
             * @description What the agent is asked to do.
             * @example Add a test for the parser.
             */
            prompt?: string;
            /** @description The model; the agent's own default otherwise. */
            model?: string;
            /** @description The session of an earlier run to go on from, of the same tenant, as long as it is kept. */
            session?: string;
        };
        NewTaskRuns: {
            /** @description What is to be done now; the task's prompt otherwise. */
            prompt?: string;
            agents: components["schemas"]["TaskAgent"][];
            /** @description Message of the commit. */
            message?: string;
            /** @description What the agent may spend on models, in millionths of a US dollar. */
            budgetMicroUsd?: number;
            /**
             * @description Larger goes first.
             * @default 0
             */
            priority?: number;
            /** @description Open a pull request for the branch. */
            pullRequest?: {
                title?: string;
                body?: string;
                /** @description Branch it should go into. */
                base?: string;
                /**
                 * @description The run succeeds when the checks of its commit do, where the forge reports any.
                 * @default false
                 */
                waitForChecks?: boolean;
                /** @description When the checks fail, another run mends the same branch. Needs waitForChecks. */
                followUp?: {
                    /** @description Further runs at most, one after the other. */
                    attempts: number;
                    agent?: Omit<components["schemas"]["Agent"], "type"> & unknown;
                };
            };
            /**
             * @description How long the agent may take: milliseconds, or '10m'.
             * @example 10m
             */
            timeout?: number | string;
            /**
             * @description How long the whole run may take from now on, its waits included; it fails when that is over.
             * @example 6h
             */
            deadline?: number | string;
        };
        TaskList: {
            tasks: components["schemas"]["Task"][];
            next: string | null;
        };
        MessageList: {
            messages: {
                /** Format: uuid */
                id: string;
                /** @enum {string} */
                author: "user" | "agent";
                /**
                 * Format: uuid
                 * @description The run whose agent said it.
                 */
                run: string | null;
                body: string;
                /** Format: date-time */
                createdAt: string;
            }[];
            next: string | null;
        };
        Repo: {
            /** Format: uuid */
            id: string;
            url: string;
            /** @description Known once a pull request was opened. */
            forge: string | null;
            /** Format: date-time */
            createdAt: string;
        };
        NewRepo: {
            /**
             * @description URL of the repository. A path of this machine, or of a bundle, where REPO_PROTOCOLS has file.
             * @example https://git.example.com/team/app.git
             */
            url: string;
        };
        RepoList: {
            repos: components["schemas"]["Repo"][];
            next: string | null;
        };
        LogPage: {
            lines: {
                seq: number;
                /** @enum {string} */
                stream: "stdout" | "stderr" | "system";
                /** @description Milliseconds since 1970. */
                at: number;
                text: string;
            }[];
            /** @description Pass it as `after` to read on. */
            next: number;
        };
        ArtifactList: {
            artifacts: {
                kind: string;
                size: number;
                sha256: string;
                /** Format: date-time */
                createdAt: string;
            }[];
        };
        Why: {
            reason: string;
            detail: string;
            /** Format: date-time */
            until: string | null;
        };
        QueueView: {
            ready: number;
            delayed: number;
            leased: number;
            dead: number;
            /** @description Milliseconds. */
            oldestReadyAge: number;
        };
        Worker: {
            id: string;
            host: string;
            pid: number;
            slots: number;
            busy: number;
            /** @description It begins nothing new; once `busy` is 0 it can be taken away. */
            draining: boolean;
            /** Format: date-time */
            heartbeatAt: string;
        };
        Tenant: {
            id: string;
            weight: number;
            maxConcurrency: number | null;
            maxQueued: number | null;
            monthlyBudgetMicroUsd: number | null;
            repos: string[] | null;
        };
        TenantSettings: {
            /**
             * @description Share of the workers relative to others.
             * @default 1
             */
            weight?: number;
            /**
             * @description Runs at a time; null: no bound.
             * @default null
             */
            maxConcurrency?: number | null;
            /**
             * @description Runs that may wait; more are refused with 429.
             * @default null
             */
            maxQueued?: number | null;
            /**
             * @description What its agents may spend in a calendar month (UTC).
             * @default null
             */
            monthlyBudgetMicroUsd?: number | null;
            /**
             * @description Addresses its runs may use, and all below them, such as https://github.com/acme; null: any.
             * @default null
             */
            repos?: string[] | null;
        };
        Usage: {
            /** Format: date-time */
            since: string;
            inputTokens: number;
            outputTokens: number;
            costMicroUsd: number;
            /** @description Runs of this month by state. */
            runs: {
                [key: string]: number;
            };
        };
        NewApiKey: {
            name: string;
            scopes: ("runs:read" | "runs:write" | "admin")[];
        };
        ApiKey: {
            /** Format: uuid */
            id: string;
            name: string;
            scopes: ("runs:read" | "runs:write" | "admin")[];
            /** Format: date-time */
            createdAt: string;
            /** Format: date-time */
            revokedAt: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
