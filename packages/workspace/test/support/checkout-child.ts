import { createWorkspaceManager } from '../../src/index.ts';

const [root = '', repo = '', ref = ''] = process.argv.slice(2);
await using manager = createWorkspaceManager({ root, allowedProtocols: ['http', 'file'], limits: { freeBytes: 0 } });
await using workspace = await manager.checkout({ repo, ref });
if (workspace.base !== ref) process.exitCode = 1;
