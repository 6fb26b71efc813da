import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { ConfigError } from '../config-values.ts';
import { ObjectNotFoundError, type ObjectStore, type StoredObject } from './store.ts';

/** Parameters of an OBJECTS_URL. */
const parameters = ['region', 'endpoint', 'pathStyle', 'encryption', 'kmsKey', 'storageClass'] as const;

/**
 * The store of `s3://bucket/prefix?region=eu-central-1&encryption=aws:kms&kmsKey=…&storageClass=STANDARD_IA`, for Amazon
 * and, with `endpoint=https://…&pathStyle=true`, whatever speaks its language. Credentials are found as the AWS SDK finds
 * them (AWS_ACCESS_KEY_ID …, profile, instance role): a URL is printed and logged.
 * @throws {ConfigError} when the bucket cannot be reached.
 */
export async function openS3(text: string): Promise<ObjectStore & AsyncDisposable> {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw new ConfigError('OBJECTS_URL must not hold credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.');
  }
  const query = parametersOf(url);
  const bucket = url.hostname;
  const client = new S3Client({
    ...(query.region !== undefined && { region: query.region }),
    ...(query.endpoint !== undefined && { endpoint: query.endpoint }),
    forcePathStyle: query.pathStyle === 'true',
    maxAttempts: 5,
  });
  await client.send(new HeadBucketCommand({ Bucket: bucket })).catch((cause: Error) => {
    client.destroy();
    const why = `${cause.name}: ${cause.message}`;
    throw new ConfigError(
      `OBJECTS_URL: the bucket ${bucket} cannot be used (${why}); make it, and give this process credentials for it.`,
      { cause },
    );
  });
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  const keyOf = (key: string): { Bucket: string; Key: string } => ({
    Bucket: bucket,
    Key: prefix === '' ? key : `${prefix}/${key}`,
  });
  return {
    name: `s3://${bucket}/${prefix}`,
    putFile: (key, path) => putFile(client, key, path, { ...keyOf(key), ...protection(query) }),
    get: (key) => getObject(client, key, keyOf(key)),
    async delete(key) {
      await client.send(new DeleteObjectCommand(keyOf(key)));
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
    },
  };
}

type Query = Partial<Record<(typeof parameters)[number], string>>;

function parametersOf(url: URL): Query {
  for (const name of url.searchParams.keys()) {
    if (!(parameters as readonly string[]).includes(name)) {
      throw new ConfigError(`OBJECTS_URL has no parameter ${name}; there are ${parameters.join(', ')}.`);
    }
  }
  return Object.fromEntries(url.searchParams) as Query;
}

function protection({ encryption, kmsKey, storageClass }: Query): Partial<PutObjectCommandInput> {
  return {
    ...(encryption !== undefined && {
      ServerSideEncryption: encryption as NonNullable<PutObjectCommandInput['ServerSideEncryption']>,
    }),
    ...(kmsKey !== undefined && { SSEKMSKeyId: kmsKey }),
    ...(storageClass !== undefined && {
      StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']>,
    }),
  };
}

/** The server checks the digest, so that an object is what was sent or is not there. */
async function putFile(
  client: S3Client,
  key: string,
  path: string,
  target: PutObjectCommandInput,
): Promise<StoredObject> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const digest = hash.digest();
  const { size } = await stat(path);
  await client.send(
    new PutObjectCommand({
      ...target,
      Body: createReadStream(path),
      ContentLength: size,
      ChecksumSHA256: digest.toString('base64'),
    }),
  );
  return { key, size, sha256: digest.toString('hex') };
}

async function getObject(client: S3Client, key: string, target: { Bucket: string; Key: string }): Promise<Readable> {
  try {
    const { Body } = await client.send(new GetObjectCommand(target));
    return Body as Readable;
  } catch (cause) {
    if ((cause as Error).name === 'NoSuchKey') throw new ObjectNotFoundError(key, { cause });
    throw cause;
  }
}
