import { describe, expect, it } from 'vitest';
import {
  CardinalityError,
  ContextError,
  ExecutionError,
  FederatedTypeError,
  GraphError,
  PolicyError,
  ProtocolAbortError,
  TRANSPORT_STATUS,
  TransportError,
  type TransportErrorCode,
  UnsupportedAggregationError,
  ValueError,
} from '../../../computations/types/index.ts';
import {
  decodeStatus,
  encodeStatus,
  MAX_STATUS_BYTES,
} from '../../../executors/remote/messages/status-codec.ts';
import {
  type CallStatus,
  errorOf,
  statusOf,
  transportError,
} from '../../../executors/remote/status.ts';

const crossed = (error: unknown): Error => errorOf(decodeStatus(encodeStatus(statusOf(error))));
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe('errors between processes', () => {
  it.each<[Error, number]>([
    [new FederatedTypeError('type.not_assignable', 'm', { expected: 'a', given: 'b' }), 3],
    [new ValueError('value.wrong_type', 'm'), 3],
    [new CardinalityError('cardinality.mismatch', 'm'), 3],
    [new GraphError('graph.decode', 'm'), 3],
    [new GraphError('graph.too_large', 'm'), 8],
    [new ContextError('context.unknown_value', 'm'), 3],
    [new ContextError('context.cancelled', 'm'), 1],
    [new ContextError('context.deadline_exceeded', 'm'), 4],
    [new ExecutionError('execution.sum_overflow', 'm'), 13],
    [new ExecutionError('execution.unsupported_value', 'm'), 12],
    [new ExecutionError('execution.worker_lost', 'm'), 14],
    [new UnsupportedAggregationError('aggregation.plain_blocked', 'm'), 12],
    [new PolicyError('policy.private_value', 'm', { rule: 'r' }), 7],
    [new ProtocolAbortError('protocol.aborted', 'm', { stage: 's', reason: 'r' }), 13],
    ...(Object.entries(TRANSPORT_STATUS) as [TransportErrorCode, number][]).map(
      ([code, status]): [Error, number] => [transportError(code, 'm'), status],
    ),
  ])('%s comes out as what it was', (error, code) => {
    expect(statusOf(error).code).toBe(code);
    const back = crossed(error);
    expect(back.constructor).toBe(error.constructor);
    expect({ ...back, message: back.message }).toEqual({ ...error, message: error.message });
  });

  it('keeps causes, and tells no stack', () => {
    const cause = new ExecutionError('execution.sum_overflow', 'inner');
    const error = new ExecutionError('execution.client_failed', 'outer', { cause });
    expect(crossed(error).cause).toMatchObject({ code: 'execution.sum_overflow' });
    expect(JSON.stringify(statusOf(error))).not.toContain('status.test');
  });

  it('what is closed there is gone here', () => {
    const back = crossed(new ContextError('context.closed', 'The executor is closed.'));
    expect(back).toBeInstanceOf(TransportError);
    expect(back).toMatchObject({
      code: 'transport.failed_precondition',
      cause: { code: 'context.closed' },
    });
  });

  it('takes what is none of ours for a failure of the call', () => {
    expect(crossed(new RangeError('wide'))).toMatchObject({
      name: 'TransportError',
      code: 'transport.unknown',
      cause: { message: 'wide' },
    });
    expect(crossed('text')).toMatchObject({ code: 'transport.unknown' });
    expect(errorOf({ code: 14, message: 'down' })).toMatchObject({
      code: 'transport.unavailable',
      status: 14,
    });
    expect(errorOf({ code: 11, message: 'm' })).toMatchObject({ code: 'transport.unknown' });
  });

  it.each<[string, CallStatus['error']]>([
    ['a name with symbols', { name: '<script>', message: 'm', code: 'type.invalid' }],
    ['a code with symbols', { name: 'ValueError', message: 'm', code: '__proto__' }],
    ['a status that there is not', { name: 'TransportError', message: 'm', code: 'transport.x' }],
    [
      'such a cause',
      {
        name: 'ValueError',
        message: 'm',
        code: 'value.wrong_type',
        cause: { name: 'TransportError', message: 'm', code: 'transport.x' },
      },
    ],
  ])('takes an error with %s for a failure of the call', (_what, error) => {
    const back = errorOf({ code: 13, message: 'm', ...(error !== undefined && { error }) });
    expect(back).toMatchObject({ name: 'TransportError', code: 'transport.internal', status: 13 });
  });
});

describe('the bytes of a status', () => {
  const unreadable = { code: 2, message: expect.stringContaining('not known') };

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['no JSON', Uint8Array.of(0xff, 0xfe)],
    ['null', bytes(null)],
    ['a list', bytes([1])],
    ['no code', bytes({ message: 'm' })],
    ['code 0, which is success', bytes({ code: 0, message: 'm' })],
    ['a code that is no number', bytes({ code: '5', message: 'm' })],
    ['a message that is no text', bytes({ code: 5, message: {} })],
    ['too many bytes', new Uint8Array(MAX_STATUS_BYTES + 1).fill(0x20)],
  ])('are read as an unknown failure if they are %s', (_what, given) => {
    expect(decodeStatus(given)).toEqual(unreadable);
  });

  it('are few, however much there is to tell', () => {
    let error = new Error('x'.repeat(100_000));
    for (let i = 0; i < 100; i++) error = new Error('y'.repeat(10_000), { cause: error });
    const encoded = encodeStatus(statusOf(error));
    expect(encoded.length).toBeLessThanOrEqual(MAX_STATUS_BYTES);
    expect(decodeStatus(encoded)).toMatchObject({ code: 2 });
  });

  it('cut what is too long for a header, and say so', () => {
    const error = new ExecutionError('execution.sum_overflow', 'x'.repeat(10_000));
    const status = decodeStatus(encodeStatus(statusOf(error)));
    expect(status.message).toMatch(/^\[execution.sum_overflow\] x{3900,4000} \[cut\]$/);
    expect(errorOf(status)).toMatchObject({ code: 'execution.sum_overflow' });
  });

  it('drop what has no place in an error, however deep', () => {
    let cause: object = { name: 'Error', message: 'deepest' };
    for (let i = 0; i < 50; i++) cause = { name: 'Error', message: `${i}`, cause };
    const { error } = decodeStatus(
      bytes({
        code: 5,
        message: 'm',
        error: {
          name: 'Error',
          message: 'm',
          stack: 'at peer',
          code: 7,
          details: { a: 1, b: 'c' },
          cause,
        },
      }),
    );
    expect(error).toMatchObject({ name: 'Error', details: { b: 'c' } });
    expect(JSON.stringify(error)).not.toMatch(/at peer|deepest|"a"/);
  });
});
