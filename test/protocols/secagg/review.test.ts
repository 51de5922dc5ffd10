/**
 * @file Attacks that a reading of the protocol found, and some that it found to fail.
 */

import { secAggProtocol, TensorValue } from 'fedloom';
import {
  Bitmap,
  type ClientMessage,
  createIdentityRoster,
  deterministicRng,
  ed25519PublicKey,
  type Fault,
  hkdfSha256,
  isFault,
  type MessageCodec,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggServerStage,
  type ServerMessage,
  startSecAggClient,
  sumVector,
  utf8,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { SecAggRound } from '../../../executors/index.ts';
import type { Operator, OperatorStruct, OperatorValue } from '../../../executors/leaf/operator.ts';
import type { SecAggPeer } from '../../../executors/secure/secagg/round.ts';
import { pairChannel, shareCommitment } from '../../../protocols/secagg/statements.ts';
import { ByteReader } from '../../../protocols/wire/byte-reader.ts';
import { ByteWriter } from '../../../protocols/wire/byte-writer.ts';
import { rosterIdentities } from '../../../runtime/identities/roster-identities.ts';
import { expectKind } from '../support.ts';
import { type Cohort, clientCodec, clientStep, cohortOf, serverCodec } from './cohort.ts';
import { StagedRound } from './staged.ts';

/** A public-key infrastructure of 100, of whom 5 % may be corrupt. */
const signers = Array.from({ length: 100 }, (_, i) =>
  hkdfSha256(utf8('review'), { info: utf8(`identity ${i}`), length: 32 }),
);
const everyone = createIdentityRoster(
  signers.map((signer, i) => ({ client: `member-${i}`, publicKey: ed25519PublicKey(signer) })),
);

/** Member 0, as it is deployed: the operators of the stack, its own key, the roster of everyone. */
function victim(): ReadonlyMap<string, Operator> {
  const identities = rosterIdentities({
    roster: everyone,
    identities: [{ client: 'member-0', secretKey: signers[0]! } as never],
  });
  const { operators } = secAggProtocol({ identities });
  return new Map(operators.map((operator) => [operator.uri, operator]));
}

const rng = deterministicRng(utf8('review'));

function run(operators: ReadonlyMap<string, Operator>, uri: string, ...args: OperatorValue[]) {
  const argument: OperatorValue = args.length === 1 ? args[0]! : { kind: 'struct', elements: args };
  return operators.get(uri)!.run(argument, {
    type: undefined as never,
    random: rng,
    context: new Uint8Array(0),
  });
}

const bytes = (data: Uint8Array) => new TensorValue('uint8', [data.length], data);

/** What a server announces that names only the first few of the roster as if they were all. */
function prefixRound(count: number, vectors: SecAggAgreement['vectors']) {
  const prefix = createIdentityRoster(
    everyone.members
      .slice(0, count)
      .map(({ publicKey }, i) => ({ client: `clients/${i}`, publicKey })),
  );
  const agreement: SecAggAgreement = {
    session: rng(32),
    round: 0,
    model: 'active',
    graph: 'complete',
    clients: count,
    neighbours: count - 1,
    threshold: Math.floor(count / 2) + 1,
    inDegreeLimit: count - 1,
    rosterHash: prefix.hash,
    cohort: Bitmap.of(
      count,
      Array.from({ length: count }, (_, i) => i),
    ),
    vectors,
  };
  const configs = signers.slice(0, count).map(
    (signingKey, i): SecAggClientConfig => ({
      name: `clients/${i}`,
      signingKey,
      roster: prefix,
      policy: { minimumClients: 1, corruptRate: 0 },
    }),
  );
  const zeros = vectors.map(({ length }) => new Array<number>(length).fill(0));
  const cohort: Cohort = {
    agreement,
    roster: prefix,
    configs,
    inputs: configs.map(() => zeros),
    rng,
  };
  return { agreement, round: new StagedRound(cohort) };
}

const OPERATOR_OF: { readonly [stage in SecAggServerStage]: string } = {
  advertise: 'secagg_advertise',
  'choose-neighbours': 'secagg_choose_neighbours',
  'share-keys': 'secagg_share_keys',
  'mask-vectors': 'secagg_mask_vectors',
  'confirm-survivors': 'secagg_confirm_survivors',
  unmask: 'secagg_unmask_confirmed',
};

/** Plays a round whose client 0 is the operators of a real client, with this value. */
async function against(
  round: StagedRound,
  operators: ReadonlyMap<string, Operator>,
  value: OperatorValue,
) {
  let state: OperatorValue | undefined;
  for (;;) {
    const message = round.messages.get(0) as ServerMessage;
    const sent = bytes(serverCodec(message).encode(message));
    const args = state === undefined ? [sent] : [state, sent];
    if (round.stage === 'mask-vectors') args.push(value);
    const result = await run(operators, OPERATOR_OF[round.stage], ...args);
    let reply = result as TensorValue;
    if (result.kind === 'struct') {
      [state, reply] = (result as OperatorStruct).elements as [OperatorValue, TensorValue];
    }
    const codec = clientCodec({ kind: KIND_OF[round.stage] } as never) as MessageCodec<object>;
    const answer = codec.decode(reply.data as Uint8Array);
    if (isFault(answer as Fault)) throw new Error((answer as Fault).message);
    expectKind(round.deliver(0, answer as never), 'continue');
    round.answerAll([0]);
    if (round.stage === 'unmask') return expectKind(round.end(), 'finish');
    expectKind(round.advance(), 'advance');
  }
}

const KIND_OF: { readonly [stage in SecAggServerStage]: string } = {
  advertise: 'advertisement',
  'choose-neighbours': 'neighbour-choice',
  'share-keys': 'shared-secrets',
  'mask-vectors': 'masked-vectors',
  'confirm-survivors': 'confirmation',
  unmask: 'revealed-shares',
};

describe('F1 the server cuts the roster short, and with it the number of corrupt clients', () => {
  const { agreement } = prefixRound(6, [sumVector('0', 3, 100n, 6)]);

  test('a client of the protocols that is shown the same cohort of its whole roster refuses it', () => {
    const whole = {
      ...agreement,
      rosterHash: everyone.hash,
      cohort: Bitmap.of(100, [0, 1, 2, 3, 4, 5]),
    };
    const outcome = startSecAggClient(
      { kind: 'announcement', client: 0, agreement: whole },
      { name: 'member-0', signingKey: signers[0]!, roster: everyone },
    );
    expect(outcome).toMatchObject({ kind: 'fault', code: 'insecure-parameters' });
  });

  test('so does the same client in a stack, whose default is 5 % of the roster', async () => {
    // Members 1 to 5 of 100 work with the server. It announces a roster of 6.
    const { round } = prefixRound(6, [sumVector('0', 3, 100n, 6)]);
    const secret = Int32Array.of(17, 42, 99);
    // The "sum" would be the victim's vector: all others are the server's.
    await expect(
      against(round, victim(), new TensorValue('int32', [3], secret)),
    ).rejects.toMatchObject({ stage: 'advertise', reason: 'unknown-roster' });
  });
});

describe('F2 a bound that the server chooses', () => {
  test('does not have a client tell where its one-hot value is hot, in one question', async () => {
    const category = 417;
    const oneHot = new Int32Array(1000);
    oneHot[category] = 1;
    const { round } = prefixRound(6, [
      { kind: 'sum', id: '0', length: 1000, maximum: 0n, modulus: 2n },
    ]);
    const error = await against(round, victim(), new TensorValue('int32', [1000], oneHot)).catch(
      (reason: Error) => reason,
    );
    // This error travels to the server.
    expect((error as Error).message).not.toContain(String(category));
  });

  test('is compared with those of the client, where it has its own, before its value', () => {
    const expected = [{ kind: 'sum', length: 3, maximum: 1000n }] as const;
    const bounds = (maximum: bigint | bigint[], changes: object = {}) => {
      const cohort = cohortOf({
        clients: 5,
        agreement: {
          vectors: [{ kind: 'sum', id: 'a', length: 3, maximum, modulus: 2n ** 13n, ...changes }],
        },
      });
      const config = { ...cohort.configs[0]!, vectors: expected };
      return startSecAggClient(
        { kind: 'announcement', client: 0, agreement: cohort.agreement },
        config,
      );
    };
    expect(bounds(1000n).kind).toBe('continue');
    for (const other of [bounds(999n), bounds([1000n, 73n, 1000n]), bounds(1000n, { length: 4 })]) {
      expect(other).toMatchObject({ kind: 'fault', code: 'unexpected-vectors' });
    }
    expect(bounds(0n, { kind: 'modular-sum' })).toMatchObject({ code: 'unexpected-vectors' });
  });

  test('is not answered with the place of the value, nor with its side', () => {
    const cohort = cohortOf({ clients: 5 });
    const [first, ...others] = cohort.inputs;
    for (const input of [[[0, -1, 0]], [[0, 101, 0]]]) {
      const round = new StagedRound({ ...cohort, inputs: [input, ...others] }).to('mask-vectors');
      expect(first).toBeDefined();
      expect(round.step(0)).toMatchObject({
        kind: 'fault',
        code: 'out-of-range',
        message: 'a value of this client is outside of what the sum takes',
      });
    }
  });
});

describe('F3 one liar', () => {
  test('cannot have an honest holder blamed for the wrong share that it dealt and committed to', () => {
    const [LIAR, HOLDER] = [1, 2];
    const round = StagedRound.of('complete').to('share-keys');
    const answer = round.answer(LIAR) as Extract<
      ReturnType<StagedRound['answer']>,
      { kind: 'shared-secrets' }
    >;
    const { partners, transcript } = round.states.get(LIAR)!.peek().content as never as {
      partners: { client: number; keys: never }[];
      transcript: Uint8Array;
    };
    const place = partners.findIndex(({ client }) => client === HOLDER);
    const { keys } = partners[place]!;
    const reader = new ByteReader(
      pairChannel(keys, HOLDER, LIAR).open(answer.shares[place]!.sealed)!,
    );
    const head = reader.raw(4);
    const [maskShare, selfShare] = [reader.raw(32), reader.raw(32)];
    selfShare[31]! ^= 1;
    const commit = (kind: 'mask-key' | 'self-mask', share: Uint8Array) =>
      shareCommitment(transcript, kind, LIAR, HOLDER, share);
    const plaintext = new ByteWriter().raw(head).raw(maskShare).raw(selfShare).finish();
    const shares = [...answer.shares];
    shares[place] = {
      sealed: pairChannel(keys, LIAR, HOLDER).seal(plaintext),
      commitments: new ByteWriter()
        .raw(commit('mask-key', maskShare))
        .raw(commit('self-mask', selfShare))
        .finish(),
    };
    round.deliver(LIAR, { ...answer, shares });
    const end = expectKind(round.finish(), 'finish');
    // The holder gave exactly what it was dealt, which the commitment shows.
    expect(end.report.blamed.map(({ client }) => client)).not.toContain(HOLDER);
  });

  test('cannot have an honest dealer named alone by a false complaint (the stack drops `with`)', async () => {
    const [LIAR, DEALER] = [1, 2];
    const { round } = drive({
      change: (client, message) =>
        client === LIAR && message.kind === 'masked-vectors'
          ? { ...message, complaints: Bitmap.of(message.complaints.size, [1]) }
          : message,
    });
    const { blamed } = await round.run();
    // Nobody can tell which of the two lied.
    expect(blamed).not.toEqual([{ client: `peer-${DEALER}`, code: 'bad-dealt-share' }]);
  });
});

describe('F4 two peers of one name', () => {
  test('the one that answers is not taken for the one that does not', async () => {
    const { round, left } = drive({
      names: ['same', 'same', 'c', 'd', 'e'],
      silent: (client, stage) => client === 1 && stage === 'mask-vectors',
    });
    await round.setup();
    await round.shareKeys();
    await round.collectMaskedVectors();
    expect([...left]).toEqual([1]);
    round.close();
  });
});

describe('found sound', () => {
  test('a late answer after its stage changes nothing and is nobody’s unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const { round } = drive({
      timeoutMs: 400,
      late: (client, stage) => (client === 3 && stage === 'mask-vectors' ? 2_500 : 0),
    });
    const { clients, lost } = await round.run();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    process.off('unhandledRejection', note);
    expect(clients).toEqual(['peer-0', 'peer-1', 'peer-2', 'peer-4']);
    expect(lost.map(({ client, reason }) => [client, reason])).toEqual([['peer-3', 'timeout']]);
    expect(unhandled).toEqual([]);
  });
});

/** A driven round over peers that are protocol clients. */
function drive({
  names = Array.from({ length: 5 }, (_, i) => `peer-${i}`),
  silent = () => false,
  late = () => 0,
  change = (_client, message) => message,
  timeoutMs = 300,
}: {
  names?: readonly string[];
  silent?: (client: number, stage: SecAggServerStage) => boolean;
  late?: (client: number, stage: SecAggServerStage) => number;
  change?: (client: number, message: ClientMessage) => ClientMessage;
  timeoutMs?: number;
}) {
  const cohort = cohortOf({ clients: names.length, seed: 'driven' });
  const left = new Set<number>();
  const peers = names.map((name, client): SecAggPeer => {
    let state: unknown;
    const peer: SecAggPeer = {
      name,
      within: () => peer,
      leave: () => void left.add(client),
      async answer(stage, message) {
        if (silent(client, stage)) throw new Error('silent');
        const wait = late(client, stage);
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        const decoded = CODECS[stage].decode(message) as ServerMessage;
        const outcome = clientStep(cohort, client, state, stage, decoded)!;
        if (outcome.kind === 'fault') throw new Error(outcome.message);
        state = outcome.kind === 'continue' ? outcome.state : undefined;
        const reply = change(client, outcome.message);
        return clientCodec(reply).encode(reply);
      },
    };
    return peer;
  });
  const round = new SecAggRound(
    peers,
    { agreement: cohort.agreement, roster: cohort.roster! },
    { timeoutMs, rng: cohort.rng },
  );
  return { round, left };
}

const CODECS = Object.fromEntries(
  (
    [
      ['advertise', 'announcement'],
      ['share-keys', 'neighbourhood'],
      ['mask-vectors', 'dealt-shares'],
      ['confirm-survivors', 'survivor-set'],
      ['unmask', 'confirmations'],
    ] as const
  ).map(([stage, kind]) => [stage, serverCodec({ kind } as never)]),
) as unknown as { readonly [stage in SecAggServerStage]: MessageCodec<ServerMessage> };
