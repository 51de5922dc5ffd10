/**
 * @file Every codec of the protocols with messages that reach all of its branches, as bytes: what the
 * fuzzers start from. A codec that is exported and not listed here fails `fuzz.test.ts`.
 */

import {
  advertisedKeyCodec,
  advertisementCodec,
  announcedKeyCodec,
  announcementCodec,
  Bitmap,
  commitmentCodec,
  confirmationCodec,
  confirmationsCodec,
  dealtSharesCodec,
  decryptedSumCodec,
  deliveredPerturbationsCodec,
  encryptedInputCodec,
  encryptedSumCodec,
  inputMaskCodec,
  type MaskingParameters,
  type MessageCodec,
  maskedInputCodec,
  maskedVectorsCodec,
  maskSumCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  packResidues,
  parametersCodec,
  residuesFrom,
  revealedSharesCodec,
  rosterCodec,
  type SecAggAgreement,
  sentPerturbationsCodec,
  sharedSecretsCodec,
  sumVector,
  survivorSetCodec,
} from '../../../protocols/index.ts';
import { SEALED_LENGTH } from '../../../protocols/secagg/messages.ts';

export interface KnownCodec {
  readonly codec: MessageCodec<object>;
  readonly samples: readonly Uint8Array[];
}

/** By the name under which it is exported. */
export const KNOWN_CODECS: { readonly [name: string]: KnownCodec } = {
  ...maskingCodecs(),
  ...paillierCodecs(),
  ...perturbationsCodecs(),
  ...secAggCodecs(),
};

export function known<M extends object>(
  codec: MessageCodec<M>,
  ...messages: readonly M[]
): KnownCodec {
  return { codec, samples: messages.map((message) => codec.encode(message)) };
}

function filled(length: number, byte = 0xa5): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

function round(): { readonly session: Uint8Array; readonly round: number } {
  return { session: filled(32, 7), round: 4 };
}

function maskingCodecs() {
  const parameters: MaskingParameters = {
    clients: 3,
    vectors: [
      sumVector('x', 3, 7n, 3),
      sumVector('y', 2, [1n, 2n ** 70n], 3),
      { kind: 'modular-sum', id: 'é', length: 1, modulus: 97n },
    ],
  };
  const key = { ...round(), client: '\uFEFFclients/3 é', publicKey: filled(32) };
  const entries = ['a', 'b'].map((client) => ({ client, publicKey: filled(32) }));
  const vectors = [
    residuesFrom([1, 2, 3], 5n),
    residuesFrom([1, 0, 1, 1], 2n),
    residuesFrom([2n ** 40n], 2n ** 64n),
    residuesFrom([2n ** 90n, 1n], 2n ** 100n),
    residuesFrom([], 3n),
  ];
  const input = { ...round(), client: 'a', transcript: filled(32), contextHash: filled(32) };
  return {
    advertisedKeyCodec: known(advertisedKeyCodec, { kind: 'advertised-key', ...key }),
    rosterCodec: known(rosterCodec, { kind: 'roster', ...round(), entries }),
    maskedInputCodec: known(maskedInputCodec, { kind: 'masked-input', ...input, vectors }),
    parametersCodec: known(parametersCodec, parameters),
  };
}

function paillierCodecs() {
  const header = { ...round(), key: filled(32, 1), plan: filled(32, 2), roster: filled(32, 3) };
  const n = 2n ** 511n + 7n;
  const signature = filled(64);
  const clients = ['clients/0', 'é'];
  const mine = { client: 'clients/0', minimumClients: 2, contextHash: filled(32), signature };
  const listed = { client: 'a', minimumClients: 2, ciphertextsHash: filled(32), signature };
  const sum = { ...header, contextHash: filled(32), ciphertexts: filled(9) };
  return {
    announcedKeyCodec: known(announcedKeyCodec, {
      kind: 'announced-key',
      ...round(),
      holder: 'key_holder/0',
      n,
      proof: filled(20),
      signature,
    }),
    encryptedInputCodec: known(encryptedInputCodec, {
      kind: 'encrypted-input',
      ...header,
      ...mine,
      maskCommitment: filled(32),
      ciphertexts: filled(17),
    }),
    inputMaskCodec: known(inputMaskCodec, {
      kind: 'input-mask',
      ...header,
      ...mine,
      ciphertextsHash: filled(32),
      seed: filled(32),
    }),
    encryptedSumCodec: known(
      encryptedSumCodec,
      { kind: 'encrypted-sum', ...sum, masked: true, inputs: [listed, listed] },
      { kind: 'encrypted-sum', ...sum, masked: false, inputs: [] },
    ),
    maskSumCodec: known(maskSumCodec, { kind: 'mask-sum', ...header, clients, masks: filled(8) }),
    decryptedSumCodec: known(decryptedSumCodec, {
      kind: 'decrypted-sum',
      ...header,
      clients,
      plaintexts: filled(8),
      root: n,
    }),
  };
}

function perturbationsCodecs() {
  const perturbations = ['clients/1 é', 'b'].map((peer, i) => ({ peer, sealed: filled(16 + i) }));
  const client = 'clients/0';
  return {
    sentPerturbationsCodec: known(sentPerturbationsCodec, {
      kind: 'sent-perturbations',
      ...round(),
      client,
      transcript: filled(32),
      perturbations,
    }),
    deliveredPerturbationsCodec: known(deliveredPerturbationsCodec, {
      kind: 'delivered-perturbations',
      ...round(),
      client,
      perturbations,
    }),
  };
}

function secAggCodecs() {
  const heading = { ...round(), client: 2 };
  const bitmap = Bitmap.of(11, [0, 3, 10]);
  const keys = { channelKey: filled(32, 1), maskKey: filled(32, 2) };
  const signed = { ...keys, signature: filled(64) };
  const unsigned = { ...keys, signature: new Uint8Array(0) };
  const tags = [filled(16, 1), filled(16, 2)];
  const signatures = [filled(64, 1), filled(64, 2)];
  const committed = [1, 2].map((byte) => ({
    sealed: filled(SEALED_LENGTH, byte),
    commitments: filled(32, byte),
  }));
  const plain = committed.map(({ sealed }) => ({ sealed, commitments: new Uint8Array(0) }));
  const vectors = [
    { values: [1, 2, 3], modulus: 5n },
    { values: [2n ** 90n], modulus: 2n ** 100n },
  ].map(({ values, modulus }) => ({
    modulus,
    length: values.length,
    packed: packResidues(residuesFrom(values as bigint[], modulus)),
  }));
  const agreement: SecAggAgreement = {
    ...round(),
    model: 'active',
    graph: 'sparse',
    clients: 3,
    neighbours: 2,
    threshold: 2,
    inDegreeLimit: 2,
    rosterHash: filled(32),
    cohort: bitmap,
    vectors: [sumVector('x', 3, 7n, 3), sumVector('y', 2, [1n, 2n ** 70n], 3)],
  };
  const honest: SecAggAgreement = {
    ...agreement,
    model: 'semi-honest',
    graph: 'complete',
    rosterHash: new Uint8Array(0),
    cohort: new Bitmap(0),
    vectors: [{ kind: 'modular-sum', id: 'z', length: 1, modulus: 97n }],
  };
  return {
    announcementCodec: known(
      announcementCodec,
      { kind: 'announcement', client: 2, agreement },
      { kind: 'announcement', client: 0, agreement: honest },
    ),
    advertisementCodec: known(
      advertisementCodec,
      { kind: 'advertisement', ...heading, ...signed },
      { kind: 'advertisement', ...heading, ...unsigned },
    ),
    commitmentCodec: known(commitmentCodec, {
      kind: 'commitment',
      ...heading,
      advertised: bitmap,
      root: filled(32),
    }),
    neighbourChoiceCodec: known(neighbourChoiceCodec, {
      kind: 'neighbour-choice',
      ...heading,
      neighbours: [0, 1, 5, 300],
    }),
    neighbourhoodCodec: known(
      neighbourhoodCodec,
      {
        kind: 'neighbourhood',
        ...heading,
        entries: [
          { client: 1, ...signed },
          { client: 4, ...signed },
        ],
        choosers: bitmap,
        proof: [filled(32, 1), filled(32, 2)],
      },
      {
        kind: 'neighbourhood',
        ...heading,
        entries: [{ client: 1, ...unsigned }],
        choosers: new Bitmap(0),
        proof: [],
      },
    ),
    sharedSecretsCodec: known(
      sharedSecretsCodec,
      { kind: 'shared-secrets', ...heading, seedCommitment: filled(32), shares: committed },
      { kind: 'shared-secrets', ...heading, seedCommitment: filled(32), shares: plain },
    ),
    dealtSharesCodec: known(
      dealtSharesCodec,
      { kind: 'dealt-shares', ...heading, present: bitmap, shares: committed },
      { kind: 'dealt-shares', ...heading, present: bitmap, shares: [] },
    ),
    maskedVectorsCodec: known(maskedVectorsCodec, {
      kind: 'masked-vectors',
      ...heading,
      contextHash: filled(32),
      complaints: bitmap,
      included: tags,
      vectors,
    }),
    survivorSetCodec: known(survivorSetCodec, {
      kind: 'survivor-set',
      ...heading,
      alive: bitmap,
      included: tags,
    }),
    confirmationCodec: known(
      confirmationCodec,
      { kind: 'confirmation', ...heading, statements: signatures },
      { kind: 'confirmation', ...heading, statements: tags },
      { kind: 'confirmation', ...heading, statements: [] },
    ),
    confirmationsCodec: known(confirmationsCodec, {
      kind: 'confirmations',
      ...heading,
      from: bitmap,
      statements: signatures,
    }),
    revealedSharesCodec: known(revealedSharesCodec, {
      kind: 'revealed-shares',
      ...heading,
      given: bitmap,
      shares: [filled(32, 1), filled(32, 2)],
    }),
  };
}
