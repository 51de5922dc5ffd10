/** @file Spans of calls between processes: of the envelope, and of the service of gRPC. */

import { Metadata } from '@grpc/grpc-js';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { getExecutorRequest, Opened, oneExecutor } from '../grpc/fixture.ts';
import { connected, select } from '../remote/envelope.helpers.ts';
import { RecordedSpans } from './recorded-spans.ts';

const SERVICE = 'tensorflow_federated.v0.ExecutorGroup';
const SELECT = `${SERVICE}/CreateSelection`;
const FOREIGN = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let spans: RecordedSpans;
beforeEach(() => {
  spans = new RecordedSpans();
});
afterEach(() => spans[Symbol.dispose]());

describe('through the envelope', () => {
  test('the span at the client is a part of the call, whose client it names', async () => {
    const { remote, close } = await connected();
    await select(remote, 7);
    await close();
    const [call] = spans.ofKind(SpanKind.CLIENT);
    const [served] = spans.ofKind(SpanKind.SERVER);
    expect(call).toMatchObject({ name: SELECT, status: { code: SpanStatusCode.UNSET } });
    expect(call?.attributes).toEqual({
      'rpc.system': 'fedloom',
      'rpc.service': SERVICE,
      'rpc.method': 'CreateSelection',
      'fedloom.client': 'ada',
    });
    expect(served?.name).toBe(SELECT);
    expect(served?.parentSpanContext).toEqual({ ...call?.spanContext(), isRemote: true });
  });

  test('a coordinator may keep its traces to itself', async () => {
    const { remote, close } = await connected({ coordinator: { traceparent: () => undefined } });
    await select(remote, 7);
    await close();
    const [served] = spans.ofKind(SpanKind.SERVER);
    expect(served?.parentSpanContext).toBeUndefined();
    expect(served?.spanContext().traceId).not.toBe(
      spans.ofKind(SpanKind.CLIENT)[0]?.spanContext().traceId,
    );
  });

  test.each([
    ['a word', 'junk'],
    ['one with more after it', `${FOREIGN}-more`],
    ['one of a forbidden version', FOREIGN.replace('00-', 'ff-')],
    ['a very long text', 'x'.repeat(5_000)],
  ])('%s is no traceparent, and not believed', async (_, hostile) => {
    const { remote, close } = await connected({ coordinator: { traceparent: () => hostile } });
    expect(await select(remote, 7)).toBe(7);
    await close();
    expect(spans.ofKind(SpanKind.SERVER)[0]?.parentSpanContext).toBeUndefined();
    expect(spans.text).not.toContain(hostile.slice(0, 20));
  });

  test('a failure is in both spans, by its kind and without what it says', async () => {
    const { remote, echo, close } = await connected();
    echo.fails = new RangeError('the patient of bed 7 has 41.3 degrees');
    await expect(select(remote, 7)).rejects.toThrow();
    await close();
    for (const kind of [SpanKind.CLIENT, SpanKind.SERVER]) {
      expect(spans.ofKind(kind)[0]?.status).toEqual({ code: SpanStatusCode.ERROR });
    }
    expect(spans.ofKind(SpanKind.SERVER)[0]?.attributes['error.type']).toBe('RangeError');
    expect(spans.text).not.toContain('41.3');
  });

  test('what a program puts around its calls is within the span', async () => {
    const seen: (string | undefined)[] = [];
    const { remote, close } = await connected({
      client: {
        around: ({ method }, work) => {
          seen.push(method);
          return work();
        },
      },
    });
    await select(remote, 7);
    await close();
    expect(seen).toEqual(['createSelection']);
    expect(spans.ofKind(SpanKind.SERVER)).toHaveLength(1);
  });
});

describe('through the service of gRPC', () => {
  let opened: Opened;
  beforeEach(() => {
    opened = new Opened();
  });
  afterEach(() => opened.close());

  test('the span at the worker is a part of the call', async () => {
    const { address } = await opened.serve({ host: oneExecutor() });
    const calls = opened.calls(address);
    await calls.call('getExecutor', getExecutorRequest(3), { timeoutMs: 20_000 });
    const [call] = spans.ofKind(SpanKind.CLIENT);
    const [served] = spans.ofKind(SpanKind.SERVER);
    expect(call?.attributes).toMatchObject({ 'rpc.system': 'grpc', 'fedloom.worker': address });
    expect(served?.parentSpanContext).toEqual({ ...call?.spanContext(), isRemote: true });
  });

  test.each([
    ['a word', 'junk'],
    ['two in one', `${FOREIGN},${FOREIGN}`],
  ])('%s is no traceparent, and not believed', async (_, hostile) => {
    const { address } = await opened.serve({ host: oneExecutor() });
    const metadata = new Metadata();
    metadata.set('traceparent', hostile);
    await new Promise((resolve, reject) => {
      const same = (bytes: Buffer): Buffer => bytes;
      opened
        .raw(address)
        .makeUnaryRequest(
          `/${SERVICE}/GetExecutor`,
          same,
          same,
          Buffer.alloc(0),
          metadata,
          (error, response) => (error === null ? resolve(response) : reject(error)),
        );
    });
    const [served] = spans.ofKind(SpanKind.SERVER);
    expect(served?.name).toBe(`${SERVICE}/GetExecutor`);
    expect(served?.parentSpanContext).toBeUndefined();
  });
});

test('without an SDK nothing is recorded, and nothing travels', async () => {
  spans[Symbol.dispose]();
  const heard: string[] = [];
  const { remote, close } = await connected({
    client: {
      around: ({ traceparent }, work) => {
        heard.push(traceparent);
        return work();
      },
    },
  });
  await select(remote, 7);
  await close();
  expect(heard).toEqual(['']);
  expect(spans.all).toEqual([]);
});
