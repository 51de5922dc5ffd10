/**
 * @file A round of secure aggregation in one process, with the time of every step and the bytes of
 * every message: the state machines alone, without an executor stack around them.
 */

import {
  advanceSecAggServer,
  advertisementCodec,
  announcementCodec,
  Bitmap,
  type ClientMessage,
  chooseClientNeighbours,
  commitmentCodec,
  confirmationCodec,
  confirmationsCodec,
  confirmSurvivors,
  createIdentityRoster,
  dealtSharesCodec,
  ed25519PublicKey,
  hkdfSha256,
  type IntegerVector,
  isFault,
  type MessageCodec,
  maskClientVectors,
  maskedVectorsCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  type ParameterFindings,
  randomBytes,
  receiveAtSecAggServer,
  reconstructMasks,
  removeMasks,
  revealedSharesCodec,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientState,
  type SecAggServerFinished,
  type SecAggServerStage,
  type ServerMessage,
  shareClientSecrets,
  sharedSecretsCodec,
  startSecAggClient,
  startSecAggServer,
  sumVector,
  survivorSetCodec,
  unmaskConfirmed,
  unmaskSurvivors,
  utf8,
} from '../../protocols/index.ts';

export interface MeasuredRound {
  readonly finished: SecAggServerFinished;
  /** Milliseconds of each client in each stage: decode, step, encode. */
  readonly client: ReadonlyMap<SecAggServerStage, readonly number[]>;
  /** Milliseconds of the server from the last client's last message to the sum. */
  readonly unmask: number;
  /** Bytes of each client that stayed. */
  readonly upload: readonly number[];
  readonly download: readonly number[];
}

export interface RoundPlan {
  readonly parameters: ParameterFindings;
  readonly length: number;
  readonly maximum: bigint;
  /** A client's values. */
  readonly input: (client: number) => IntegerVector;
  /** Clients that share their keys and do not send their vectors. */
  readonly lost: number;
}

export function measureRound({
  parameters,
  length,
  maximum,
  input,
  lost,
}: RoundPlan): MeasuredRound {
  const { clients, model, graph, neighbours, threshold, inDegreeLimit } = parameters;
  const signers = Array.from({ length: clients }, (_, i) =>
    hkdfSha256(utf8('benchmark'), { info: utf8(String(i)), length: 32 }),
  );
  const active = model === 'active';
  const roster = createIdentityRoster(
    signers.map((signer, i) => ({ client: `client ${i}`, publicKey: ed25519PublicKey(signer) })),
  );
  const agreement: SecAggAgreement = {
    session: randomBytes(32),
    round: 0,
    model,
    graph,
    clients,
    neighbours,
    threshold,
    inDegreeLimit,
    rosterHash: active ? roster.hash : new Uint8Array(0),
    cohort: active ? Bitmap.of(clients, signers.keys()) : new Bitmap(0),
    vectors: [sumVector('x', length, maximum, clients)],
  };
  const configs = signers.map(
    (signingKey, i): SecAggClientConfig => ({
      name: `client ${i}`,
      signingKey,
      roster,
      policy: { models: [model], corruptRate: parameters.corruptRate },
    }),
  );
  const states = new Map<number, SecAggClientState>();
  const client = new Map<SecAggServerStage, number[]>();
  const upload = new Array<number>(clients).fill(0);
  const download = new Array<number>(clients).fill(0);
  let turn = startSecAggServer(active ? { agreement, roster } : { agreement });
  for (;;) {
    let { state } = turn;
    const times: number[] = [];
    client.set(turn.stage, times);
    for (const [number, message] of turn.messages) {
      if (turn.stage === 'mask-vectors' && number >= clients - lost) continue;
      const sent = SERVER[message.kind].encode(message);
      download[number]! += sent.length;
      const start = performance.now();
      const { kind } = message;
      const decoded = required(SERVER[kind].decode(sent));
      const step = required(
        answer(states.get(number), turn.stage, decoded, configs[number]!, () => input(number)),
      );
      const reply = CLIENT[turn.stage].encode(step.message);
      times.push(performance.now() - start);
      if ('state' in step) states.set(number, step.state as SecAggClientState);
      upload[number]! += reply.length;
      state = required(
        receiveAtSecAggServer(state, number, required(CLIENT[turn.stage].decode(reply))),
      ).state;
    }
    if (turn.stage === 'unmask') {
      const start = performance.now();
      const finished = required(removeMasks(required(reconstructMasks(state))));
      const stayed = clients - lost;
      return {
        finished,
        client,
        unmask: performance.now() - start,
        upload: upload.slice(0, stayed),
        download: download.slice(0, stayed),
      };
    }
    turn = required(advanceSecAggServer(state));
  }
}

interface Step {
  readonly kind: string;
  readonly state?: SecAggClientState;
  readonly message: ClientMessage;
}

function answer(
  given: SecAggClientState | undefined,
  stage: SecAggServerStage,
  message: ServerMessage,
  config: SecAggClientConfig,
  input: () => IntegerVector,
): Step {
  const state = given as never;
  switch (message.kind) {
    case 'announcement':
      return required(startSecAggClient(message, config)) as Step;
    case 'commitment':
      return required(chooseClientNeighbours(state, message)) as Step;
    case 'neighbourhood':
      return required(shareClientSecrets(state, message)) as Step;
    case 'dealt-shares':
      return required(maskClientVectors(state, message, { vectors: [input()] })) as Step;
    case 'survivor-set':
      return required(
        stage === 'unmask' ? unmaskSurvivors(state, message) : confirmSurvivors(state, message),
      ) as Step;
    case 'confirmations':
      return required(unmaskConfirmed(state, message));
  }
}

function required<T extends object>(outcome: T): Exclude<T, { readonly kind: 'fault' }> {
  if ('kind' in outcome && isFault(outcome as { kind: string })) {
    throw new Error(`The round failed: ${JSON.stringify(outcome)}`);
  }
  return outcome as Exclude<T, { readonly kind: 'fault' }>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const SERVER = {
  announcement: announcementCodec,
  commitment: commitmentCodec,
  neighbourhood: neighbourhoodCodec,
  'dealt-shares': dealtSharesCodec,
  'survivor-set': survivorSetCodec,
  confirmations: confirmationsCodec,
} as { readonly [kind in ServerMessage['kind']]: MessageCodec<ServerMessage> };

const CLIENT = {
  advertise: advertisementCodec,
  'choose-neighbours': neighbourChoiceCodec,
  'share-keys': sharedSecretsCodec,
  'mask-vectors': maskedVectorsCodec,
  'confirm-survivors': confirmationCodec,
  unmask: revealedSharesCodec,
} as { readonly [stage in SecAggServerStage]: MessageCodec<ClientMessage> };
