/** @file Clients and a workflow in one process, with a line between them that can be meddled with. */

import {
  type ContributionRequest,
  generateIdentities,
  type SecAggWorkflowOptions,
  type SummationClient,
  type SummationClientOptions,
  type SummationPeer,
  secAggWorkflow,
  summationClient,
} from 'fedloom';

export const NAMES = ['north', 'east', 'south', 'west', 'lake'];

export type Step =
  | 'advertise'
  | 'choose-neighbours'
  | 'share-keys'
  | 'mask-vectors'
  | 'confirm-survivors'
  | 'unmask'
  | 'leave';

/** In the order of the envelope. */
export const STEPS: readonly Step[] = [
  'advertise',
  'choose-neighbours',
  'share-keys',
  'mask-vectors',
  'confirm-survivors',
  'unmask',
  'leave',
];

export const stepOf = (message: Uint8Array): Step => STEPS[message[5] ?? 0] as Step;

export interface Call {
  readonly name: string;
  readonly step: Step;
  readonly message: Uint8Array;
  readonly signal: AbortSignal;
  /** The client itself. */
  readonly answer: (message?: Uint8Array) => Promise<Uint8Array>;
}

export interface HospitalOptions {
  readonly names?: readonly string[];
  readonly client?: (name: string, i: number) => Partial<SummationClientOptions>;
  /** What the line does with a message; by default it carries it. */
  readonly line?: (call: Call) => Promise<Uint8Array>;
  readonly workflow?: SecAggWorkflowOptions;
}

/** Client i gives [i, -i / 2] and [i / 4] with a weight of i + 1, or the integers [i, 2 i]. */
export function contributionOf(i: number, round: ContributionRequest) {
  return round.kind === 'sum'
    ? { tensors: { counts: [i, 2 * i] } }
    : { tensors: { weights: [i, -i / 2], bias: [i / 4] }, weight: i + 1 };
}

export const MEAN = { tensors: { weights: 2, bias: [1] } };
export const SUM = { tensors: { counts: { shape: [2], maximum: 1000 } } };

export interface Hospitals {
  readonly names: readonly string[];
  readonly clients: readonly SummationClient[];
  readonly peers: readonly SummationPeer[];
  readonly workflow: ReturnType<typeof secAggWorkflow>;
  readonly options: readonly SummationClientOptions[];
  /** Puts another client in the place of one: it was restarted. */
  restart(i: number): void;
  /** The weighted mean of some, as it should be. */
  meanOf(clients: readonly string[]): number[];
}

export function hospitals({
  names = NAMES,
  client = () => ({}),
  line = ({ answer }) => answer(),
  workflow = {},
}: HospitalOptions = {}): Hospitals {
  const { roster, identities } = generateIdentities(names);
  const active = (workflow.model ?? 'active') === 'active';
  const options = names.map((name, i): SummationClientOptions => {
    const own = active
      ? { identity: identities[i]!, roster }
      : { policy: { models: [workflow.model!] } };
    return { ...own, contribute: (round) => contributionOf(i, round), ...client(name, i) };
  });
  const clients = options.map((each) => summationClient(each));
  return {
    names,
    clients,
    options,
    workflow: secAggWorkflow({ ...(active && { roster }), ...workflow }),
    peers: names.map((name, i) => ({
      name,
      request: (message, { signal }) =>
        line({
          name,
          step: stepOf(message),
          message,
          signal,
          answer: (other = message) => clients[i]!.handle(other),
        }),
    })),
    restart(i) {
      clients[i] = summationClient(options[i]!);
    },
    meanOf(included) {
      const numbers = names.flatMap((name, i) => (included.includes(name) ? [i] : []));
      const total = numbers.reduce((sum, i) => sum + i + 1, 0);
      const mean = numbers.reduce((sum, i) => sum + i * (i + 1), 0) / total;
      return [mean, -mean / 2, mean / 4];
    },
  };
}
