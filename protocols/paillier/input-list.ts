/**
 * @file The inputs of one sum as whoever adds, decrypts or keeps masks accounts for them: signed for
 * this sum by different clients of the cohort, of one context, and enough of them.
 */

import { equalBytes } from '#crypto';
import { toHex } from '../crypto/bytes.ts';
import { fault, ProtocolError } from '../errors.ts';
import type { IdentityRoster } from '../roster/identity-roster.ts';
import {
  checkSession,
  type PaillierFault,
  type PaillierFaultCode,
  type PaillierStage,
  problemOfMessage,
} from './faults.ts';
import { type InputStatement, isSignedBy, NO_MASK } from './input-statement.ts';
import type { ListedInput, PaillierSession, SumHeader } from './messages.ts';
import type { PackingPlan } from './packing.ts';
import type { PaillierPublicKey } from './public-key.ts';

export interface CohortSetup extends PaillierSession {
  readonly plan: PackingPlan;
  /** Who may be in the sum: as many as the plan was made for. */
  readonly clients: readonly string[];
  /** By which signatures are checked; never from the server. */
  readonly roster: IdentityRoster;
  /** Of how many inputs a sum has at least. @default all of the cohort */
  readonly minimumClients?: number;
  /**
   * What all inputs must be bound to, as their statements say it. One that knows it should say so: a
   * client that lies, and is first, has the inputs of all others refused.
   * @default that of the first input
   */
  readonly contextHash?: Uint8Array;
}

/** How an account is kept, and by whom. */
export interface InputListOptions {
  readonly stage: PaillierStage;
  /** Whether clients masked their values themselves. */
  readonly masked: boolean;
  /** Whether inputs come from their clients, so that these are to blame for what is wrong. */
  readonly fromClients: boolean;
}

/** @throws ProtocolError `invalid-argument` */
export function checkCohort(
  { plan, clients, ...session }: Omit<CohortSetup, 'roster'>,
  publicKey: PaillierPublicKey,
): void {
  checkSession(session);
  const different = new Set(clients).size;
  if (different !== clients.length || clients.length !== plan.clients) {
    throw new ProtocolError(
      'invalid-argument',
      `the plan is for ${plan.clients} different clients, got ${clients.length} (${different} different)`,
    );
  }
  if (plan.modulusBits !== publicKey.modulusBits) {
    throw new ProtocolError('invalid-argument', 'the plan is for a modulus of another size');
  }
}

export function sumHeader(
  { session, round, plan, roster }: Pick<CohortSetup, 'session' | 'round' | 'plan' | 'roster'>,
  { fingerprint }: PaillierPublicKey,
): SumHeader {
  return { session, round, key: fingerprint, plan: plan.hash, roster: roster.hash };
}

export class InputList {
  readonly header: SumHeader;
  readonly #setup: CohortSetup;
  readonly #options: InputListOptions;
  readonly #cohort: ReadonlySet<string>;
  /** By client, in the order in which they came. */
  readonly #inputs = new Map<string, ListedInput>();
  /** Who sent what, by hash. */
  readonly #senders = new Map<string, string>();
  #contextHash: Uint8Array | undefined;

  /** @throws ProtocolError `invalid-argument` for a plan of another cohort or key. */
  constructor(setup: CohortSetup, publicKey: PaillierPublicKey, options: InputListOptions) {
    checkCohort(setup, publicKey);
    this.header = sumHeader(setup, publicKey);
    this.#setup = setup;
    this.#options = options;
    this.#cohort = new Set(setup.clients);
    this.#contextHash = setup.contextHash;
  }

  get inputs(): ListedInput[] {
    return [...this.#inputs.values()];
  }

  get clients(): string[] {
    return [...this.#inputs.keys()];
  }

  /** Of all inputs. */
  get contextHash(): Uint8Array {
    return this.#contextHash ?? new Uint8Array(32);
  }

  /** Why an input cannot be in this sum, or nothing. */
  problemOf(statement: InputStatement, signature: Uint8Array): PaillierFault | undefined {
    const { stage, masked, fromClients } = this.#options;
    const { roster, plan } = this.#setup;
    const { client, contextHash, ciphertextsHash, maskCommitment } = statement;
    const offender = fromClients ? client : undefined;
    const refuse = (code: PaillierFaultCode, message: string): PaillierFault =>
      fault(stage, code, message, offender);

    const problem = problemOfMessage(stage, statement, this.header, offender);
    if (problem !== undefined) return problem;
    if (!this.#cohort.has(client))
      return refuse('unknown-client', `"${client}" is not of this cohort`);
    if (this.#inputs.has(client)) return refuse('duplicate-client', `"${client}" is there twice`);
    if (this.#contextHash !== undefined && !equalBytes(contextHash, this.#contextHash)) {
      return refuse('context-mismatch', `"${client}" encrypted values from another context`);
    }
    // Sending on another client's ciphertext would make the sum tell twice its value.
    const sender = plan.plaintexts === 0 ? undefined : this.#senders.get(toHex(ciphertextsHash));
    if (sender !== undefined) {
      return refuse('copied-input', `"${client}" sent what "${sender}" sent`);
    }
    if (equalBytes(maskCommitment, NO_MASK) === masked) {
      return masked
        ? refuse('not-masked', `"${client}" did not mask its values`)
        : refuse('already-masked', `"${client}" masked its values, which takes a mask keeper`);
    }
    if (!isSignedBy(roster, statement, signature)) {
      return refuse('wrong-signature', `the identity "${client}" did not sign this input`);
    }
    return undefined;
  }

  /** Takes an input of which `problemOf` found nothing. */
  add(statement: InputStatement, signature: Uint8Array): void {
    const { client, minimumClients, ciphertextsHash, contextHash } = statement;
    this.#inputs.set(client, { client, minimumClients, ciphertextsHash, signature });
    this.#senders.set(toHex(ciphertextsHash), client);
    this.#contextHash = contextHash;
  }

  /** Why those clients are too few for a sum, for this party or for one of them. */
  problemOfSize(clients: readonly string[] = this.clients): PaillierFault | undefined {
    const { stage } = this.#options;
    const { plan, minimumClients = plan.clients } = this.#setup;
    const count = clients.length;
    if (count < minimumClients || count === 0) {
      const missing = this.#setup.clients.filter((client) => !clients.includes(client));
      return fault(
        stage,
        'too-few-inputs',
        `the sum has ${count} inputs and must have ${minimumClients}; not in it are ${missing.slice(0, 10).join(', ')}`,
      );
    }
    for (const client of clients) {
      const least = this.#inputs.get(client)?.minimumClients ?? 0;
      if (least > count) {
        return fault(
          stage,
          'below-client-minimum',
          `"${client}" agreed to a sum of at least ${least} inputs, this one has ${count}`,
        );
      }
    }
    return undefined;
  }
}
