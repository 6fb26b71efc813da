export { memoryAdapter } from './adapters/memory/adapter.ts';
