import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExecutionError, PolicyError, ValueError } from '../../../computations/types/index.ts';
import {
  ComputeRequestSchema,
  ComputeResponseSchema,
  CreateValueRequestSchema,
  GetExecutorRequestSchema,
  GetExecutorResponseSchema,
} from '../../../computations/wire/index.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { getExecutorRequest, Opened, oneExecutor, SERVICE, scriptedCalls } from './fixture.ts';

let opened: Opened;

beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

const LIMIT = { timeoutMs: 20_000 };
const request = getExecutorRequest(3);

describe('the bytes of the service', () => {
  // GetExecutorRequest { cardinalities = 1 { placement = 1 { uri = 1 }, cardinality = 2 } }
  const GET_EXECUTOR = '0a0d0a090a07636c69656e74731003';

  it('are those of TensorFlow Federated, written and read', async () => {
    expect(Buffer.from(toBinary(GetExecutorRequestSchema, request)).toString('hex')).toBe(
      GET_EXECUTOR,
    );
    const host = oneExecutor('clients=3/x/1');
    const { address } = await opened.serve({ host });
    const bytes = Buffer.from(GET_EXECUTOR, 'hex');
    const response = await opened.raw(address).unary(`${SERVICE}/GetExecutor`, bytes);
    // GetExecutorResponse { executor = 1 { id = 1 } }
    expect(response.toString('latin1')).toBe('\x0a\x0f\x0a\x0dclients=3/x/1');
    expect(host.seen[0]).toMatchObject({ method: 'getExecutor', request });
  });

  it('may be no message: INVALID_ARGUMENT, and the service lives', async () => {
    const { address } = await opened.serve({ host: oneExecutor() });
    const raw = opened.raw(address);
    const junk = Buffer.from('0affffffff0f', 'hex');
    await expect(raw.unary(`${SERVICE}/GetExecutor`, junk)).rejects.toMatchObject({ code: 3 });
    const nested = Buffer.alloc(3 * 65_536, Buffer.from('1affff0f', 'hex'));
    await expect(raw.unary(`${SERVICE}/CreateValue`, nested)).rejects.toMatchObject({ code: 3 });
    await expect(opened.calls(address).call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });

  it('may be for a method that is not there: UNIMPLEMENTED', async () => {
    const { address } = await opened.serve({ host: oneExecutor() });
    const raw = opened.raw(address);
    for (const path of [`${SERVICE}/constructor`, '/fedloom.v1.ExecutorLinkService/Open']) {
      await expect(raw.unary(path, Buffer.alloc(0))).rejects.toMatchObject({ code: 12 });
    }
  });
});

describe('failures', () => {
  async function failWith(error: unknown): Promise<unknown> {
    const host = scriptedCalls(() => Promise.reject(error));
    const { address } = await opened.serve({ host });
    return opened
      .calls(address)
      .call('getExecutor', request, LIMIT)
      .catch((thrown: unknown) => thrown);
  }

  it('come out as the errors that they were', async () => {
    const policy = await failWith(
      new PolicyError('policy.release_refused', 'Too few.', { rule: 'smallest-cohort' }),
    );
    expect(policy).toBeInstanceOf(PolicyError);
    expect(policy).toMatchObject({ code: 'policy.release_refused', rule: 'smallest-cohort' });

    const cause = new ValueError('value.wrong_shape', 'A shape.');
    const failed = await failWith(
      new ExecutionError('execution.client_failed', 'It failed.', { cause }),
    );
    expect(failed).toBeInstanceOf(ExecutionError);
    expect(failed).toMatchObject({ message: '[execution.client_failed] It failed.' });
    expect((failed as Error).cause).toMatchObject({ code: 'value.wrong_shape' });
  });

  it('have the status that any gRPC peer understands', async () => {
    const host = scriptedCalls(({ method }) =>
      Promise.reject(
        method === 'compute'
          ? transportError('transport.not_found', 'No value 7.')
          : new PolicyError('policy.release_refused', 'Refused.', { rule: 'any' }),
      ),
    );
    const { address } = await opened.serve({ host });
    const raw = opened.raw(address);
    await expect(raw.unary(`${SERVICE}/Compute`, Buffer.alloc(0))).rejects.toMatchObject({
      code: 5,
      details: '[transport.not_found] No value 7.',
    });
    await expect(raw.unary(`${SERVICE}/GetExecutor`, Buffer.alloc(0))).rejects.toMatchObject({
      code: 7,
    });
  });

  it('of others are TransportErrors that name the call and the peer', async () => {
    const raw = await opened.serve({ links: () => {} });
    const error = await opened
      .calls(raw.address)
      .call('getExecutor', request, LIMIT)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'transport.unimplemented',
      status: 12,
      message: expect.stringContaining(`getExecutor at ${raw.address}`),
    });
  });

  it.each([
    ['half a surrogate pair', `a\ud800b`],
    ['line breaks and percents', 'a\r\n100% \0 b'],
    ['a megabyte', 'x'.repeat(2 ** 20)],
    ['letters of all lands', 'ß語🦄'.repeat(400)],
  ])('with %s in the message arrive', async (_, text) => {
    await expect(failWith(transportError('transport.not_found', text))).resolves.toMatchObject({
      code: 'transport.not_found',
    });
  });

  it('of any kind and depth arrive', async () => {
    let deep = new Error('the innermost');
    for (let i = 0; i < 100; i++) deep = new Error(`${'y'.repeat(900)}${i}`, { cause: deep });
    expect(await failWith(deep)).toMatchObject({ code: 'transport.unknown' });
    expect(await failWith('a string')).toMatchObject({ code: 'transport.unknown' });
    expect(await failWith(undefined)).toMatchObject({ code: 'transport.unknown' });
  });
});

describe('limits of size', () => {
  const big = create(CreateValueRequestSchema, {
    executor: { id: 'x'.repeat(16 * 2 ** 20) },
  });

  it('16 MiB for a service that takes 4 MiB is RESOURCE_EXHAUSTED, and it lives', async () => {
    const host = oneExecutor();
    const { address } = await opened.serve({ host, limits: { maxMessageBytes: 4 * 2 ** 20 } });
    const calls = opened.calls(address);
    await expect(calls.call('createValue', big, LIMIT)).rejects.toMatchObject({
      code: 'transport.resource_exhausted',
    });
    expect(host.seen).toEqual([]);
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });

  it('what a caller would not take is not sent, and too long a response is not read', async () => {
    const host = scriptedCalls(async ({ method }) =>
      method === 'compute'
        ? create(ComputeResponseSchema, {
            value: {
              value: {
                case: 'struct',
                value: { element: [{ name: 'x'.repeat(6 * 2 ** 20) }] },
              },
            },
          })
        : create(GetExecutorResponseSchema),
    );
    const { address } = await opened.serve({ host });
    const calls = opened.calls(address, { maxMessageBytes: 4 * 2 ** 20 });
    const exhausted = { code: 'transport.resource_exhausted' };
    await expect(calls.call('createValue', big, LIMIT)).rejects.toMatchObject(exhausted);
    expect(host.seen).toEqual([]);
    const compute = create(ComputeRequestSchema, {});
    await expect(calls.call('compute', compute, LIMIT)).rejects.toMatchObject(exhausted);
    // And one that is too long for the service itself.
    const strict = await opened.serve({ host, limits: { maxMessageBytes: 2 ** 20 } });
    const all = opened.calls(strict.address);
    await expect(all.call('compute', compute, LIMIT)).rejects.toMatchObject(exhausted);
    await expect(all.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });
});

describe('deadlines and cancellation', () => {
  it('end the work at the service', async () => {
    const host = scriptedCalls(() => null);
    const { address } = await opened.serve({ host });
    const calls = opened.calls(address);
    await expect(calls.call('getExecutor', request, { timeoutMs: 150 })).rejects.toMatchObject({
      code: 'transport.deadline_exceeded',
    });
    const stopping = new AbortController();
    const running = calls.call('getExecutor', request, { ...LIMIT, signal: stopping.signal });
    await vi.waitFor(() => expect(host.seen.length).toBe(2));
    stopping.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    for (const { signal } of host.seen) {
      await vi.waitFor(() => expect(signal?.aborted).toBe(true));
    }
  });

  it('are stated to the service, within what it allows', async () => {
    const host = oneExecutor();
    const limits = { defaultCallMs: 4_000, maxCallMs: 9_000 };
    const { address } = await opened.serve({ host, limits });
    const raw = opened.raw(address);
    await raw.unary(`${SERVICE}/GetExecutor`, Buffer.alloc(0));
    await raw.unary(`${SERVICE}/GetExecutor`, Buffer.alloc(0), { deadline: Date.now() + 5_000 });
    await raw.unary(`${SERVICE}/GetExecutor`, Buffer.alloc(0), {
      deadline: Date.now() + 3_600_000,
    });
    const [without, short, long] = host.seen.map(({ timeoutMs }) => timeoutMs);
    expect(without).toBe(4_000);
    expect(short).toBeGreaterThan(0);
    expect(short).toBeLessThanOrEqual(5_001);
    expect(long).toBe(9_000);
  });

  it('that are over before the call are not sent', async () => {
    const host = oneExecutor();
    const { address } = await opened.serve({ host });
    const signal = AbortSignal.abort(new Error('before'));
    const calls = opened.calls(address);
    await expect(calls.call('getExecutor', request, { ...LIMIT, signal })).rejects.toThrow(
      'before',
    );
    expect(host.seen).toEqual([]);
  });

  it('takes back what was made for a caller that went away', async () => {
    let finish: () => void = () => {};
    const host = scriptedCalls(({ method }) =>
      method === 'getExecutor'
        ? new Promise((resolve) => {
            finish = () => resolve(create(GetExecutorResponseSchema, { executor: { id: 'e' } }));
          })
        : Promise.resolve(create(ComputeResponseSchema)),
    );
    const { address } = await opened.serve({ host });
    const stopping = new AbortController();
    const options = { ...LIMIT, signal: stopping.signal };
    const running = opened.calls(address).call('getExecutor', request, options);
    await vi.waitFor(() => expect(host.seen.length).toBe(1));
    stopping.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await vi.waitFor(() => expect(host.seen[0]?.signal?.aborted).toBe(true));
    finish();
    await vi.waitFor(() =>
      expect(host.seen[1]).toMatchObject({
        method: 'disposeExecutor',
        request: { executor: { id: 'e' } },
      }),
    );
  });
});
