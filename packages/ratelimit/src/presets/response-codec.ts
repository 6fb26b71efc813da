import type { Codec } from '../cache-entry.ts';

/** Answers as bytes: status and headers as JSON, then the body as it came; a stream is replayed as a stream. */
export const responseCodec: Codec = {
  async encode(value) {
    const response = value as Response;
    const headers = [...response.headers].filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
    const head = Buffer.from(JSON.stringify({ status: response.status, headers }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.byteLength);
    return Buffer.concat([length, head, Buffer.from(await response.arrayBuffer())]);
  },
  decode(bytes) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headEnd = 4 + buffer.readUInt32BE(0);
    const { status, headers } = JSON.parse(buffer.toString('utf8', 4, headEnd)) as {
      status: number;
      headers: [string, string][];
    };
    return new Response(Uint8Array.from(buffer.subarray(headEnd)), { status, headers });
  },
};
