/** @file What a client of the summation service is told, checked before it handles anything. */

import { ValueError } from '../../../computations/types/index.ts';
import {
  type DecodingLimits,
  type Identity,
  type IdentityRoster,
  ProtocolError,
  type Quantization,
  type QuantizationOptions,
  quantization,
  type Rng,
  requireMember,
  type SecAggClientConfig,
  type SecAggPolicy,
  type SessionLedger,
} from '../../../protocols/index.ts';
import { policyOf } from '../../../protocols/secagg/client/config.ts';
import type { SummationStep } from '../messages.ts';
import { FLOWER_MODULUS_RANGE, type SummationTask, withoutCode } from '../task.ts';
import type { Contribution, ContributionRequest } from './contribution.ts';
import type { SessionStore } from './session-store.ts';
import type { StepEnvironment } from './steps.ts';

export interface SummationClientOptions {
  /**
   * What the client gives to a round, asked for once its keys are shared; it may train first. What it
   * throws stays here (`onError`): the server hears that the client failed.
   */
  readonly contribute: (round: ContributionRequest) => Contribution | Promise<Contribution>;
  /** Who the client is. Needed in the active model, which is the only one by default. */
  readonly identity?: Identity;
  /** Whom the client trusts to be who, from elsewhere than the server. Needed in the active model. */
  readonly roster?: IdentityRoster;
  /**
   * Whether the client is ready to sum this: its tensors, their bounds, the context. Asked before
   * anything else is done; what it does not accept is refused as `task-refused`.
   * @default anything. The bounds of a sum are the server's word then, which learns from a refusal that
   *   a value was outside of them.
   */
  readonly accept?: (task: SummationTask, clients: number) => boolean;
  /** What it asks of a round before it takes part. */
  readonly policy?: Partial<SecAggPolicy>;
  /**
   * By which parameters it quantises floats: a server that names others is refused.
   * @default those of Flower, and of `secAggWorkflow`
   */
  readonly quantization?: QuantizationOptions;
  /** Floats outside of the clipping range: clip them, or refuse the round. @default 'clip' */
  readonly onClip?: 'clip' | 'refuse';
  /** What it did in which session, so that nothing is done twice. Needed with a store. */
  readonly ledger?: SessionLedger;
  /** Keeps sessions between steps, so that another process can go on. */
  readonly store?: SessionStore;
  /** In how many rounds at a time it takes part. @default 16 */
  readonly mostSessions?: number;
  /** How long it waits for the next step of a round, in seconds, and for `contribute`. @default 3600 */
  readonly sessionTimeout?: number;
  /** The largest messages that it reads. @default 64 MiB */
  readonly limits?: DecodingLimits;
  /** Told of what went wrong here; the server hears less of it. */
  readonly onError?: (error: unknown, where: FailedStep) => void;
  readonly rng?: Rng;
}

export interface FailedStep {
  /** Names the round, in hexadecimal. */
  readonly round: string;
  readonly step: SummationStep;
}

export interface CheckedClientOptions extends SummationClientOptions {
  readonly mostSessions: number;
  readonly sessionTimeoutMs: number;
  readonly environment: StepEnvironment;
}

/** @throws as `summationClient` does. */
export function checkedClientOptions(options: SummationClientOptions): CheckedClientOptions {
  const { mostSessions = 16, sessionTimeout = 3_600, accept, rng } = options;
  requireNumber('mostSessions', mostSessions, 1, 2 ** 20);
  requireNumber('sessionTimeout', sessionTimeout, 0.001, LONGEST_TIMEOUT_S);
  return {
    ...options,
    mostSessions,
    sessionTimeoutMs: sessionTimeout * 1_000,
    environment: {
      config: configOf(options),
      quantization: quantizationOf(options.quantization),
      limits: { messageBytes: 2 ** 26, ...options.limits },
      ...(accept !== undefined && { accept }),
      ...(rng !== undefined && { rng }),
    },
  };
}

function configOf(options: SummationClientOptions): SecAggClientConfig {
  const { identity, roster, policy, ledger, store } = options;
  const config: SecAggClientConfig = {
    ...(identity !== undefined && { name: identity.client, signingKey: identity.secretKey }),
    ...(roster !== undefined && { roster }),
    ...(policy !== undefined && { policy }),
    ...(ledger !== undefined && { ledger }),
  };
  const { models } = policyOf(config);
  if (models.includes('active') && (identity === undefined || roster === undefined)) {
    throw new ProtocolError(
      'invalid-argument',
      `a client in the active model needs ${identity === undefined ? 'an identity' : 'a roster'}: give it one, or a policy of other models`,
    );
  }
  if (identity !== undefined && roster !== undefined) requireMember(roster, identity);
  if (store !== undefined && ledger === undefined) {
    throw new ProtocolError(
      'invalid-argument',
      'a client that keeps its sessions needs a ledger that lasts as long, or a step could be done twice',
    );
  }
  return config;
}

function quantizationOf(options: QuantizationOptions = {}): Quantization {
  try {
    return quantization({ modulusRange: FLOWER_MODULUS_RANGE, ...options });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ValueError('value.out_of_range', `quantization: ${withoutCode(error)}.`, {
      cause: error,
    });
  }
}

function requireNumber(option: string, given: number, least: number, most: number): void {
  if (typeof given === 'number' && given >= least && given <= most) return;
  throw new ValueError(
    'value.out_of_range',
    `${option} is from ${least} to ${most}; got ${given}.`,
  );
}

const LONGEST_TIMEOUT_S = (2 ** 31 - 1) / 1_000;
