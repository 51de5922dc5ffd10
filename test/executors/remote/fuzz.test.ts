import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lambda, reference } from '../../../computations/building-blocks.ts';
import { FedloomError, struct, toMaterialized } from '../../../computations/types/index.ts';
import {
  blockToValueMessage,
  ExecutorGroup,
  toValueMessage,
} from '../../../computations/wire/index.ts';
import type { ExecutorMethod } from '../../../executors/remote/calls.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { decodeRequest, encodeRequest } from '../../../executors/remote/messages/message-codec.ts';
import { decodeStatus, encodeStatus } from '../../../executors/remote/messages/status-codec.ts';
import { statusOf } from '../../../executors/remote/status.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { dataType, placedDataType, plainDataOf } from '../../arbitraries/types.ts';
import { addConstant, INT, int } from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';
import { Peer, settled } from './requests.helpers.ts';

const unhandled: unknown[] = [];
const remember = (reason: unknown): void => void unhandled.push(reason);
let backend: TrackedBackend;
beforeAll(async () => {
  backend = await trackedBackend();
  process.on('unhandledRejection', remember);
});
afterAll(() => void process.off('unhandledRejection', remember));

const data = fc
  .oneof(dataType, placedDataType)
  .chain((type) =>
    plainDataOf(type).map((plain) => toValueMessage(toMaterialized(plain, type, 'x'), type)),
  );
const id = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 12 }).map(String), weight: 8 },
  { arbitrary: fc.string(), weight: 1 },
);
const ref = id.map((each) => ({ id: each }));
const executor = fc.constantFrom('ours', 'ours', 'ours', 'ours', 'other', '');
const block = fc.constantFrom(
  addConstant(1),
  lambda('x', INT, reference('x', INT)),
  lambda('x', struct([INT, INT]), reference('x', struct([INT, INT]))),
  lambda('x', INT, reference('y', INT)),
);

/** Requests that a service could get, with `executor: { id: 'ours' }` for the one that there is. */
const request: fc.Arbitrary<{ method: ExecutorMethod; fields: Record<string, unknown> }> = fc.oneof(
  fc.record({
    method: fc.constant('createValue' as const),
    fields: fc.record({ value: fc.oneof(data, block.map(blockToValueMessage)), executor }),
  }),
  fc.record({
    method: fc.constant('createCall' as const),
    fields: fc.record({ functionRef: ref, argumentRef: fc.option(ref), executor }),
  }),
  fc.record({
    method: fc.constant('createStruct' as const),
    fields: fc.record({
      element: fc.array(fc.record({ name: fc.constantFrom('', 'a', '?'), valueRef: ref }), {
        maxLength: 3,
      }),
      executor,
    }),
  }),
  fc.record({
    method: fc.constant('createSelection' as const),
    fields: fc.record({ sourceRef: ref, index: fc.integer({ min: -2, max: 3 }), executor }),
  }),
  fc.record({
    method: fc.constant('compute' as const),
    fields: fc.record({ valueRef: ref, executor }),
  }),
  fc.record({
    method: fc.constant('dispose' as const),
    fields: fc.record({ valueRef: fc.array(ref), executor }),
  }),
);

const damage = fc.record({
  flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 }),
  end: fc.option(fc.nat(), { freq: 6 }),
});

it.each(['when-made', 'at-once'] as const)(
  'a service answers or refuses whatever it is asked, and holds nothing in the end (%s)',
  async (answers) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(request, fc.option(damage, { freq: 2 })), { maxLength: 20 }),
        async (requests) => {
          const host = new ExecutorHost({
            makeExecutor: async () => leafExecutor(backend),
            answers,
          });
          const calls = host.connect();
          const peer = await Peer.of(calls);
          await Promise.all(
            requests.map(async ([{ method, fields }, damaged]) => {
              const addressed = {
                ...fields,
                executor: fields.executor === 'ours' ? peer.executor : { id: fields.executor },
              };
              try {
                const message = create(ExecutorGroup.method[method].input, addressed as never);
                const bytes = Uint8Array.from(encodeRequest(method, message as never));
                for (const [at, mask] of damaged?.flips ?? []) {
                  if (bytes.length > 0) (bytes[at % bytes.length] as number) ^= mask;
                }
                const end = damaged?.end ?? null;
                const received = bytes.subarray(
                  0,
                  end === null ? bytes.length : end % (bytes.length + 1),
                );
                const decoded = decodeRequest(method, received, { maxBytes: 100_000 });
                await calls.call(method, decoded, { timeoutMs: 10_000 });
              } catch (error) {
                // Every refusal has a name, and reads as the same one after its journey.
                if (!(error instanceof FedloomError)) throw error;
                const status = statusOf(error);
                expect(decodeStatus(encodeStatus(status)).code).toBe(status.code);
              }
            }),
          );
          expect(await peer.compute(await peer.data(int(1), INT))).toBeDefined();
          await calls.close();
          await settled();
          expect({ ...host.usage, live: backend.live() }).toEqual({
            executors: 0,
            values: 0,
            live: 0,
          });
        },
      ),
      { numRuns: 150 },
    );
    expect(unhandled).toEqual([]);
  },
);
