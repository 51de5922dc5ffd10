import { readdirSync, readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TensorValue, uint8 } from '../../../computations/types/index.ts';
import { ExecutorGroup } from '../../../computations/wire/index.ts';
import type { ExecutorCalls } from '../../../executors/remote/calls.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { type Crossing, type Fault, inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../../executors/remote/messages/message-codec.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { INT, int } from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';
import { ask, ManualExecutor, Peer, settled } from './requests.helpers.ts';

const failed = (code: string) => expect.objectContaining({ code: `transport.${code}` });
const bytes = (n: number): TensorValue => new TensorValue('uint8', [n], new Uint8Array(n));

describe('calls through memory', () => {
  let backend: TrackedBackend;
  let host: ExecutorHost;
  beforeEach(async () => {
    backend = await trackedBackend();
    host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
  });
  afterEach(() => host.close());

  it('hand over no object, neither way', async () => {
    const seen: unknown[] = [];
    const spy: ExecutorCalls = {
      async call(method, request, options) {
        const response = await host.call(method, request, options);
        seen.push(request, response);
        return response;
      },
    };
    const calls = inMemoryCalls(spy);
    const request = create(ExecutorGroup.method.getExecutor.input);
    const response = await calls.call('getExecutor', request, { timeoutMs: 1000 });
    expect(seen).toEqual([request, response]);
    expect(seen[0]).not.toBe(request);
    expect(seen[1]).not.toBe(response);
  });

  it('refuse messages that are too long, either way, and go on', async () => {
    const peer = await Peer.of(inMemoryCalls(host, { maxMessageBytes: 1000 }));
    await expect(peer.data(bytes(1000), uint8(1000))).rejects.toEqual(failed('resource_exhausted'));
    const half = await peer.data(bytes(700), uint8(700));
    const both = await peer.struct(half, half);
    await expect(peer.compute(both)).rejects.toEqual(failed('resource_exhausted'));
    expect(await peer.compute(half)).toBeDefined();
    expect(host.usage.values).toBe(2);
  });

  it('refuse what is not served', async () => {
    const calls = inMemoryCalls(host);
    await expect(
      calls.call('constructor' as never, {} as never, { timeoutMs: 1000 }),
    ).rejects.toEqual(failed('unimplemented'));
  });

  it.each<[string, Fault, Crossing['way'], number]>([
    ['a request that is lost', 'drop', 'request', 0],
    ['a request that breaks off', 'unavailable', 'request', 0],
    // The caller gives up, and the other side hears of it.
    ['an answer that is lost', 'drop', 'response', 0],
    // The connection is gone, and nobody can tell the other side.
    ['an answer that breaks off', 'unavailable', 'response', 1],
  ])('%s fails, and leaves what it must', async (_what, fault, way, left) => {
    const peer = await Peer.of(
      inMemoryCalls(host, {
        fault: (crossing) =>
          crossing.method === 'createValue' && crossing.way === way ? fault : undefined,
      }),
    );
    const code = fault === 'drop' ? 'deadline_exceeded' : 'unavailable';
    await expect(peer.data(int(1), INT, { timeoutMs: 20 })).rejects.toEqual(failed(code));
    await settled();
    expect(host.usage.values).toBe(left);
  });

  it('tell a fault of each message', async () => {
    const crossings: Crossing[] = [];
    const peer = await Peer.of(
      inMemoryCalls(host, {
        fault: (crossing) => {
          crossings.push(crossing);
          return undefined;
        },
      }),
    );
    await peer.data(int(1), INT);
    expect(crossings.map(({ method, way, call }) => `${call} ${method} ${way}`)).toEqual([
      '1 getExecutor request',
      '1 getExecutor response',
      '2 createValue request',
      '2 createValue response',
    ]);
    // A request without cardinalities is empty.
    expect(crossings.map((crossing) => crossing.bytes > 0)).toEqual([false, true, true, true]);
  });

  it('take their time, and no longer than that of the call', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const calls = inMemoryCalls(host, { delayMs: 100 });
      const log: string[] = [];
      const asking = ask(calls, 'getExecutor', {}, { timeoutMs: 1000 }).then(() =>
        log.push('done'),
      );
      await vi.advanceTimersByTimeAsync(199);
      expect(log).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      await asking;
      const hurried = ask(calls, 'getExecutor', {}, { timeoutMs: 150 });
      const expected = expect(hurried).rejects.toEqual(failed('deadline_exceeded'));
      await vi.advanceTimersByTimeAsync(150);
      await expected;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('bring a cancellation to the other side', async () => {
    const manual = new ManualExecutor(INT, int(1));
    const slow = new ExecutorHost({ makeExecutor: async () => manual });
    const peer = await Peer.of(inMemoryCalls(slow));
    const controller = new AbortController();
    const making = peer.data(int(1), INT, { signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(making).rejects.toThrow('enough');
    expect(manual.making[0]?.signal?.aborted).toBe(true);
    await slow.close();
  });
});

describe('messages as bytes', () => {
  const limits = { maxBytes: 100 };

  it('are refused if they are too many, too deep, or no message', () => {
    const schema = 'createValue';
    expect(() => decodeRequest(schema, new Uint8Array(101), limits)).toThrow(
      failed('resource_exhausted'),
    );
    expect(() => decodeRequest(schema, Uint8Array.of(0xff), limits)).toThrow(
      failed('invalid_argument'),
    );
    expect(() => decodeResponse('compute', Uint8Array.of(0xff), limits)).toThrow(
      failed('internal'),
    );
    // A value in a struct in a value, and so on: field 1 of a request, 3 of a value, 1 and 2 within.
    let nested = new Uint8Array();
    for (let level = 0; level < 20; level++) {
      for (const tag of [0x12, 0x0a, 0x1a]) {
        nested = Uint8Array.of(tag, nested.length, ...nested);
      }
    }
    const request = Uint8Array.of(0x0a, nested.length, ...nested);
    const roomy = { maxBytes: 1000 };
    expect(decodeRequest(schema, request, roomy).value?.value.case).toBe('struct');
    expect(() => decodeRequest(schema, request, { ...roomy, maxDepth: 30 })).toThrow(
      failed('invalid_argument'),
    );
  });

  it('drop fields that are not known', () => {
    const known = encodeRequest('getExecutor', create(ExecutorGroup.method.getExecutor.input));
    const request = decodeRequest('getExecutor', Uint8Array.of(...known, 0x78, 1), limits);
    expect(request.$unknown).toBeUndefined();
    const response = create(ExecutorGroup.method.getExecutor.output, { executor: { id: 'x' } });
    expect(decodeResponse('getExecutor', encodeResponse('getExecutor', response), limits)).toEqual(
      response,
    );
  });
});

it('executors in other processes are used in browsers too', () => {
  const room = new URL('../../../executors/remote/', import.meta.url);
  for (const file of readdirSync(room, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = readFileSync(new URL(file, room), 'utf8');
    const isFree = !/from 'node:|\bBuffer\b|\bprocess\.[a-z]/.test(source);
    expect({ file, isFree }).toEqual({ file, isFree: true });
  }
});
