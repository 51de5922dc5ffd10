/**
 * @file A server that lies to a client of a stack, and clients that lie to the server: who is lied to
 * refuses by its own policy, the sum goes on without it, and no secret shows anywhere. The lies
 * themselves are all in test/protocols/secagg; here are some, through operators and executors.
 */

import { inspect } from 'node:util';
import { secAgg, simulatedIdentities } from 'fedloom';
import {
  advertisementCodec,
  announcementCodec,
  Bitmap,
  confirmationsCodec,
  dealtSharesCodec,
  isFault,
  type MessageCodec,
  maskedVectorsCodec,
  neighbourhoodCodec,
  revealedSharesCodec,
  type SecAggAgreement,
  sharedSecretsCodec,
  sumVector,
  survivorSetCodec,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { structOf } from '../../../computations/types/index.ts';
import { BYTES } from '../../../executors/secure/participant.ts';
import { secAggState } from '../../../executors/secure/secagg/operators.ts';
import type { Meddling } from './meddling.ts';
import { failureOf, partyOf, printed } from './parties.ts';
import { observed, SHAPES, summary, sumOn, sumWithout } from './secagg-stack.ts';

const VICTIM = 'clients/2';

interface Lie {
  readonly what: string;
  readonly stage: string;
  /** By which code it is refused, by the client or by the server that hears its answer. */
  readonly reason: string;
  /** The same where everyone is told it. @default reason */
  readonly reasonOfAll?: string;
  readonly change: (bytes: Uint8Array) => Uint8Array;
}

/** A message of one kind is changed; others go through. */
function lie<M extends object>(codec: MessageCodec<M>, change: (message: M) => M): Lie['change'] {
  return (bytes) => {
    const message = codec.decode(bytes);
    if ('code' in message && isFault(message as { readonly kind: string })) return bytes;
    return codec.encode(change(message as M));
  };
}

const announced = (
  change: (agreement: SecAggAgreement) => Partial<SecAggAgreement>,
): Lie['change'] =>
  lie(announcementCodec, (message) => ({
    ...message,
    agreement: { ...message.agreement, ...change(message.agreement) },
  }));

const flip = (bytes: Uint8Array): Uint8Array => bytes.with(0, bytes[0]! ^ 1);

const LIES: readonly Lie[] = [
  {
    what: 'a low threshold',
    stage: 'advertise',
    reason: 'insecure-parameters',
    change: announced(() => ({ threshold: 2 })),
  },
  {
    what: 'a model in which it is believed',
    stage: 'advertise',
    reason: 'model-refused',
    change: announced(() => ({
      model: 'semi-honest',
      rosterHash: new Uint8Array(0),
      cohort: new Bitmap(0),
    })),
  },
  {
    what: 'another roster',
    stage: 'advertise',
    reason: 'unknown-roster',
    change: announced(({ rosterHash }) => ({ rosterHash: flip(rosterHash) })),
  },
  {
    what: 'a cohort of two',
    stage: 'advertise',
    reason: 'cohort-too-small',
    change: announced(() => ({
      clients: 2,
      neighbours: 1,
      threshold: 2,
      cohort: Bitmap.of(5, [0, 2]),
      vectors: [sumVector('0', 1, 10_000n, 2)],
    })),
  },
  {
    what: 'a modulus that overflows',
    stage: 'advertise',
    reason: 'modulus-too-small',
    change: announced(() => ({
      vectors: [{ kind: 'sum', id: '0', length: 1, maximum: 10_000n, modulus: 40_000n }],
    })),
  },
  {
    what: 'another vector',
    stage: 'advertise',
    reason: 'bad-signature',
    change: announced(() => ({ vectors: [sumVector('0', 2, 10_000n, 5)] })),
  },
  {
    what: 'another round',
    stage: 'advertise',
    reason: 'wrong-session',
    change: announced(() => ({ round: 1 })),
  },
  {
    what: 'keys of its own',
    stage: 'share-keys',
    reason: 'bad-signature',
    change: lie(neighbourhoodCodec, (message) => ({
      ...message,
      entries: message.entries.map((entry) => ({ ...entry, maskKey: flip(entry.maskKey) })),
    })),
  },
  {
    what: 'few neighbours',
    stage: 'share-keys',
    reason: 'too-few-clients',
    change: lie(neighbourhoodCodec, (message) => ({
      ...message,
      entries: message.entries.slice(0, 2),
    })),
  },
  {
    what: 'few that shared',
    stage: 'mask-vectors',
    reason: 'too-few-clients',
    change: lie(dealtSharesCodec, (message) => ({
      ...message,
      present: Bitmap.of(4, [0]),
      shares: message.shares.slice(0, 1),
    })),
  },
  {
    what: 'few survivors',
    stage: 'confirm-survivors',
    reason: 'too-few-survivors',
    change: lie(survivorSetCodec, (message) => ({ ...message, alive: Bitmap.of(5, [0, 2]) })),
  },
  {
    what: 'survivors without the client',
    stage: 'confirm-survivors',
    reason: 'self-missing',
    reasonOfAll: 'bad-signature',
    change: lie(survivorSetCodec, (message) => ({ ...message, alive: Bitmap.of(5, [0, 1, 3, 4]) })),
  },
  {
    what: 'other survivors than everyone',
    stage: 'confirm-survivors',
    reason: 'bad-signature',
    change: lie(survivorSetCodec, (message) => ({ ...message, alive: Bitmap.of(5, [0, 1, 2, 3]) })),
  },
  {
    what: 'few confirmations',
    stage: 'unmask',
    reason: 'too-few-confirmations',
    change: lie(confirmationsCodec, (message) => ({
      ...message,
      from: Bitmap.of(5, [0, 1]),
      statements: message.statements.slice(0, 2),
    })),
  },
  {
    what: 'forged confirmations',
    stage: 'unmask',
    reason: 'bad-signature',
    change: lie(confirmationsCodec, (message) => ({
      ...message,
      statements: message.statements.map(flip),
    })),
  },
  {
    what: 'no message at all',
    stage: 'advertise',
    reason: 'malformed-message',
    change: () => new Uint8Array(9),
  },
];

const TITLED = LIES.map((told) => [`${told.what} (${told.reason})`, told] as const);

describe('a server that lies about', () => {
  test.each(TITLED)('%s, to one client, loses it', async (_title, { stage, change }) => {
    const stack = await observed(
      SHAPES.complete,
      (party): Meddling => (party === VICTIM ? { receive: change } : {}),
    );
    const isInSum = stage === 'confirm-survivors' || stage === 'unmask';
    expect(await sumOn(stack)).toBe(sumWithout(5, ...(isInSum ? [] : [2])));
    expect(summary(stack).lost).toEqual([{ client: VICTIM, stage, reason: 'refused' }]);
    expect(JSON.stringify(stack.progress)).not.toMatch(SECRETS);
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });

  test.each(TITLED)('%s, to all, gets nothing', async (_title, told) => {
    const { reason, reasonOfAll = reason, change, stage } = told;
    const stack = await observed(
      SHAPES.complete,
      (party): Meddling => (party.startsWith('clients') ? { receive: change } : {}),
    );
    const error = await failureOf(sumOn(stack));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', stage, offender: undefined });
    expect(error).toMatchObject({ cause: { name: 'ProtocolAbortError', reason: reasonOfAll } });
    expect(`${printed(error)} ${inspect(error, { depth: 9 })}`).not.toMatch(SECRETS);
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });
});

describe('a client that lies about', () => {
  const lying = (client: string, send: Lie['change']) =>
    observed(SHAPES.complete, (party): Meddling => (party === client ? { send } : {}));

  test('what it computed on loses itself, although it is first (D23)', async () => {
    const stack = await lying(
      'clients/0',
      lie(maskedVectorsCodec, (message) => ({
        ...message,
        contextHash: flip(message.contextHash),
      })),
    );
    expect(await sumOn(stack)).toBe(sumWithout(5, 0));
    expect(summary(stack).lost).toEqual([
      { client: 'clients/0', stage: 'mask-vectors', reason: 'refused' },
    ]);
    await stack.stack.close();
  });

  test('its name loses itself, and not the other', async () => {
    const stack = await lying(
      'clients/0',
      lie(advertisementCodec, (message) => ({ ...message, client: 3 })),
    );
    expect(await sumOn(stack)).toBe(sumWithout(5, 0));
    expect(summary(stack).clients).toContain('clients/3');
    await stack.stack.close();
  });

  test('a share that it deals is blamed, and the sum is exact (D18)', async () => {
    const stack = await lying(
      'clients/1',
      lie(sharedSecretsCodec, (message) => ({
        ...message,
        shares: message.shares.map((share, i) =>
          i === 0 ? { ...share, sealed: flip(share.sealed) } : share,
        ),
      })),
    );
    expect(await sumOn(stack)).toBe(sumWithout(5));
    expect(summary(stack).blamed).toMatchObject([{ client: 'clients/1', code: 'disputed-share' }]);
    await stack.stack.close();
  });

  test('a share that it gives back is blamed, and the sum is exact (D18)', async () => {
    const stack = await lying(
      'clients/1',
      lie(revealedSharesCodec, (message) => ({
        ...message,
        shares: message.shares.map((share, i) =>
          i === 0 ? share.with(31, share[31]! ^ 1) : share,
        ),
      })),
    );
    expect(await sumOn(stack)).toBe(sumWithout(5));
    expect(summary(stack).blamed).toMatchObject([
      { client: 'clients/1', code: 'bad-revealed-share' },
    ]);
    await stack.stack.close();
  });

  test('the length of its vector loses itself (D19)', async () => {
    const stack = await lying(
      'clients/1',
      lie(maskedVectorsCodec, (message) => ({
        ...message,
        vectors: [{ modulus: 2n, length: 80_000, packed: new Uint8Array(10_000) }],
      })),
    );
    expect(await sumOn(stack)).toBe(sumWithout(5, 1));
    await stack.stack.close();
  });
});

describe('what a client keeps', () => {
  const identities = simulatedIdentities(new Uint8Array(32).fill(3));
  const roster = identities.roster(Array.from({ length: 5 }, (_, i) => `clients/${i}`));
  const agreement: SecAggAgreement = {
    session: new Uint8Array(32).fill(9),
    round: 0,
    model: 'active',
    graph: 'complete',
    clients: 5,
    neighbours: 4,
    threshold: 4,
    inDegreeLimit: 4,
    rosterHash: roster.hash,
    cohort: Bitmap.of(5, [0, 1, 2, 3, 4]),
    vectors: [sumVector('0', 1, 100n, 5)],
  };
  const step = structOf([secAggState.type, BYTES].map((type) => ({ name: null, type })));
  const begin = async () => {
    const drawn: Uint8Array[] = [];
    const party = await partyOf(secAgg({ identities }), 'clients/0', (n) => {
      const bytes = crypto.getRandomValues(new Uint8Array(n));
      drawn.push(bytes);
      return bytes;
    });
    const bytes = announcementCodec.encode({ kind: 'announcement', client: 0, agreement });
    const [state, sent] = await party.split(await party.call('secagg_advertise', [bytes], step));
    return { party, state: state!, sent: sent!, drawn };
  };

  test('is not shown, in any form', async () => {
    const { state, drawn } = await begin();
    expect(await failureOf(state.compute())).toMatchObject({ code: 'execution.opaque_value' });
    const text = `${inspect(state, { depth: 9, showHidden: true })} ${JSON.stringify(state)}`;
    expect(text).not.toMatch(SECRETS);
    expect(drawn.length).toBeGreaterThan(0);
  });

  test('serves one step, also one that is refused', async () => {
    const { party, state, drawn } = await begin();
    const attempt = () =>
      failureOf(party.call('secagg_share_keys', [state, new Uint8Array(5)], step));
    expect(await attempt()).toMatchObject({ reason: 'malformed-message' });
    expect(await attempt()).toMatchObject({ code: 'execution.linear_reuse' });
    expect(drawn.every(isErased)).toBe(true);
  });

  test('is erased when its handle goes, and when its party closes', async () => {
    const first = await begin();
    expect(first.drawn.some((bytes) => !isErased(bytes))).toBe(true);
    first.state[Symbol.dispose]();
    expect(first.drawn.every(isErased)).toBe(true);

    const second = await begin();
    await second.party.executor.close();
    expect(second.drawn.every(isErased)).toBe(true);
  });
});

function isErased(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Bytes in a notation, as many as a secret has. */
const SECRETS = /[0-9a-f]{64}|(\b\d{1,3},\s*){31}\d|"31":\d/;
