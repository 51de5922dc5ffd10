/** @file A whole round in one place: clients and server talk in bytes, and any message can be touched. */

import {
  abandonClient,
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
  deterministicRng,
  ed25519PublicKey,
  hkdfSha256,
  type IdentityRoster,
  type IntegerVector,
  isFault,
  type MessageCodec,
  maskClientVectors,
  maskedVectorsCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  type ParameterRequest,
  type Rng,
  receiveAtSecAggServer,
  reconstructMasks,
  removeMasks,
  revealedSharesCodec,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientFault,
  type SecAggClientState,
  type SecAggServerAdvanced,
  type SecAggServerFault,
  type SecAggServerFinished,
  type SecAggServerStage,
  type SecAggServerState,
  type SecretBytes,
  type ServerMessage,
  secAggParameters,
  shareClientSecrets,
  sharedSecretsCodec,
  startSecAggClient,
  startSecAggServer,
  sumVector,
  survivorSetCodec,
  unmaskConfirmed,
  unmaskSurvivors,
  utf8,
} from 'fedloom/protocols';

export interface Cohort {
  readonly agreement: SecAggAgreement;
  readonly roster: IdentityRoster | undefined;
  readonly configs: readonly SecAggClientConfig[];
  readonly inputs: readonly (readonly IntegerVector[])[];
  readonly rng: Rng;
}

export interface CohortOptions extends Partial<ParameterRequest> {
  readonly clients: number;
  readonly seed?: string;
  readonly length?: number;
  readonly maximum?: bigint;
  readonly minimumClients?: number;
  readonly agreement?: Partial<SecAggAgreement>;
}

/** Clients that trust each other's keys, with inputs, and an agreement that suits them. */
export function cohortOf({
  seed = 'cohort',
  length = 3,
  maximum = 100n,
  minimumClients,
  agreement: changes,
  ...request
}: CohortOptions): Cohort {
  const rng = deterministicRng(utf8(seed));
  const found = secAggParameters(request);
  const { clients, model, graph, neighbours, threshold, inDegreeLimit } = found;
  const signers = Array.from({ length: clients }, (_, i) =>
    hkdfSha256(utf8(seed), { info: utf8(`identity ${i}`), length: 32 }),
  );
  const roster = createIdentityRoster(
    signers.map((signer, i) => ({ client: `client-${i}`, publicKey: ed25519PublicKey(signer) })),
  );
  const active = model === 'active';
  const agreement: SecAggAgreement = {
    session: rng(32),
    round: 0,
    model,
    graph,
    clients,
    neighbours,
    threshold,
    inDegreeLimit,
    rosterHash: active ? roster.hash : new Uint8Array(0),
    cohort: active ? Bitmap.of(clients, signers.keys()) : new Bitmap(0),
    vectors: [sumVector('a', length, maximum, clients)],
    ...changes,
  };
  return {
    agreement,
    roster: active ? roster : undefined,
    configs: signers.map((signingKey, i) => ({
      name: `client-${i}`,
      signingKey,
      roster,
      policy: {
        models: [model],
        minimumClients: minimumClients ?? Math.min(3, clients),
        securityBits: found.securityBits,
        corruptRate: found.corruptRate,
      },
    })),
    inputs: signers.map((_, i) => [
      Array.from({ length }, (_, k) => (i * 7 + k * 3) % Number(maximum + 1n)),
    ]),
    rng,
  };
}

/** What a test may do to a round. */
export interface Meddling {
  /** Changes, or swallows (`undefined`), what the server sends to a client. */
  readonly toClient?: (client: number, message: ServerMessage) => ServerMessage | undefined;
  /** Changes, or swallows, what a client sends. */
  readonly toServer?: (client: number, message: ClientMessage) => ClientMessage | undefined;
  /** What a client binds its masks to. */
  readonly context?: (client: number) => Uint8Array;
}

export interface RoundOutcome {
  readonly outcome: SecAggServerFinished | SecAggServerFault;
  /** The faults of clients, by number. */
  readonly clientFaults: ReadonlyMap<number, SecAggClientFault>;
  /** What the server refused. */
  readonly refusals: readonly SecAggServerFault[];
  /** Bytes sent by each client, and to each client. */
  readonly sent: readonly number[];
  readonly received: readonly number[];
}

export function runRound(cohort: Cohort, meddling: Meddling = {}): RoundOutcome {
  const { agreement, roster, rng } = cohort;
  const states = new Map<number, SecAggClientState>();
  const clientFaults = new Map<number, SecAggClientFault>();
  const refusals: SecAggServerFault[] = [];
  const sent = new Array<number>(agreement.clients).fill(0);
  const received = new Array<number>(agreement.clients).fill(0);
  let turn: SecAggServerAdvanced | SecAggServerFault = startSecAggServer(
    roster === undefined ? { agreement } : { agreement, roster },
  );
  for (;;) {
    if (isFault(turn)) return done(turn as SecAggServerFault);
    let state: SecAggServerState = turn.state;
    for (const [client, message] of turn.messages) {
      const delivered =
        meddling.toClient === undefined ? message : meddling.toClient(client, message);
      if (delivered === undefined) continue;
      const bytes = serverCodec(delivered).encode(delivered);
      received[client]! += bytes.length;
      const reply = answer(client, turn.stage, throughBytes(serverCodec(delivered), bytes));
      if (reply === undefined) continue;
      const returned = meddling.toServer === undefined ? reply : meddling.toServer(client, reply);
      if (returned === undefined) continue;
      const codec = clientCodec(returned);
      const encoded = codec.encode(returned);
      sent[client]! += encoded.length;
      const taken = receiveAtSecAggServer(state, client, throughBytes(codec, encoded));
      if (taken.kind === 'fault') refusals.push(taken);
      else state = taken.state;
    }
    if (turn.stage === 'unmask') {
      const masks = reconstructMasks(state);
      return done(masks.kind === 'fault' ? masks : removeMasks(masks));
    }
    turn = advanceSecAggServer(state, { rng });
  }

  function done(outcome: SecAggServerFinished | SecAggServerFault): RoundOutcome {
    for (const state of states.values()) abandonClient(state);
    return { outcome, clientFaults, refusals, sent, received };
  }

  function answer(
    client: number,
    stage: SecAggServerStage,
    message: ServerMessage,
  ): ClientMessage | undefined {
    const state = states.get(client);
    states.delete(client);
    const step = clientStep(cohort, client, state, stage, message, meddling.context?.(client));
    if (step === undefined) return undefined;
    if (step.kind === 'fault') {
      clientFaults.set(client, step);
      return undefined;
    }
    if (step.kind === 'continue') states.set(client, step.state);
    return step.message;
  }
}

/** A client's answer to a message. */
export function clientStep(
  { configs, inputs, rng }: Cohort,
  client: number,
  // A test gives any state to any step; the step refuses what does not fit.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  state: any,
  stage: SecAggServerStage,
  message: ServerMessage,
  context?: Uint8Array,
):
  | {
      readonly kind: 'continue';
      readonly state: SecAggClientState;
      readonly message: ClientMessage;
    }
  | { readonly kind: 'finish'; readonly message: ClientMessage }
  | SecAggClientFault
  | undefined {
  if (message.kind === 'announcement') {
    return startSecAggClient(message, configs[client]!, { rng });
  }
  if (state === undefined) return undefined;
  switch (message.kind) {
    case 'commitment':
      return chooseClientNeighbours(state, message, { rng });
    case 'neighbourhood':
      return shareClientSecrets(state, message, { rng });
    case 'dealt-shares':
      return maskClientVectors(state, message, {
        vectors: inputs[client]!,
        ...(context === undefined ? {} : { context }),
      });
    case 'survivor-set':
      return stage === 'unmask'
        ? unmaskSurvivors(state, message)
        : confirmSurvivors(state, message);
    case 'confirmations':
      return unmaskConfirmed(state, message);
  }
}

/** The sum of the inputs of some clients, vector by vector. */
export function sumOf({ inputs }: Cohort, clients: Iterable<number>): number[][] {
  const vectors = inputs[0]!.map(({ length }) => new Array<number>(length).fill(0));
  for (const client of clients) {
    for (const [v, vector] of inputs[client]!.entries()) {
      for (let k = 0; k < vector.length; k += 1) vectors[v]![k]! += Number(vector[k]);
    }
  }
  return vectors;
}

export function sumsIn({ sums }: SecAggServerFinished): number[][] {
  return sums.map(({ values }) => Array.from(values as ArrayLike<number | bigint>, Number));
}

function throughBytes<M>(codec: MessageCodec<M>, bytes: Uint8Array): M {
  const message = codec.decode(bytes);
  if ('kind' in (message as object) && isFault(message as { kind: string })) {
    throw new Error(`A message does not decode: ${JSON.stringify(message)}`);
  }
  return message as M;
}

export function serverCodec(message: ServerMessage): MessageCodec<ServerMessage> {
  return {
    announcement: announcementCodec,
    commitment: commitmentCodec,
    neighbourhood: neighbourhoodCodec,
    'dealt-shares': dealtSharesCodec,
    'survivor-set': survivorSetCodec,
    confirmations: confirmationsCodec,
  }[message.kind] as MessageCodec<ServerMessage>;
}

export function clientCodec(message: ClientMessage): MessageCodec<ClientMessage> {
  return {
    advertisement: advertisementCodec,
    'neighbour-choice': neighbourChoiceCodec,
    'shared-secrets': sharedSecretsCodec,
    'masked-vectors': maskedVectorsCodec,
    confirmation: confirmationCodec,
    'revealed-shares': revealedSharesCodec,
  }[message.kind] as MessageCodec<ClientMessage>;
}

export type { SecretBytes };
