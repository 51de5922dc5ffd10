/**
 * @file What the real clients of a small cohort answer, whatever a server tells them: asked once for
 * each thing that they can be told, from a saved state with fresh notes, as if every time were the
 * first.
 */

import {
  Bitmap,
  confirmSurvivors,
  deterministicRng,
  ed25519Sign,
  type Heading,
  type MaskedVectors,
  maskClientVectors,
  memoryLedger,
  type NeighbourKeys,
  type RevealedShares,
  type Rng,
  restoreSecAggClient,
  type SealedShare,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientState,
  type SecretBytes,
  type SharedSecrets,
  type SurvivorSet,
  saveSecAggClient,
  shareClientSecrets,
  startSecAggClient,
  sumVector,
  unmaskConfirmed,
  unmaskSurvivors,
  utf8,
} from '../../../../../protocols/index.ts';
import { agreementHash } from '../../../../../protocols/secagg/agreement.ts';
import {
  type AdvertisedState,
  type ConfirmedState,
  clientState,
  type MaskedState,
  type SharedState,
} from '../../../../../protocols/secagg/client/state.ts';
import { merkleRoot } from '../../../../../protocols/secagg/merkle.ts';
import { SEALED_LENGTH } from '../../../../../protocols/secagg/messages.ts';
import {
  advertisementStatement,
  survivorsStatement,
  TAG_LENGTH,
  transcriptHash,
} from '../../../../../protocols/secagg/statements.ts';
import { type Identities, identitiesAt } from '../identities.ts';
import { rateOf } from '../plan.ts';
import { Puppet } from '../puppets.ts';
import { type Clients, has, membersOf, setOf } from './sets.ts';

export interface ByzantineCase {
  readonly clients: number;
  readonly threshold: number;
  /** Who works with the server. */
  readonly corrupt: Clients;
  /** As many as the clients reckon with. @default as many as there are */
  readonly corruptBound?: number;
}

/** What a client is told of the survivors' round: whose keys, who shared, and who is alive. */
export interface Told {
  readonly keys: Clients;
  readonly present: Clients;
  /** 0 if it is told nothing of survivors. */
  readonly alive: Clients;
}

export type Answer<A> =
  | ({ readonly kind: 'given' } & A)
  | { readonly kind: 'refused'; readonly code: string };

export interface SharedAnswer {
  readonly transcript: Uint8Array;
  readonly message: SharedSecrets;
  readonly saved: SecretBytes;
}

export interface MaskedAnswer {
  readonly message: MaskedVectors;
  readonly saved: SecretBytes;
}

export interface ConfirmedAnswer {
  readonly signature: Uint8Array;
  readonly saved: SecretBytes;
}

/** Shares as the holder gives them, by whose they are. */
export interface GivenShares {
  readonly shares: ReadonlyMap<number, Uint8Array>;
}

export class AnswerBook {
  readonly case: ByzantineCase;
  readonly agreement: SecAggAgreement;
  readonly honest: Clients;
  readonly puppets: ReadonlyMap<number, Puppet>;
  readonly inputs: readonly (readonly number[])[];
  readonly #identities: Identities;
  readonly #rng: Rng;
  readonly #keys = new Map<number, NeighbourKeys>();
  readonly #started = new Map<number, SecretBytes>();
  readonly #signatures = new Map<string, Uint8Array>();
  readonly #transcripts = new Map<Clients, Uint8Array>();
  readonly #agreed: Uint8Array;
  readonly #answers = new Map<string, unknown>();

  constructor(given: ByzantineCase) {
    const { clients, threshold, corrupt } = given;
    const everyone = setOf(Array(clients).keys());
    this.case = given;
    this.honest = everyone & ~corrupt;
    this.#rng = deterministicRng(utf8(`byzantine ${clients} ${threshold} ${corrupt}`));
    this.#identities = identitiesAt(membersOf(everyone), clients);
    this.agreement = {
      session: this.#rng(32),
      round: 0,
      model: 'active',
      graph: 'complete',
      clients,
      neighbours: clients - 1,
      threshold,
      inDegreeLimit: clients - 1,
      rosterHash: this.#identities.roster.hash,
      cohort: Bitmap.of(clients, membersOf(everyone)),
      vectors: [sumVector('input', 2, 10_000n, clients)],
    };
    this.inputs = membersOf(everyone).map((client) => [1000 + 7 ** client, 10 * client + 3]);
    this.#agreed = agreementHash(this.agreement);
    this.puppets = new Map(
      membersOf(corrupt).map((client) => [
        client,
        new Puppet(client, this.#identities.signingKeys[client]!, this.#rng),
      ]),
    );
    for (const [client, puppet] of this.puppets)
      this.#keys.set(client, puppet.advertise(this.#agreed));
    for (const client of membersOf(this.honest)) this.#start(client);
  }

  /** The public keys that a client advertised. */
  keysOf(client: number): NeighbourKeys {
    return this.#keys.get(client)!;
  }

  /** What it says to a set of keys; the set has the client in it. */
  share(client: number, keys: Clients): Answer<SharedAnswer> {
    return this.#remembered(`share ${client} ${keys}`, () => {
      const entries = membersOf(keys & ~(1 << client)).map((other) => this.keysOf(other));
      const outcome = shareClientSecrets(
        this.#restore<AdvertisedState>(client, this.#started.get(client)!),
        { kind: 'neighbourhood', ...this.#to(client), entries, choosers: new Bitmap(0), proof: [] },
        { rng: this.#rng },
      );
      if (outcome.kind === 'fault') return refused(outcome);
      const { transcript } = outcome.state.peek().content;
      const saved = saveSecAggClient(outcome.state);
      return { kind: 'given', transcript, message: outcome.message, saved };
    });
  }

  /** @param dealt honest clients whose shares it gets; in the place of others' it gets garbage. */
  mask(client: number, { keys, present }: Told, dealt: Clients): Answer<MaskedAnswer> {
    return this.#remembered(`mask ${client} ${keys} ${present} ${dealt}`, () => {
      const shared = this.share(client, keys);
      if (shared.kind === 'refused') return shared;
      const partners = membersOf(keys & ~(1 << client));
      const dealers = partners.filter((other) => has(present, other));
      const outcome = maskClientVectors(
        this.#restore<SharedState>(client, shared.saved),
        {
          kind: 'dealt-shares',
          ...this.#to(client),
          present: Bitmap.of(
            partners.length,
            dealers.map((dealer) => partners.indexOf(dealer)),
          ),
          shares: dealers.map((dealer) => {
            const puppet = this.puppets.get(dealer);
            if (puppet !== undefined) return puppet.dealTo(this.keysOf(client), shared.transcript);
            const from = has(dealt, dealer) ? this.share(dealer, keys) : undefined;
            if (from?.kind !== 'given') return GARBAGE;
            return from.message.shares[placeAmong(keys, dealer, client)]!;
          }),
        },
        { vectors: [this.inputs[client]!] },
      );
      if (outcome.kind === 'fault') return refused(outcome);
      return { kind: 'given', message: outcome.message, saved: saveSecAggClient(outcome.state) };
    });
  }

  confirm(client: number, told: Told, dealt: Clients): Answer<ConfirmedAnswer> {
    const { keys, present, alive } = told;
    return this.#remembered(`confirm ${client} ${keys} ${present} ${dealt} ${alive}`, () => {
      const masked = this.mask(client, told, dealt);
      if (masked.kind === 'refused') return masked;
      const outcome = confirmSurvivors(
        this.#restore<MaskedState>(client, masked.saved),
        this.#survivorSet(client, alive),
      );
      if (outcome.kind === 'fault') return refused(outcome);
      const [signature] = outcome.message.statements;
      return { kind: 'given', signature: signature!, saved: saveSecAggClient(outcome.state) };
    });
  }

  /** @param from whose statements the client is shown, one each. */
  unmask(
    client: number,
    told: Told,
    dealt: Clients,
    { from, statements }: { readonly from: Clients; readonly statements: readonly Uint8Array[] },
  ): Answer<GivenShares> {
    const confirmed = this.confirm(client, told, dealt);
    if (confirmed.kind === 'refused') return confirmed;
    const outcome = unmaskConfirmed(this.#restore<ConfirmedState>(client, confirmed.saved), {
      kind: 'confirmations',
      ...this.#to(client),
      from: Bitmap.of(this.case.clients, membersOf(from)),
      statements,
    });
    return outcome.kind === 'fault' ? refused(outcome) : given(client, told, outcome.message);
  }

  /** What it gives when it is shown true signatures of these clients under what it was told. */
  unmaskSigned(client: number, told: Told, dealt: Clients, signers: Clients): Answer<GivenShares> {
    const { keys, present, alive } = told;
    const question = `unmask ${client} ${keys} ${present} ${dealt} ${alive} ${signers}`;
    return this.#remembered(question, () => {
      const statements = membersOf(signers).map((signer) => this.signature(signer, keys, alive));
      return this.unmask(client, told, dealt, { from: signers, statements });
    });
  }

  /** What a client gives that skips the consistency check and believes what it is told. */
  unmaskUnchecked(client: number, told: Told, dealt: Clients): Answer<GivenShares> {
    const { keys, present, alive } = told;
    return this.#remembered(`believe ${client} ${keys} ${present} ${dealt} ${alive}`, () => {
      const masked = this.mask(client, told, dealt);
      if (masked.kind === 'refused') return masked;
      const { content, ...step } = this.#restore<MaskedState>(client, masked.saved).consume();
      const agreement = { ...content.agreement, model: 'semi-honest' as const };
      const outcome = unmaskSurvivors(
        clientState({ ...step, content: { ...content, agreement } }),
        this.#survivorSet(client, alive),
      );
      return outcome.kind === 'fault' ? refused(outcome) : given(client, told, outcome.message);
    });
  }

  /** What a client signs that was told of these keys and these survivors. */
  signature(signer: number, keys: Clients, alive: Clients): Uint8Array {
    const place = `${signer} ${keys} ${alive}`;
    let signature = this.#signatures.get(place);
    if (signature === undefined) {
      const survivors = Bitmap.of(this.case.clients, membersOf(alive));
      const statement = survivorsStatement(this.transcriptOf(keys), survivors);
      signature = ed25519Sign(this.#identities.signingKeys[signer]!, statement);
      this.#signatures.set(place, signature);
    }
    return signature;
  }

  /** What everybody's statements are bound to who was told of these keys. */
  transcriptOf(keys: Clients): Uint8Array {
    let transcript = this.#transcripts.get(keys);
    if (transcript === undefined) {
      const leaves = membersOf(keys)
        .map((client) => this.keysOf(client))
        .map((entry) =>
          advertisementStatement(this.#agreed, entry.client, entry.channelKey, entry.maskKey),
        );
      transcript = transcriptHash(this.#agreed, merkleRoot(leaves));
      this.#transcripts.set(keys, transcript);
    }
    return transcript;
  }

  #start(client: number): void {
    const outcome = startSecAggClient(
      { kind: 'announcement', client, agreement: this.agreement },
      this.#configOf(client),
      { rng: this.#rng },
    );
    if (outcome.kind === 'fault') throw new Error(`client ${client}: ${outcome.message}`);
    const { channelKey, maskKey, signature } = outcome.message;
    this.#keys.set(client, { client, channelKey, maskKey, signature });
    this.#started.set(client, saveSecAggClient(outcome.state));
  }

  #configOf(client: number): SecAggClientConfig {
    const { clients, corrupt, corruptBound = membersOf(corrupt).length } = this.case;
    return {
      name: this.#identities.names[client]!,
      signingKey: this.#identities.signingKeys[client]!,
      roster: this.#identities.roster,
      policy: {
        models: ['active'],
        minimumClients: 2,
        securityBits: 40,
        corruptRate: rateOf(corruptBound, clients),
      },
      // Fresh notes: every time is the first.
      ledger: memoryLedger(),
    };
  }

  #restore<C extends AdvertisedState | SharedState | MaskedState | ConfirmedState>(
    client: number,
    saved: SecretBytes,
  ): SecAggClientState<C> {
    return restoreSecAggClient(saved, this.#configOf(client)) as SecAggClientState<C>;
  }

  #to(client: number): Heading {
    const { session, round } = this.agreement;
    return { session, round, client };
  }

  #survivorSet(client: number, alive: Clients): SurvivorSet {
    const bitmap = Bitmap.of(this.case.clients, membersOf(alive));
    return { kind: 'survivor-set', ...this.#to(client), alive: bitmap, included: [] };
  }

  #remembered<A>(question: string, ask: () => A): A {
    if (!this.#answers.has(question)) this.#answers.set(question, ask());
    return this.#answers.get(question) as A;
  }
}

function refused({ code }: { readonly code: string }): {
  readonly kind: 'refused';
  readonly code: string;
} {
  return { kind: 'refused', code };
}

function given(
  client: number,
  { present }: Told,
  { given: places, shares }: RevealedShares,
): Answer<GivenShares> {
  // Dealers in ascending order, itself last.
  const owners = [...membersOf(present & ~(1 << client)), client];
  return {
    kind: 'given',
    shares: new Map(places.places().map((place, i) => [owners[place]!, shares[i]!])),
  };
}

/** Where a holder is among those who hold a dealer's shares. */
export function placeAmong(keys: Clients, dealer: number, holder: number): number {
  return membersOf(keys & ~(1 << dealer)).indexOf(holder);
}

const GARBAGE: SealedShare = {
  sealed: new Uint8Array(SEALED_LENGTH),
  commitments: new Uint8Array(2 * TAG_LENGTH),
};
