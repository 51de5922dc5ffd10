/**
 * @file Every way in which a server can lie to the clients of a small sparse graph that they chose
 * themselves (Bell et al. 2020), once they have shared their secrets: whom it says to be there, to each
 * client, and whom it says to be alive, to each holder. Corrupt clients state whatever helps.
 *
 * What each client answers is asked of the real one, for all that it can be told. A client that gives
 * its shares is always shown all the acknowledgements that there are: fewer of them can only stop it.
 */

import {
  Bitmap,
  chooseClientNeighbours,
  confirmSurvivors,
  deterministicRng,
  type Heading,
  maskClientVectors,
  memoryLedger,
  type NeighbourKeys,
  type Rng,
  restoreSecAggClient,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientState,
  type SecretBytes,
  type SharedSecrets,
  saveSecAggClient,
  shareClientSecrets,
  startSecAggClient,
  sumVector,
  unmaskConfirmed,
  utf8,
} from '../../../../../protocols/index.ts';
import { agreementHash } from '../../../../../protocols/secagg/agreement.ts';
import type {
  ConfirmedState,
  MaskedState,
  SharedState,
} from '../../../../../protocols/secagg/client/state.ts';
import { merkleProof, merkleRoot } from '../../../../../protocols/secagg/merkle.ts';
import {
  advertisementStatement,
  TAG_LENGTH,
  transcriptHash,
} from '../../../../../protocols/secagg/statements.ts';
import { type Identities, identitiesAt } from '../identities.ts';
import { rateOf } from '../plan.ts';
import { Puppet } from '../puppets.ts';
import { type Clients, has, membersOf, setOf, sizeOf } from './sets.ts';

export interface SparseCase {
  readonly clients: number;
  readonly neighbours: number;
  readonly threshold: number;
  readonly corrupt: Clients;
  /** As many as the clients reckon with. @default as many as there are */
  readonly corruptBound?: number;
  /** Of the clients' choices. */
  readonly seed: number;
}

/** A client after it shared its secrets. */
export interface SparseClient {
  readonly client: number;
  /** Whom it chose. */
  readonly holders: Clients;
  /** Who chose it. */
  readonly dealers: Clients;
}

/** Whose shares a client gives away, by kind. */
export interface Given {
  readonly selfMasks: Clients;
  readonly maskKeys: Clients;
}

export class SparseBook {
  readonly case: SparseCase;
  readonly honest: Clients;
  readonly clients: ReadonlyMap<number, SparseClient>;
  readonly #agreement: SecAggAgreement;
  readonly #identities: Identities;
  readonly #rng: Rng;
  readonly #puppets: ReadonlyMap<number, Puppet>;
  readonly #keys = new Map<number, NeighbourKeys>();
  readonly #transcript: Uint8Array;
  readonly #shared = new Map<
    number,
    { readonly saved: SecretBytes; readonly message: SharedSecrets }
  >();
  readonly #masked = new Map<string, Masked | undefined>();

  constructor(given: SparseCase) {
    const { clients, neighbours, threshold, corrupt, seed } = given;
    const everyone = [...Array(clients).keys()];
    this.case = given;
    this.honest = setOf(everyone) & ~corrupt;
    this.#rng = deterministicRng(utf8(`byzantine sparse ${seed}`));
    this.#identities = identitiesAt(everyone, clients);
    this.#agreement = {
      session: this.#rng(32),
      round: 0,
      model: 'active',
      graph: 'sparse',
      clients,
      neighbours,
      threshold,
      inDegreeLimit: clients - 1,
      rosterHash: this.#identities.roster.hash,
      cohort: Bitmap.of(clients, everyone),
      vectors: [sumVector('input', 1, 10n, clients)],
    };
    const agreed = agreementHash(this.#agreement);
    this.#puppets = new Map(
      membersOf(corrupt).map((client) => [
        client,
        new Puppet(client, this.#identities.signingKeys[client]!, this.#rng),
      ]),
    );
    for (const [client, puppet] of this.#puppets) this.#keys.set(client, puppet.advertise(agreed));
    const started = new Map(
      membersOf(this.honest).map((client) => [client, this.#start(client)] as const),
    );
    const leaves = everyone.map((client) => {
      const { channelKey, maskKey } = this.#keys.get(client)!;
      return advertisementStatement(agreed, client, channelKey, maskKey);
    });
    this.#transcript = transcriptHash(agreed, merkleRoot(leaves));
    this.clients = this.#shareAll(started, leaves);
  }

  /**
   * The statements of a client that masks with those that are said to be there, or nothing where it
   * refuses. It says `included` to each of its holders among them.
   */
  accepts(client: number, present: Clients): boolean {
    return this.#mask(client, present) !== undefined;
  }

  /**
   * What it gives away.
   * @param alive of those who are there and dealt it shares
   * @param proven those of them who included it, or are corrupt
   * @param acks its holders who are there and take it for a survivor
   */
  gives(
    client: number,
    told: { readonly present: Clients; readonly alive: Clients; readonly proven: Clients },
    acks: Clients,
  ): Given | undefined {
    const { present, alive, proven } = told;
    const masked = this.#mask(client, present);
    if (masked === undefined) return undefined;
    const { holders, dealers } = this.clients.get(client)!;
    const thereDealers = membersOf(dealers & present);
    const thereHolders = membersOf(holders & present);
    const confirmed = confirmSurvivors(this.#restore<MaskedState>(client, masked.saved), {
      kind: 'survivor-set',
      ...this.#to(client),
      alive: Bitmap.of(
        thereDealers.length,
        membersOf(alive).map((dealer) => thereDealers.indexOf(dealer)),
      ),
      included: membersOf(alive).map((dealer) =>
        has(proven, dealer) ? this.#included(dealer, client) : NO_TAG,
      ),
    });
    if (confirmed.kind === 'fault') throw new Error(confirmed.message);
    const finished = unmaskConfirmed(confirmed.state as SecAggClientState<ConfirmedState>, {
      kind: 'confirmations',
      ...this.#to(client),
      from: Bitmap.of(thereHolders.length, thereHolders.keys()),
      statements: thereHolders.map((holder) =>
        has(acks, holder) ? this.#ack(holder, client) : NO_TAG,
      ),
    });
    if (finished.kind === 'fault') return undefined;
    const owners = [...thereDealers, client];
    const given = setOf(finished.message.given.places().map((place) => owners[place]!));
    const own = 1 << client;
    return { selfMasks: given & (alive | own), maskKeys: given & ~alive & ~own };
  }

  #start(client: number): SecAggClientState {
    const outcome = startSecAggClient(
      { kind: 'announcement', client, agreement: this.#agreement },
      this.#configOf(client),
      { rng: this.#rng },
    );
    if (outcome.kind === 'fault') throw new Error(outcome.message);
    const { channelKey, maskKey, signature } = outcome.message;
    this.#keys.set(client, { client, channelKey, maskKey, signature });
    return outcome.state;
  }

  /** Everybody chooses and shares; corrupt clients choose nobody: it makes no difference here. */
  #shareAll(
    started: ReadonlyMap<number, SecAggClientState>,
    leaves: readonly Uint8Array[],
  ): Map<number, SparseClient> {
    const advertised = Bitmap.of(leaves.length, leaves.keys());
    const choices = new Map(
      [...started].map(([client, state]) => {
        const message = {
          kind: 'commitment',
          ...this.#to(client),
          advertised,
          root: merkleRoot(leaves),
        } as const;
        const chosen = chooseClientNeighbours(state as never, message, { rng: this.#rng });
        if (chosen.kind === 'fault') throw new Error(chosen.message);
        return [client, chosen] as const;
      }),
    );
    const clients = new Map<number, SparseClient>();
    for (const [client, { state, message }] of choices) {
      const holders = setOf(message.neighbours);
      const dealers = setOf(
        [...choices].flatMap(([other, choice]) =>
          choice.message.neighbours.includes(client) ? [other] : [],
        ),
      );
      const partners = membersOf(holders | dealers);
      const shared = shareClientSecrets(
        state,
        {
          kind: 'neighbourhood',
          ...this.#to(client),
          entries: partners.map((other) => this.#keys.get(other)!),
          choosers: Bitmap.of(
            partners.length,
            partners.flatMap((other, i) => (has(dealers, other) ? [i] : [])),
          ),
          proof: merkleProof(leaves, membersOf(holders | dealers | (1 << client))),
        },
        { rng: this.#rng },
      );
      if (shared.kind === 'fault') throw new Error(shared.message);
      this.#shared.set(client, { saved: saveSecAggClient(shared.state), message: shared.message });
      clients.set(client, { client, holders, dealers });
    }
    return clients;
  }

  #mask(client: number, present: Clients): Masked | undefined {
    const place = `${client} ${present}`;
    if (this.#masked.has(place)) return this.#masked.get(place);
    const { holders, dealers } = this.clients.get(client)!;
    const partners = membersOf(holders | dealers);
    const outcome = maskClientVectors(
      this.#restore<SharedState>(client, this.#shared.get(client)!.saved),
      {
        kind: 'dealt-shares',
        ...this.#to(client),
        present: Bitmap.of(
          partners.length,
          partners.flatMap((other, i) => (has(present, other) ? [i] : [])),
        ),
        shares: membersOf(dealers & present).map((dealer) => {
          const place = membersOf(this.clients.get(dealer)!.holders).indexOf(client);
          return this.#shared.get(dealer)!.message.shares[place]!;
        }),
      },
      { vectors: [[1]] },
    );
    const masked =
      outcome.kind === 'fault'
        ? undefined
        : { saved: saveSecAggClient(outcome.state), included: outcome.message.included };
    this.#masked.set(place, masked);
    return masked;
  }

  /** The tag is the same whoever else is there. */
  #included(dealer: number, holder: number): Uint8Array {
    const { holders } = this.clients.get(dealer)!;
    const masked = this.#mask(dealer, holders);
    return masked!.included[membersOf(holders).indexOf(holder)]!;
  }

  #ack(holder: number, client: number): Uint8Array {
    const puppet = this.#puppets.get(holder);
    if (puppet !== undefined) {
      return puppet.channelTo(this.#keys.get(client)!, this.#transcript).tag('ack');
    }
    const { holders, dealers } = this.clients.get(holder)!;
    const present = holders | dealers;
    const masked = this.#mask(holder, present)!;
    const there = membersOf(dealers);
    const outcome = confirmSurvivors(this.#restore<MaskedState>(holder, masked.saved), {
      kind: 'survivor-set',
      ...this.#to(holder),
      alive: Bitmap.of(there.length, [there.indexOf(client)]),
      included: [this.#included(client, holder)],
    });
    if (outcome.kind === 'fault') throw new Error(outcome.message);
    return outcome.message.statements[0]!;
  }

  #configOf(client: number): SecAggClientConfig {
    const { clients, corrupt, corruptBound = sizeOf(corrupt) } = this.case;
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
      ledger: memoryLedger(),
    };
  }

  #restore<C extends SharedState | MaskedState>(
    client: number,
    saved: SecretBytes,
  ): SecAggClientState<C> {
    return restoreSecAggClient(saved, this.#configOf(client)) as SecAggClientState<C>;
  }

  #to(client: number): Heading {
    const { session, round } = this.#agreement;
    return { session, round, client };
  }
}

interface Masked {
  readonly saved: SecretBytes;
  readonly included: readonly Uint8Array[];
}

const NO_TAG = new Uint8Array(TAG_LENGTH);
