import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

const require = createRequire(import.meta.url);

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: { readonly type?: string };
}

interface Operation {
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[];
  readonly requestBody?: { readonly required?: boolean };
}

/** GitHub's own description of its REST interface (OpenAPI), to hold requests and faked answers against. */
export interface GithubDescription {
  /** What is wrong with a request; nothing when it is as described. */
  request(method: string, path: string, query: URLSearchParams, body: unknown): string[];
  /** What is wrong with an answer. */
  answer(method: string, path: string, status: number, body: unknown): string[];
  /** An example of the description, to be changed. */
  example(name: string): Record<string, unknown>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly examples: Readonly<Record<string, { readonly value: Record<string, unknown> }>>;
    readonly parameters: Readonly<Record<string, Parameter>>;
  };
}

let loaded: GithubDescription | undefined;

export function githubDescription(): GithubDescription {
  loaded ??= load();
  return loaded;
}

function load(): GithubDescription {
  const file = require.resolve('@octokit/openapi/generated/api.github.com.json');
  const document: Document = JSON.parse(readFileSync(file, 'utf8'), withNull);
  const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false, coerceTypes: false, logger: false });
  (formats as unknown as (ajv: Ajv) => void)(ajv);
  ajv.addSchema(document, 'github');
  const compiled = new Map<string, ValidateFunction>();
  const validate = (pointer: string, value: unknown): string[] => {
    const check = compiled.get(pointer) ?? ajv.compile({ $ref: `github#${pointer}` });
    compiled.set(pointer, check);
    return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
  const paths = Object.keys(document.paths).map((template) => ({ template, pattern: patternOf(template) }));
  const find = (method: string, path: string) => {
    // A literal path is the better match of two: /app/hook/config and /app/{x}.
    const fitting = paths.filter(({ pattern }) => pattern.test(path));
    const [best] = fitting.sort((a, b) => a.template.split('{').length - b.template.split('{').length);
    const operation = best && document.paths[best.template]?.[method.toLowerCase()];
    const pointer = `/paths/${best?.template.replaceAll('/', '~1')}/${method.toLowerCase()}`;
    return operation && { operation, pointer: encodePointer(pointer) };
  };
  return {
    request(method, path, query, body) {
      const found = find(method, path);
      if (!found) return [`${method} ${path} is not described`];
      const parameters = (found.operation.parameters ?? []).map((parameter) => resolve(document, parameter));
      const wrong = queryErrors(parameters, query);
      if (found.operation.requestBody && body !== undefined) {
        wrong.push(...validate(`${found.pointer}/requestBody/content/application~1json/schema`, body));
      } else if (found.operation.requestBody?.required) wrong.push('a body is required');
      return wrong.map((error) => `${method} ${path}: ${error}`);
    },
    answer(method, path, status, body) {
      const found = find(method, path);
      if (!found) return [];
      const pointer = `${found.pointer}/responses/${status}/content/application~1json/schema`;
      return validate(pointer, body).map((error) => `answer ${status} of ${method} ${path}: ${error}`);
    },
    example: (name) => structuredClone(document.components.examples[name]?.value ?? {}),
  };
}

/** OpenAPI 3.0 says `nullable` beside a schema; JSON Schema says it by a choice. */
function withNull(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || (value as { nullable?: unknown }).nullable !== true) return value;
  const { nullable: _, ...schema } = value as Record<string, unknown>;
  return { anyOf: [schema, { type: 'null' }] };
}

function queryErrors(parameters: readonly Parameter[], query: URLSearchParams): string[] {
  const known = new Map(parameters.filter((one) => one.in === 'query').map((one) => [one.name, one]));
  const unknown = [...query.keys()].filter((name) => !known.has(name)).map((name) => `no query parameter ${name}`);
  const missing = [...known.values()].filter(({ name, required }) => required && !query.has(name));
  const numbers = [...query].filter(
    ([name, value]) => known.get(name)?.schema.type === 'integer' && !/^\d+$/.test(value),
  );
  return [
    ...unknown,
    ...missing.map(({ name }) => `the query parameter ${name} is missing`),
    ...numbers.map(([name]) => `the query parameter ${name} must be a number`),
  ];
}

function resolve(document: Document, parameter: Parameter | { readonly $ref: string }): Parameter {
  if (!('$ref' in parameter)) return parameter;
  const name = parameter.$ref.split('/').at(-1) ?? '';
  const found = document.components.parameters[name];
  if (!found) throw new Error(`The description has no parameter ${name}.`);
  return found;
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}$`);
}

function encodePointer(pointer: string): string {
  return pointer.replaceAll('{', '%7B').replaceAll('}', '%7D');
}
