import { describeAdapter } from '@millrace/queue/conformance';
import { memoryAdapter } from '@millrace/queue/memory';
import { afterAll, describe, it } from 'vitest';

describeAdapter({ afterAll, describe, it }, { name: 'memory', create: () => memoryAdapter() });
